"""The buckets that jobs may write to: of this gateway, and of endpoints that the operator allows."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from gateway.access.destinations import Destinations, ForbiddenDestination, host_of
from gateway.config import Config
from gateway.s3.bucket import check_new_bucket
from gateway.s3.errors import InvalidBucketName

_LOCALHOST = frozenset({"localhost", "127.0.0.1", "::1"})
_EVERYWHERE = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared, not bound
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_LOOK_UP_S = 5.0


class BadTarget(ValueError):
    """No such destination can be, or is allowed; the message says why, `at` which parameter is wrong."""

    def __init__(self, at: str, why: str) -> None:
        self.at = at
        super().__init__(why)


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Another endpoint: its URL without a path, and the IP address that its name leads to now."""

    url: str
    address: str


def storage_destinations(config: Config) -> Destinations:
    return Destinations.parse(config.storage_allow, is_named_only=True, allowed_by="storage_allow")


def find_storage(config: Config, storage_url: str) -> Elsewhere | None:
    """None for this gateway. Looks a name up. Raises BadTarget."""
    if not storage_url:
        return None
    try:
        host, port = host_of(storage_url)
    except ValueError as exc:
        raise BadTarget("storage_url", f"storage_url {exc}.") from exc
    scheme, _, rest = storage_url.partition("://")
    if rest.rstrip("/").partition("/")[2] or "?" in rest:
        raise BadTarget("storage_url", "storage_url is an endpoint, such as http://127.0.0.1:9000, without a path.")
    if _is_ours(config, scheme, host.lower(), port):
        return None
    address = _address(host, port, storage_destinations(config))
    return Elsewhere(f"{scheme}://{rest.rstrip('/').lower()}", address)


def check_address(config: Config, url: str, address: str) -> None:
    """Whether it is still allowed to connect there. Raises BadTarget."""
    try:
        storage_destinations(config).check_name(host_of(url)[0], [address])
    except ForbiddenDestination as exc:
        raise BadTarget("storage_url", f"{url} cannot be used any more: {exc.strerror}.") from exc


def check_bucket(dest: str, storage: Elsewhere | None) -> None:
    """Raises BadTarget for what no bucket there can be called, and for snapshots, which are read-only."""
    if storage is None:
        try:
            check_new_bucket(dest)
        except InvalidBucketName as exc:
            raise BadTarget("dest", exc.detail) from exc
    elif not _BUCKET.fullmatch(dest):
        raise BadTarget("dest", f"{dest!r} is no bucket's name.")


def target_here(project: str, dest: str, default_branch: Callable[[str], str]) -> str:
    """Of all spellings of a bucket of this gateway the same. `default_branch`: of a repo, given its name."""
    name = check_new_bucket(dest)
    return f"{project}/{name.branch or default_branch(name.repo)}.{name.repo}"


def target_elsewhere(storage: Elsewhere, dest: str) -> str:
    host, port = host_of(storage.url)
    return f"{storage.url.partition(':')[0]}://{host}:{port}/{dest}"


def _is_ours(config: Config, scheme: str, host: str, port: int) -> bool:
    if host in config.domain:
        return True
    names = {config.host, host_of(config.endpoint)[0]}
    if names & (_LOCALHOST | _EVERYWHERE):
        names |= _LOCALHOST
    return (scheme, port) == (config.endpoint.partition(":")[0], config.s3_port) and host in names


def _address(host: str, port: int, allowed: Destinations) -> str:
    """Raises BadTarget where it has none, or any that is not allowed."""
    look_up = ThreadPoolExecutor(1, thread_name_prefix="look-up")
    try:
        found = look_up.submit(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM).result(_LOOK_UP_S)
        addresses = [str(info[4][0]) for info in found]
        allowed.check_name(host, addresses)
    except ForbiddenDestination as exc:
        raise BadTarget("storage_url", f"storage_url cannot be used: {exc.strerror}.") from exc
    except (OSError, TimeoutError, UnicodeError) as exc:
        raise BadTarget("storage_url", f"storage_url cannot be used: {host} is not known.") from exc
    finally:
        look_up.shutdown(wait=False)
    return addresses[0]
