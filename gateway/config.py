"""What a gateway needs to know, from four places with one precedence: flag, environment, file, default.

`Config` is the one table of settings. A setting's name gives all its spellings: `s3_port` is
the flag `--s3-port`, the variable `CARET_S3_PORT` and the TOML key `s3_port`. The command
line's options and the table in docs/configuration.md are made from it. A value is text
wherever it comes from, and one parser per setting reads it.

Only this module and the command line read the environment.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from gateway.access.destinations import Destinations

CONFIG_VARIABLE = "CARET_CONFIG"
_MASK = "********"


class ConfigError(Exception):
    """A setting that cannot be used; the message names the setting, its origin and the remedy."""


# ---------------------------------------------------------------- what a value may be


def _text(text: str) -> str:
    if not text:
        raise ValueError("may not be empty")
    return text


def _path(text: str) -> Path:
    return Path(os.path.expanduser(_text(text)))  # Path.expanduser raises where there is no such user


def _whole(least: int, most: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,18}", text) or not least <= int(text) <= most:
            raise ValueError(f"{text!r} is not a whole number from {least} to {most}")
        return int(text)

    return parse


def _seconds(text: str) -> float:
    if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text):
        raise ValueError(f"{text!r} is not a number of seconds")
    return float(text)


def _switch(text: str) -> bool:
    if text not in ("on", "off"):
        raise ValueError(f"{text!r} is neither on nor off")
    return text == "on"


def _log_level(text: str) -> str:
    levels = ("error", "warning", "info", "debug")
    if text not in levels:
        raise ValueError(f"{text!r} is none of {', '.join(levels)}")
    return text


def _domains(text: str) -> tuple[str, ...]:
    """`s3.example.org, storage.example.org:9000`: a port is dropped, it decides nothing."""
    names = tuple(part.strip().lower().partition(":")[0] for part in text.split(",") if part.strip())
    for name in names:
        if not re.fullmatch(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*", name):
            raise ValueError(f"{name!r} is not a domain name")
    return names


def _destinations(text: str) -> tuple[str, ...]:
    """`10.0.0.0/8, hooks.example.org`: host names, addresses and networks."""
    allowed = tuple(part.strip() for part in text.split(",") if part.strip())
    Destinations.parse(allowed)
    return allowed


def _url(text: str) -> str:
    if not re.match(r"[a-z][a-z0-9+.-]*:", text):
        raise ValueError("is not a URL: it needs a scheme, as in postgresql+psycopg://… or s3://…")
    return text


def _access_key(text: str) -> str:
    # A slash would end the key inside SigV4's credential scope, a colon inside SigV2's header.
    if not re.fullmatch(r"[A-Za-z0-9._-]{3,128}", text):
        raise ValueError("an access key has 3 to 128 letters, digits, '.', '_' or '-'")
    return text


def _token(text: str) -> str:
    if not re.fullmatch(r"[!-~]{16,256}", text):
        raise ValueError("a token has 16 to 256 visible ASCII characters")
    return text


def _secret_key(text: str) -> str:
    if not 8 <= len(text) <= 256:
        raise ValueError("a secret key has 8 to 256 characters")
    return text


def _default_workers() -> int:
    return min(4, os.cpu_count() or 1)


# ---------------------------------------------------------------- the table


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of the table: how a setting is spelled, read and explained."""

    name: str
    parse: Callable[[str], Any]
    default: str
    help: str
    has_flag: bool
    secret: bool

    @property
    def flag(self) -> str | None:
        return "--" + self.name.replace("_", "-") if self.has_flag else None

    @property
    def variable(self) -> str:
        return "CARET_" + self.name.upper()


