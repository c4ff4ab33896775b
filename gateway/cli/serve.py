"""`caret serve`: starts the gateway and tells how to reach it."""

from __future__ import annotations

import shlex
import socket
import ssl
import sys
from importlib.metadata import version
from typing import Any

import click

import pfs
from gateway.access.credentials import Credentials, CredentialsError, root_credentials
from gateway.access.vault import VaultError
from gateway.app import prepare
from gateway.cli.calling import Command
from gateway.cli.exits import FOUND_WRONG, CannotStart
from gateway.cli.settings import setting_options, settings_from
from gateway.config import Config, ConfigError
from gateway.supervisor import StartError, Supervisor, WorkersFailed, bind, log_to_stderr


@click.command("serve", cls=Command, example="caret serve --data ./data")
@setting_options()
def serve_command(**options: Any) -> None:
    """Serve S3 until SIGTERM or Ctrl-C.

    Running requests are then finished, for as long as drain_timeout_s allows. A second gateway
    may serve the same data folder beside the first, on a port of its own.
    """
    config = settings_from(options).config
    log_to_stderr(config.log_level)
    try:
        with bind(config.host, config.s3_port) as listener:
            root = root_credentials(config.data, config.root_access_key, config.root_secret_key)
            _check_tls(config)
            prepare(config)
            _print_banner(config, endpoint(config, listener), root)
            Supervisor(config, listener).run()
    except (StartError, CredentialsError, VaultError, ConfigError, pfs.StoreError, OSError) as error:
        raise CannotStart(str(error)) from error
    except WorkersFailed as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(FOUND_WRONG)


def _check_tls(config: Config) -> None:
    """Raises StartError here, once and clearly, for what every worker would die of."""
    if config.tls_cert is None:
        return
    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(config.tls_cert, config.tls_key)
    except OSError as error:  # ssl.SSLError is one
        raise StartError(f"tls_cert {config.tls_cert} and tls_key {config.tls_key} cannot be used: {error}") from error


def endpoint(config: Config, listener: socket.socket) -> str:
    """The URL under which a client on this machine reaches the gateway."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(config.host, config.host)  # noqa: S104 - compared, not bound
    scheme = "https" if config.tls_cert else "http"
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}"


def _print_banner(config: Config, url: str, root: Credentials) -> None:
    # A secret that the operator gave is not repeated where a log may collect it.
    may_show = config.root_secret_key is None or sys.stdout.isatty()
    quoted_secret = shlex.quote(root.secret_key) if may_show else '"$CARET_ROOT_SECRET_KEY"'
    lines = [
        f"Caret {version('caret-gateway')}, data in {config.data}",
        "",
        f"  endpoint    {url}",
        f"  access key  {root.access_key}",
        f"  secret key  {root.secret_key if may_show else '(as given in CARET_ROOT_SECRET_KEY)'}",
        "",
        "To try it, paste into another shell:",
        "",
        *example(url, root.access_key, quoted_secret, config.region),
        "",
    ]
    click.echo("\n".join(lines))
    sys.stdout.flush()


def example(url: str, access_key: str, quoted_secret: str, region: str) -> tuple[str, str, str]:
    """Three lines for one shell, with aws-cli: put, overwrite, read what was there before."""
    aws = f"aws --endpoint-url {url}"
    keys = f"AWS_ACCESS_KEY_ID={access_key} AWS_SECRET_ACCESS_KEY={quoted_secret} AWS_DEFAULT_REGION={region}"
    return (
        f"export {keys}; {aws} s3 mb s3://demo; echo one | {aws} s3 cp - s3://demo/hello.txt",
        f"echo two | {aws} s3 cp - s3://demo/hello.txt",
        f"{aws} s3api get-object --bucket demo --key hello.txt --version-id 'HEAD^' /dev/stdout | sed -n 1p",
    )
