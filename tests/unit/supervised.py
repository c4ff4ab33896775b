"""A supervisor to watch from outside: `python -m tests.unit.supervised WORKER WORKERS DRAIN_TIMEOUT_S`.

It prints its port, then runs; the functions below are what its workers do.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import time

from gateway import metrics
from gateway.config import Config
from gateway.supervisor import Role, Supervisor, WorkersFailed, bind, log_to_stderr


def answers(config: Config, listener: socket.socket) -> None:
    """Tells every connection about itself; leaves at SIGTERM."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    while True:
        connection, _ = listener.accept()
        with connection:
            metrics.request_started()
            metrics.request_finished("GetObject", 200, 0.001, received=1, sent=2, error_code="NoSuchKey")
            told = {
                "pid": os.getpid(),
                "data": str(config.data),
                "metrics_folder": os.environ["PROMETHEUS_MULTIPROC_DIR"],
                "metrics": metrics.exposition().decode(),
            }
            connection.sendall(json.dumps(told).encode())


def takes_its_time(config: Config, listener: socket.socket) -> None:
    """As `answers`, but SIGTERM does not move it."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True:
        connection, _ = listener.accept()
        with connection:
            connection.sendall(json.dumps({"pid": os.getpid()}).encode())


def dies(config: Config, listener: socket.socket) -> None:
    sys.exit(7)


def dies_once_started(config: Config, listener: socket.socket) -> None:
    time.sleep(0.1)
    os.kill(os.getpid(), signal.SIGKILL)


def main(worker: str, workers: str, drain_timeout_s: str) -> None:
    log_to_stderr("info")
    config = Config(drain_timeout_s=float(drain_timeout_s))
    with bind("127.0.0.1", 0) as listener:
        print(listener.getsockname()[1], flush=True)
        try:
            Supervisor(config, [Role(f"tests.unit.supervised:{worker}", listener, int(workers))]).run()
        except WorkersFailed as error:
            sys.exit(str(error))


if __name__ == "__main__":
    main(*sys.argv[1:])
