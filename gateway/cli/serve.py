"""`caret serve`: starts the gateway and tells how to reach it."""

from __future__ import annotations

import shlex
import ssl
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
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
from gateway.supervisor import Role, StartError, Supervisor, WorkersFailed, bind, log_to_stderr


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
        with ExitStack() as listeners:
            config, roles = _bind(config, listeners)
            root = root_credentials(config.data, config.root_access_key, config.root_secret_key)
            _check_tls(config)
            prepare(config)
            _print_banner(config, root)
            Supervisor(config, roles).run()
    except (StartError, CredentialsError, VaultError, ConfigError, pfs.StoreError, OSError) as error:
        raise CannotStart(str(error)) from error
    except WorkersFailed as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(FOUND_WRONG)


def _bind(config: Config, listeners: ExitStack) -> tuple[Config, Sequence[Role]]:
    """Listens on the ports; the settings with those that were taken. Raises StartError."""
    s3 = listeners.enter_context(bind(config.host, config.s3_port))
    config = replace(config, s3_port=s3.getsockname()[1])
    roles = [Role("gateway.app:run_worker", s3, config.workers)]
    if config.console_port is not None:
        console = listeners.enter_context(bind(config.console_host, config.console_port, "--console-port"))
        config = replace(config, console_port=console.getsockname()[1])
        roles.append(Role("gateway.console:run_console", console, 1))
    return config, roles


def _check_tls(config: Config) -> None:
    """Raises StartError here, once and clearly, for what every worker would die of."""
    if config.tls_cert is None:
        return
    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(config.tls_cert, config.tls_key)
    except OSError as error:  # ssl.SSLError is one
        raise StartError(f"tls_cert {config.tls_cert} and tls_key {config.tls_key} cannot be used: {error}") from error


def _print_banner(config: Config, root: Credentials) -> None:
    # A secret that the operator gave is not repeated where a log may collect it.
    may_show = config.root_secret_key is None or sys.stdout.isatty()
    quoted_secret = shlex.quote(root.secret_key) if may_show else '"$CARET_ROOT_SECRET_KEY"'
    lines = [
        f"Caret {version('caret-gateway')}, data in {config.data}",
        "",
        f"  endpoint    {config.endpoint}",
        *([f"  console     {config.console_url}"] if config.console_url else []),
        f"  access key  {root.access_key}",
        f"  secret key  {root.secret_key if may_show else '(as given in CARET_ROOT_SECRET_KEY)'}",
        "",
        "To try it, paste into another shell:",
        "",
        *example(config.endpoint, root.access_key, quoted_secret, config.region),
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
