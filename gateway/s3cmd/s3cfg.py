"""s3cmd's settings: read from `~/.s3cfg`, and handed on without credentials and with the endpoint of the session."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from gateway.s3cmd.exits import CONFIG, Leave

_DATA = re.compile(r"\s*(\w+)\s*=\s*(.*)")
_OURS = frozenset({"access_key", "secret_key", "access_token", "host_base", "host_bucket", "use_https"})


def read_s3cfg(named: str | None) -> Mapping[str, str]:
    """The file of this name, else the one that s3cmd takes: S3CMD_CONFIG or `~/.s3cfg`, which need not be there."""
    path = Path(named or os.environ.get("S3CMD_CONFIG") or Path.home() / ".s3cfg").expanduser()
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        if named is None:
            return {}
        raise Leave(CONFIG, f"there is no {path}.") from None
    except (OSError, UnicodeDecodeError) as exc:
        raise Leave(CONFIG, f"{path} cannot be read: {exc}") from exc
    lines = (_DATA.fullmatch(line) for line in text.splitlines() if not line.lstrip().startswith(("#", "[")))
    return {match[1]: match[2].strip() for match in lines if match}


def text(settings: Mapping[str, str], name: str) -> str:
    """A setting as s3cmd reads it: without quotes; `$NAME` is from the environment."""
    value = settings.get(name, "")
    if len(value) > 1 and value[0] == value[-1] == '"':
        value = value[1:-1]
    return os.environ.get(value[1:], "") if value.startswith("$") else value


def endpoint_of(settings: Mapping[str, str]) -> str:
    """The URL that the file names, "" where it names none."""
    host = text(settings, "host_base")
    scheme = "http" if text(settings, "use_https").lower() in ("false", "no", "0", "off") else "https"
    return f"{scheme}://{host}" if host else ""


def s3cfg_for(settings: Mapping[str, str], endpoint: str) -> str:
    """The file's text for s3cmd. The session's credentials are not in it: they come by the environment."""
    parts = urlsplit(endpoint)
    kept = {name: value for name, value in settings.items() if name not in _OURS}
    ours = {"host_base": parts.netloc, "host_bucket": parts.netloc, "use_https": str(parts.scheme == "https")}
    return "[default]\n" + "".join(f"{name} = {value}\n" for name, value in {**kept, **ours}.items())
