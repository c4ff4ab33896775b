"""What SRC and DST of `caret sync` mean: the rule of the trailing slash, and which endpoint is asked as whom.

    SRC         brings     to s3://b/p or s3://b/p/, or to a folder alike
    dir         dir/…      p/dir/…
    dir/        …          p/…
    dir/file    file       p/file

`.`, `..` and a whole bucket are meant as if they ended in a slash. A single file keeps its name, and so DST is
something that it goes into (a bucket, what ends in a slash, a folder that is there), or ends in that very name.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from gateway.client import Credentials, Reach, Refusal
from gateway.client.connection import Connection
from gateway.client.endpoint import parse_endpoint
from gateway.client.environment import DEFAULT_REGION
from gateway.s3.bucket import parse_bucket
from gateway.s3.errors import InvalidBucketName
from gateway.sync import Bucket, Filter, Folder, Side

_S3 = "s3://"
_CONTENTS = ("", ".", "..")


class WrongSide(ValueError):
    """SRC or DST cannot be meant so; the message says what can."""


# ---------------------------------------------------------------- as they are written


@dataclass(frozen=True, slots=True)
class Location:
    """`path`: a key's beginning or, where there is no bucket, a path of this machine; as it was written."""

    bucket: str | None
    path: str

    def __str__(self) -> str:
        return (self.path or ".") if self.bucket is None else f"{_S3}{self.bucket}/{self.path}"

    @property
    def name(self) -> str:
        """What is behind the last slash; "" where that is nothing that could be called so."""
        last = self.path.rpartition("/")[2]
        return "" if last in _CONTENTS else last

    @property
    def parent(self) -> Location:
        """Without its name: what it lies in."""
        return Location(self.bucket, self.path[: len(self.path) - len(self.name)])

    @property
    def inside(self) -> Location:
        """It as something that others lie in: its path ends in a slash, or is empty."""
        if self.path == "" or self.path.endswith("/"):
            return self
        return Location(self.bucket, f"{self.path}/")


def parse_location(text: str) -> Location:
    """Raises WrongSide."""
    if not text.startswith(_S3):
        if not text:
            raise WrongSide("an empty text is no path; `.` is the folder where you are")
        return Location(None, text)
    bucket, _, path = text.removeprefix(_S3).partition("/")
    if not bucket:
        raise WrongSide(f"{text!r} names no bucket: write s3://BUCKET or s3://BUCKET/PREFIX")
    return Location(bucket, path)


@dataclass(frozen=True, slots=True)
class Ends:
    """From where to where, both as `Location.inside`; `only` is the one file that is meant, else all are."""

    source: Location
    destination: Location
    only: str | None = None


def parse_ends(source: Location, destination: Location, *, is_file: bool, is_folder: bool) -> Ends:
    """The rule of the trailing slash. `is_file`: the source is a single one. `is_folder`: the destination is there,
    and others can lie in it. Raises WrongSide."""
    if not is_file:
        into = destination.inside
        return Ends(source.inside, Location(into.bucket, f"{into.path}{source.name}").inside)
    if is_folder or not destination.name:
        return Ends(source.parent, destination.inside, source.name)
    if destination.name == source.name:
        return Ends(source.parent, destination.parent, source.name)
    raise WrongSide(
        f"{source} is a single file, and keeps its name: {destination}/ puts it there as {destination}/{source.name}"
    )


def check_apart(ends: Ends) -> None:
    """For two folders, or two prefixes of one bucket. Raises WrongSide where one lies in the other."""
    source, destination = ends.source.path, ends.destination.path
    if ends.source.bucket is None:
        source, destination = _real(source), _real(destination)
    if source.startswith(destination) or destination.startswith(source):
        raise WrongSide(f"{ends.source} and {ends.destination} lie in one another; sync what lies apart")


def _real(path: str) -> str:
    return os.path.join(os.path.realpath(path), "")


# ---------------------------------------------------------------- whom they are asked of


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a side's bucket is."""

    reach: Reach
    is_ours: bool


