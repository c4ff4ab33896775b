"""The console's process: builds every object of it once, from the settings, and serves until SIGTERM.

One process per gateway, beside the workers of S3: a page, and a job that hashes and sends, takes nothing from them.
It reaches the gateway as any client does, over HTTP with the credentials of whoever asks. So what is allowed is decided
in one place.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import ssl
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import uvloop
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.log import server_logger

from gateway.access.audit import AuditLog
from gateway.access.credentials import root_credentials
from gateway.access.directory import open_directory
from gateway.access.keyring import Keyring
from gateway.access.principals import Accounts
from gateway.access.vault import open_vault
from gateway.client import Credentials
from gateway.config import Config
from gateway.server.access_log import AccessLog
from gateway.sync.carry import Carrier
from gateway.sync.jobs import Jobs
from gateway.sync.worker import Worker
from gateway.web.app import make_app
from gateway.web.site import Site

_log = logging.getLogger(__name__)

_THREADS = 16
_STOP_S = 3.0  # for the files that jobs are at
_CLOSE_S = 1.0  # for connections that stand idle or stream when the console leaves


def run_console(config: Config, listener: socket.socket) -> None:
    """Serves on `listener` until SIGTERM, and returns."""
    vault = open_vault(config.data, config.secret_keys)
    directory = open_directory(config.data, config.database_url, vault)
    audit = AuditLog(directory.database)
    access_log = AccessLog(config.access_log)
    server_logger.addFilter(_NoExcerpts())
    try:
        with ThreadPoolExecutor(_THREADS, thread_name_prefix="console") as threads:
            keyring = Keyring(Accounts.from_config(config), directory)
            jobs = Jobs(directory.database, vault)
            root = _root(config)
            worker = Worker(jobs, Carrier(config, jobs, root))
            site = Site(config, directory, keyring, vault, audit, access_log, threads, root, jobs, worker)
            _make_uploads(config)
            worker.start()
            try:
                uvloop.run(_serve(site, listener))
            finally:
                worker.stop(min(_STOP_S, config.drain_timeout_s))
    finally:
        audit.close()
        access_log.close()
        directory.close()


def _root(config: Config) -> Credentials:
    found = root_credentials(config.data, config.root_access_key, config.root_secret_key)
    return Credentials(found.access_key, found.secret_key)


def _make_uploads(config: Config) -> None:
    if config.uploads is None:
        return
    try:
        config.uploads.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        _log.error("jobs are refused: the folder of uploads cannot be made: %s", exc)


class _NoExcerpts(logging.Filter):
    """Of a request that is no HTTP the log says so much: its lines may hold keys."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.exc_info and isinstance(record.exc_info[1], HttpProcessingError):
            record.exc_info = record.exc_text = None
        return True


async def _serve(site: Site, listener: socket.socket) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    runner = web.AppRunner(make_app(site), access_log=None, shutdown_timeout=_CLOSE_S)
    await runner.setup()
    try:
        await web.SockSite(runner, listener, ssl_context=_tls(site.config)).start()
        await stop.wait()
    finally:
        with suppress(asyncio.CancelledError):
            await runner.cleanup()


def _tls(config: Config) -> ssl.SSLContext | None:
    if config.tls_cert is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(config.tls_cert, config.tls_key)
    return context
