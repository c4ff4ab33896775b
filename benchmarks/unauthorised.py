"""`caret serve` in which everybody may do everything: what deciding costs is measured beside it."""

from __future__ import annotations

import os
import socket
from functools import partial
from pathlib import Path
from typing import Any

from gateway import app
from gateway.cli import serve
from gateway.cli.main import main
from gateway.config import Config
from gateway.handlers import objects
from gateway.server import pipeline
from gateway.supervisor import Supervisor


async def _decide_nothing(*_: Any) -> None:
    """In place of `authorise`, before a request's body is read."""


def _permit_all(*_: Any) -> None:
    """In place of `permit_object`, when the version that is read is known."""


def run_worker(config: Config, listener: socket.socket) -> None:
    pipeline.authorise = _decide_nothing  # type: ignore[attr-defined]
    objects.permit_object = _permit_all  # type: ignore[attr-defined]
    app.run_worker(config, listener)


if __name__ == "__main__":
    os.environ["PYTHONPATH"] = str(Path(__file__).parent)  # where workers find this module
    serve.Supervisor = partial(Supervisor, worker="unauthorised:run_worker")  # type: ignore[misc,assignment]
    main()
