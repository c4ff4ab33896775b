"""Running it: health, metrics, the access log, draining, several processes on one store."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from .raw import Raw
from .server import Server, clean_environment, until

HALF = os.urandom(1 << 20)


def workers(server: Server) -> set[int]:
    """Process ids: the children of the process that was started."""
    assert server.process is not None
    lists = Path(f"/proc/{server.process.pid}/task").glob("*/children")
    return {int(pid) for children in lists for pid in children.read_text().split()}


# ---------------------------------------------------------------- what it tells about itself


def test_it_is_healthy_and_ready(gateway: Server) -> None:
    for path in ("/-/healthz", "/-/readyz"):
        assert gateway.get(path)[0] == 200


def test_metrics_count_requests(gateway: Server, s3: Any, bucket: str) -> None:
    def requests() -> float:
        status, headers, body = gateway.get("/-/metrics")
        assert (status, headers["content-type"].partition(";")[0]) == (200, "text/plain")
        lines = [line for line in body.decode().splitlines() if line.startswith("caret_") and "requests_total" in line]
        assert lines, body.decode()
        return sum(float(line.split()[-1]) for line in lines)

    before = requests()
    for number in range(10):
        s3.put_object(Bucket=bucket, Key=str(number), Body=b"v")
    # Whichever worker answers, it speaks for all of them.
    until(lambda: requests() >= before + 10, 5, "the ten requests to be counted")


def test_what_is_beside_the_buckets_is_no_bucket(raw: Raw) -> None:
    assert raw.request("GET", "/-/nothing").status == 404


def test_every_answer_has_a_request_id_of_its_own_and_a_line_in_the_log(
    gateway: Server, raw: Raw, s3: Any, bucket: str
) -> None:
    s3.put_object(Bucket=bucket, Key="a key", Body=b"v")
    replies = [raw.request("GET", f"/{bucket}/{key}") for key in ("a%20key", "none")]
    ids = [reply.headers["x-amz-request-id"] for reply in replies]
    assert len(set(ids)) == 2
    assert all(reply.headers["x-amz-id-2"] for reply in replies)

    def line(request_id: str) -> dict[str, Any] | None:
        found = [text for text in gateway.log.read_text().splitlines() if request_id in text]
        return json.loads(found[0]) if found else None

    until(lambda: all(line(one) for one in ids), 5, "both requests in the access log")
    for request_id, status in zip(ids, (200, 404), strict=True):
        values = (line(request_id) or {}).values()
        assert {request_id, "GET", status} <= {value for value in values if isinstance(value, str | int)}
    assert gateway.secret_key not in gateway.log.read_text()


# ---------------------------------------------------------------- stopping and starting


def test_sigterm_lets_a_running_upload_finish(serve: Callable[..., Server]) -> None:
    server = serve()
    server.client().create_bucket(Bucket="drained")
    raw = Raw(server)
    head, _ = raw.signed("PUT", "/drained/k", unsigned={"Content-Length": str(2 * len(HALF))})
    assert server.process is not None
    with raw.connect() as connection:
        connection.send(head + HALF)
        time.sleep(0.3)
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.7)
        assert server.is_running
        connection.send(HALF)
        assert connection.reply("PUT").status == 200
    assert server.process.wait(15) == 0
    server.start()
    assert server.client().get_object(Bucket="drained", Key="k")["Body"].read() == HALF * 2


def test_an_idle_connection_does_not_hold_it_up(serve: Callable[..., Server]) -> None:
    server = serve(workers=1)
    with Raw(server).connect():
        started = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - started < 5


def test_draining_has_an_end(serve: Callable[..., Server]) -> None:
    server = serve(workers=1, environment={"CARET_DRAIN_TIMEOUT_S": "1"})
    server.client().create_bucket(Bucket="stuck")
    raw = Raw(server)
    head, _ = raw.signed("PUT", "/stuck/k", unsigned={"Content-Length": str(2 * len(HALF))})
    with raw.connect() as connection:
        connection.send(head + HALF)
        time.sleep(0.2)
        server.stop(10)
    assert not server.is_running


def test_the_first_start_makes_credentials_and_prints_them(serve: Callable[..., Server]) -> None:
    none_given = {"CARET_ROOT_ACCESS_KEY": "", "CARET_ROOT_SECRET_KEY": ""}
    server = serve(workers=1, environment=none_given)
    banner = server.log.read_text()
    access_key, secret_key = (
        next(line.split()[-1] for line in banner.splitlines() if line.strip().startswith(what))
        for what in ("access key", "secret key")
    )
    client = server.client(access_key=access_key, secret_key=secret_key)
    client.create_bucket(Bucket="first")
    kept = [path for path in server.files(".") if secret_key.encode() in path.read_bytes()]
    assert kept
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in kept)
    assert server.stop() == 0
    server.start()
    client.head_bucket(Bucket="first")


def test_everything_is_there_after_a_restart(serve: Callable[..., Server]) -> None:
    server = serve()
    s3 = server.client()
    s3.create_bucket(Bucket="kept")
    for body in (b"small", HALF):
        s3.put_object(Bucket="kept", Key="k", Body=body)
    assert server.stop() == 0
    server.start()
    assert s3.get_object(Bucket="kept", Key="k")["Body"].read() == HALF
    assert s3.get_object(Bucket="kept", Key="k", VersionId="HEAD^")["Body"].read() == b"small"
    assert server.stop() == 0
    checked = server.fsck()
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_two_servers_share_one_data_folder(serve: Callable[..., Server]) -> None:
    one = serve(workers=1)
    other = serve(workers=1, data=one.data)
    clients = [one.client(), other.client()]
    clients[0].create_bucket(Bucket="shared")
    clients[1].head_bucket(Bucket="shared")
    for number in range(20):
        clients[number % 2].put_object(Bucket="shared", Key="k", Body=b"%d" % number)
        assert clients[1 - number % 2].get_object(Bucket="shared", Key="k")["Body"].read() == b"%d" % number
    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(_put_many, client, prefix) for client, prefix in zip(clients, "ab", strict=True)]:
            done.result()
    assert clients[0].list_objects_v2(Bucket="shared")["KeyCount"] == 101
    assert one.stop() == 0
    clients[1].put_object(Bucket="shared", Key="k", Body=b"alone")


def _put_many(client: Any, prefix: str) -> None:
    for number in range(50):
        client.put_object(Bucket="shared", Key=f"{prefix}{number}", Body=b"v")


def test_a_port_that_is_taken_is_refused_clearly(serve: Callable[..., Server]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        unlucky = Server(serve(workers=1).data, port=taken.getsockname()[1])
        done = subprocess.run(
            unlucky.command(), env=clean_environment(), capture_output=True, text=True, timeout=30, check=False
        )
    assert done.returncode != 0
    assert str(unlucky.port) in done.stderr
    assert "Traceback" not in done.stderr


def test_tls_with_half_a_certificate_is_refused_clearly(serve: Callable[..., Server]) -> None:
    server = Server(serve(workers=1).data, options=("--tls-cert", "/nonexistent.pem"))
    done = subprocess.run(
        server.command(), env=clean_environment(), capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode != 0
    assert "tls_key" in done.stderr
    assert "Traceback" not in done.stderr


# ---------------------------------------------------------------- workers


def test_a_killed_worker_is_replaced_while_the_others_serve(serve: Callable[..., Server]) -> None:
    server = serve()
    s3 = server.client()
    s3.create_bucket(Bucket="steady")
    s3.put_object(Bucket="steady", Key="k", Body=b"v")
    until(lambda: len(workers(server)) == 2, 5, "two workers")
    before = workers(server)
    victim = before.copy().pop()
    os.kill(victim, signal.SIGKILL)
    until(lambda: len(workers(server) - {victim}) == 2, 10, "the worker to be replaced")
    assert len(workers(server) & before) == 1, "the other one went on"
    for number in range(40):
        fresh = server.client()  # a connection of its own, so that both workers are met
        fresh.put_object(Bucket="steady", Key=str(number), Body=b"v")
        assert fresh.get_object(Bucket="steady", Key="k")["Body"].read() == b"v"


def test_workers_leave_with_their_supervisor(serve: Callable[..., Server]) -> None:
    server = serve()
    until(lambda: len(workers(server)) == 2, 5, "two workers")
    left = workers(server)
    assert server.process is not None
    server.process.kill()
    server.process.wait(10)
    until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in left), 10, "the workers to leave")