def _setting(  # Any: a dataclass field's declared type is the one that counts
    default: Any,
    parse: Callable[[str], Any],
    about: str,
    *,
    shown: str | None = None,
    has_flag: bool = True,
    secret: bool = False,
) -> Any:
    facts = {
        "parse": parse,
        "default": shown if shown is not None else str(default),
        "help": about,
        "has_flag": has_flag,
        "secret": secret,
    }
    if callable(default):
        return field(default_factory=default, repr=not secret, metadata=facts)
    return field(default=default, repr=not secret, metadata=facts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One `[[accounts]]` table: a further access key and whose it is."""

    access_key: str
    secret_key: str = field(repr=False)
    id: str
    display_name: str
    project: str = "default"

    def __post_init__(self) -> None:
        try:
            _access_key(self.access_key)
            _secret_key(self.secret_key)
            for text in (self.id, self.display_name, self.project):
                _text(text)
        except ValueError as error:
            raise ConfigError(f"accounts, {self.access_key!r}: {error}") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """A gateway's settings, checked. Frozen, picklable: workers get the supervisor's own."""

    data: Path = _setting(Path("data"), _path, "Folder of the embedded store, the blobs and the root credentials.")
    host: str = _setting("127.0.0.1", _text, "Address to listen on; 0.0.0.0 or :: for all.")
    s3_port: int = _setting(9000, _whole(0, 65535), "Port of the S3 API; 0 takes a free one.")
    workers: int = _setting(
        _default_workers, _whole(1, 256), "Worker processes sharing the port.", shown="one per CPU, at most 4"
    )
    tls_cert: Path | None = _setting(
        None, _path, "Certificate chain (PEM); with tls_key, S3 is served over TLS.", shown=""
    )
    tls_key: Path | None = _setting(None, _path, "The certificate's private key (PEM).", shown="")
    region: str = _setting("us-east-1", _text, "Region that buckets are in and signatures name.")
    domain: tuple[str, ...] = _setting(
        (), _domains, "Domains for virtual-host addressing (bucket.domain), separated by commas.", shown=""
    )
    database_url: str | None = _setting(
        None,
        _url,
        "Metadata database: sqlite:///FILE or postgresql+psycopg://….",
        shown="SQLite in the data folder",
        secret=True,
    )
    blob_url: str | None = _setting(
        None, _url, "Where large blobs go: s3://…, gs://…, az://….", shown="files in the data folder", secret=True
    )
    inline_threshold: int = _setting(
        65536, _whole(0, 16 * 1024 * 1024), "Largest content in bytes that is kept inside the database."
    )
    drain_timeout_s: float = _setting(
        30.0, _seconds, "Seconds that running requests have to finish after SIGTERM.", shown="30"
    )
    body_idle_timeout_s: float = _setting(
        60.0, _seconds, "Seconds that a request or its body may stand still before it is given up.", shown="60"
    )
    keepalive_timeout_s: float = _setting(
        75.0, _seconds, "Seconds that an idle connection is kept for its next request.", shown="75"
    )
    retention_s: float = _setting(
        604800.0, _seconds, "Seconds that a deleted branch can be restored for.", shown="604800"
    )
    upload_expiry_s: float = _setting(
        604800.0, _seconds, "Seconds after which an upload, completed or not, is forgotten.", shown="604800"
    )
    gc_grace_s: float = _setting(
        86400.0,
        _seconds,
        "Seconds that bytes stay which nothing refers to. Never less than a write may take from its last byte to its "
        "commit: what is collected in between is lost.",
        shown="86400",
    )
    gc_interval_s: float = _setting(
        3600.0, _seconds, "Seconds from one collection of garbage to the next; 0: never.", shown="3600"
    )
    max_header_bytes: int = _setting(
        16384, _whole(1024, 1024 * 1024), "Longest request line and longest header field, in bytes."
    )
    webhook_allow: tuple[str, ...] = _setting(
        (),
        _destinations,
        "Hosts and networks (CIDR) that webhooks may lead to beside public addresses, separated by commas.",
        shown="",
    )
    console_port: int | None = _setting(
        None, _whole(0, 65535), "Port of the console and its job API; 0 takes a free one.", shown="no console"
    )
    console_host: str = _setting(
        "127.0.0.1", _text, "Address that the console listens on. Beyond this machine its job API needs console_token."
    )
    console_token: str | None = _setting(
        None,
        _token,
        "Bearer token that the job API asks for; without one it answers this machine alone.",
        shown="",
        has_flag=False,
        secret=True,
    )
    uploads: Path | None = _setting(
        None, _path, "Folder that sync jobs read from; made if there is none. Without it they are refused.", shown=""
    )
    storage_allow: tuple[str, ...] = _setting(
        (),
        _destinations,
        "Hosts and networks (CIDR) of other S3 endpoints that sync jobs may write to, separated by commas.",
        shown="",
    )
    sync_deletes_bucket: bool = _setting(
        True, _switch, "Whether a job whose source is absent or empty deletes its bucket: on or off.", shown="on"
    )
    log_level: str = _setting("info", _log_level, "error, warning, info or debug.")
    access_log: str = _setting(
        "on", _text, "One JSON line per request: on (standard error), off, or a file to append to."
    )
    root_access_key: str | None = _setting(
        None, _access_key, "Root's access key, in place of the one kept in the data folder.", shown="", has_flag=False
    )
    root_secret_key: str | None = _setting(
        None, _secret_key, "Root's secret key, with root_access_key.", shown="", has_flag=False, secret=True
    )
    secret_keys: str | None = _setting(
        None,
        _text,
        "Keys that people's secrets are encrypted with: 64 hex digits each, the newest first.",
        shown="kept in the data folder",
        has_flag=False,
        secret=True,
    )
    accounts: tuple[Account, ...] = ()

    def __post_init__(self) -> None:
        if (self.tls_cert is None) != (self.tls_key is None):
            given, missing = ("tls_cert", "tls_key") if self.tls_key is None else ("tls_key", "tls_cert")
            raise ConfigError(f"{given} is set without {missing}: TLS needs both, plain HTTP neither")
        if (self.root_access_key is None) != (self.root_secret_key is None):
            raise ConfigError("root_access_key and root_secret_key go together: set both or neither")
        keys = Counter([account.access_key for account in self.accounts] + [self.root_access_key])
        repeated = sorted(key for key, count in keys.items() if key and count > 1)
        if repeated:
            raise ConfigError(f"accounts: the access key {repeated[0]!r} is given twice")

    @property
    def endpoint(self) -> str:
        """The URL under which a client on this machine reaches S3, once `s3_port` is a port and not 0."""
        return _local_url(self.host, self.s3_port, self.tls_cert is not None)

    @property
    def console_url(self) -> str | None:
        """The same for the console; None where there is none."""
        if self.console_port is None:
            return None
        return _local_url(self.console_host, self.console_port, self.tls_cert is not None)


def _local_url(host: str, port: int, is_tls: bool) -> str:
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
    return f"{'https' if is_tls else 'http'}://{f'[{host}]' if ':' in host else host}:{port}"


SETTINGS: tuple[Setting, ...] = tuple(
    Setting(name=row.name, **row.metadata) for row in fields(Config) if "parse" in row.metadata
)


# ---------------------------------------------------------------- from its four places


@dataclass(frozen=True, slots=True)
class Resolved:
    """A checked Config, and where each setting's value came from: a flag, a variable, a file, `default`."""

    config: Config
    origins: Mapping[str, str]


def resolve(flags: Mapping[str, str | None], environ: Mapping[str, str], file: Path | None = None) -> Resolved:
    """The settings in force. `flags` maps a setting's name to its text, None where it was not given.

    `file` is the TOML file, else CARET_CONFIG names it, else there is none. A variable set
    to nothing counts as not set. Raises ConfigError.
    """
    if file is None and environ.get(CONFIG_VARIABLE):
        file = Path(environ[CONFIG_VARIABLE])
    from_file, accounts = _read_file(file) if file is not None else ({}, ())
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for setting in SETTINGS:
        candidates = (
            (setting.flag or "", flags.get(setting.name)),
            (setting.variable, environ.get(setting.variable) or None),
            (str(file), from_file.get(setting.name)),
        )
        origin, text = next(((where, text) for where, text in candidates if text is not None), ("default", None))
        origins[setting.name] = origin
        if text is None:
            continue
        try:
            values[setting.name] = setting.parse(text)
        except ValueError as error:
            raise ConfigError(f"{setting.name} (from {origin}): {error}") from error
    return Resolved(Config(**values, accounts=accounts), origins)


def _read_file(path: Path) -> tuple[dict[str, str], tuple[Account, ...]]:
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"the configuration file {path} cannot be read: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"the configuration file {path} is not TOML: {error}") from error
    accounts = document.pop("accounts", [])
    known = {setting.name for setting in SETTINGS}
    for name in document:
        if name not in known:
            raise ConfigError(f"{path}: there is no setting {name!r}; docs/configuration.md lists them")
    return {name: _as_text(path, name, value) for name, value in document.items()}, _accounts(path, accounts)


def _as_text(path: Path, name: str, value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, str | int | float):
        return str(value)
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return ",".join(value)
    raise ConfigError(f"{path}: {name} must be text, a number or a list of texts")


def _accounts(path: Path, tables: object) -> tuple[Account, ...]:
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise ConfigError(f"{path}: accounts are tables, each headed [[accounts]]")
    names = [row.name for row in fields(Account)]
    accounts = []
    for table in tables:
        for name, value in table.items():
            if name not in names or not isinstance(value, str):
                raise ConfigError(f"{path}: {name!r} in [[accounts]] is none of the texts {', '.join(names)}")
        try:
            accounts.append(Account(**table))
        except TypeError as error:
            raise ConfigError(f"{path}: an account needs access_key, secret_key, id and display_name") from error
    return tuple(accounts)


# ---------------------------------------------------------------- to be read by people


def printable(setting: Setting, value: object) -> str:
    """A setting's value as text that may be shown: of secrets nothing, of URLs scheme, host and path."""
    if value is None or value == ():
        return ""
    if isinstance(value, tuple):
        return ", ".join(value)
    if isinstance(value, bool):
        return "on" if value else "off"
    if not setting.secret:
        return str(value)
    parts = urlsplit(str(value))
    if not parts.scheme:
        return _MASK
    host = f"{_MASK}@{parts.netloc.rpartition('@')[2]}" if "@" in parts.netloc else parts.netloc
    return f"{parts.scheme}://{host}{parts.path}" + (f"?{_MASK}" if parts.query else "")


def settings_table() -> str:
    """The table of docs/configuration.md, as Markdown."""
    rows = ["| TOML key | flag | variable | default | meaning |", "|---|---|---|---|---|"]
    for setting in SETTINGS:
        flag = f"`{setting.flag}`" if setting.flag else "none: it would show in the process list"
        rows.append(f"| `{setting.name}` | {flag} | `{setting.variable}` | {setting.default} | {setting.help} |")
    return "\n".join(rows) + "\n"