@dataclass(frozen=True, slots=True)
class Endpoints:
    """`gateway` finds this gateway, and is called where it is needed only. `elsewhere`: URLs by FROM and TO."""

    environ: Mapping[str, str]
    gateway: Callable[[], Reach]
    elsewhere: Mapping[str, str | None]

    def of(self, end: str, location: Location) -> Endpoint | None:
        """None for a path of this machine. Raises WrongSide."""
        url = self.elsewhere[end]
        if location.bucket is None:
            if url:
                raise WrongSide(f"--{end.lower()}-endpoint is for buckets; {location} is a path of this machine")
            return None
        return self._foreign(end, url) if url else Endpoint(self.gateway(), is_ours=True)

    def _foreign(self, end: str, url: str) -> Endpoint:
        option, names = f"--{end.lower()}-endpoint", (f"CARET_{end}_ACCESS_KEY", f"CARET_{end}_SECRET_KEY")
        try:
            parse_endpoint(url)
        except ValueError as error:
            raise WrongSide(f"{option}: {error}") from error
        missing = [name for name in names if not self.environ.get(name)]
        if missing:
            raise WrongSide(
                f"{option} needs keys of its own, for this gateway's are sent nowhere else: set {' and '.join(missing)}"
            )
        access_key, secret_key = (self.environ[name] for name in names)
        keys = Credentials(access_key, secret_key, self.environ.get(f"CARET_{end}_SESSION_TOKEN") or None)
        region = self.environ.get(f"CARET_{end}_REGION") or DEFAULT_REGION
        return Endpoint(Reach(url, keys, region, self.environ.get("AWS_CA_BUNDLE") or None), is_ours=False)


@dataclass(frozen=True, slots=True)
class Sides:
    """What the engine is given. `filters` come before the user's, or stand alone where a single file is meant."""

    source: Side
    destination: Side
    only: str | None

    @property
    def filters(self) -> tuple[Filter, ...]:
        if self.only is None:
            return ()
        return (Filter("*", is_included=False), Filter(glob.escape(self.only), is_included=True))

    def sparing(self, file: Path) -> tuple[Filter, ...]:
        """Filters that leave a file alone, with those beside it whose names begin alike, where it lies in a side."""
        folders = [side.path.resolve() for side in (self.source, self.destination) if isinstance(side, Folder)]
        real = file.resolve()
        inner = [real.relative_to(folder) for folder in folders if real.is_relative_to(folder)]
        return tuple(Filter(f"{glob.escape(path.as_posix())}*", is_included=False) for path in inner)


def resolve(source: str, destination: str, endpoints: Endpoints) -> Sides:
    """Looks whether the source is a single file. Raises WrongSide, Refusal and Unreachable."""
    origin, target = parse_location(source), parse_location(destination)
    asked, told = endpoints.of("FROM", origin), endpoints.of("TO", target)
    _check_bucket(origin, asked, is_written=False)
    _check_bucket(target, told, is_written=True)
    is_folder = target.bucket is None and os.path.isdir(target.path)
    ends = parse_ends(origin, target, is_file=_is_file(origin, asked), is_folder=is_folder)
    if origin.bucket == target.bucket and asked == told:
        check_apart(ends)
    return Sides(_side(ends.source, asked), _side(ends.destination, told), ends.only)


def _check_bucket(location: Location, endpoint: Endpoint | None, *, is_written: bool) -> None:
    """Raises WrongSide for what this gateway has no bucket of, or a past state that would be written to."""
    if endpoint is None or not endpoint.is_ours:
        return
    assert location.bucket is not None
    try:
        name = parse_bucket(location.bucket)
    except InvalidBucketName as error:
        raise WrongSide(f"{location.bucket!r} is no bucket's name: {error}") from error
    if is_written and name.is_snapshot:
        raise WrongSide(
            f"{location.bucket} is a past state, which nothing changes; "
            f"{_S3}{name.branch}.{name.repo}/{location.path} is the branch that can be written to"
        )


def _is_file(source: Location, endpoint: Endpoint | None) -> bool:
    if endpoint is not None:
        return bool(source.name) and _is_object(source, endpoint.reach)
    if os.path.isdir(source.path):
        return False
    if not os.path.lexists(source.path):
        raise WrongSide(f"there is no {source}")
    if not source.name or not os.path.isfile(source.path):
        raise WrongSide(f"{source} is neither a folder nor a file")
    return True


def _is_object(source: Location, reach: Reach) -> bool:
    connection = Connection(reach.endpoint, reach.credentials, region=reach.region, ca_bundle=reach.ca_bundle)
    try:
        connection.send("HEAD", f"/{source.bucket}/{quote(source.path, safe='/-_.~')}")
    except Refusal as refusal:
        if refusal.status in (403, 404):  # who may not look at it may perhaps list it
            return False
        raise
    finally:
        connection.close()
    return True


def _side(location: Location, endpoint: Endpoint | None) -> Side:
    if endpoint is None:
        return Folder(Path(location.path or "."))
    assert location.bucket is not None
    return Bucket(endpoint.reach, location.bucket, location.path, is_ours=endpoint.is_ours)
