"""The job API's requests: parameters from query, form or JSON, and a new job from them. Raises ApiError throughout."""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from functools import partial
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from aiohttp import web

from gateway.access.chain import Record
from gateway.access.keyring import Credential
from gateway.access.principals import ROOT
from gateway.api.errors import ApiError
from gateway.client import Client, Credentials, Reach, Refusal
from gateway.config import Config
from gateway.sync.job import Job, NewJob
from gateway.sync.model import Folder
from gateway.sync.sources import BadSource, NoUploads, find_source, is_without_files
from gateway.sync.targets import BadTarget, Elsewhere, check_bucket, find_storage, target_elsewhere, target_here
from gateway.web.job_access import record
from gateway.web.job_model import LONGEST_WAIT_S, Asked
from gateway.web.site import SITE, Site

_MOST_PARAMETERS = 20
_ID = re.compile(r"[1-9][0-9]{0,17}")
_FIRST_BRANCH = "main"  # of a repo that a bucket makes


# ---------------------------------------------------------------- parameters


async def parameters(request: web.Request) -> Mapping[str, Any]:
    """Of the query, and of a body that is a form or a JSON object; each once."""
    given = _pairs(request.raw_path.partition("?")[2], "query")
    body = await request.read() if request.can_read_body else b""
    if body:
        given += _body(request.content_type, body)
    names = [name for name, _ in given]
    if len(set(names)) < len(names):
        raise ApiError("InvalidArgument", "A parameter is given twice.", at="query")
    return dict(given)


def _body(kind: str, body: bytes) -> list[tuple[str, Any]]:
    if kind == "application/x-www-form-urlencoded":
        try:
            return _pairs(body.decode(), "body")
        except UnicodeDecodeError as exc:
            raise ApiError("InvalidBody", "The form is not UTF-8.") from exc
    if kind != "application/json":
        raise ApiError("InvalidBody", "A body is a form (application/x-www-form-urlencoded) or JSON.")
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise ApiError("InvalidBody", "The body is not JSON.") from exc
    if not isinstance(found, dict):
        raise ApiError("InvalidBody", "The body is not a JSON object.")
    return list(found.items())


def _pairs(text: str, at: str) -> list[tuple[str, Any]]:
    try:
        return list(
            parse_qsl(
                text,
                keep_blank_values=True,
                strict_parsing=bool(text),
                errors="strict",
                max_num_fields=_MOST_PARAMETERS,
            )
        )
    except ValueError as exc:
        raise ApiError("InvalidArgument", "The parameters are no name=value&… in UTF-8.", at=at) from exc


def job_id(value: object) -> int:
    """A whole number from 1 on."""
    text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    if not _ID.fullmatch(text):
        raise ApiError("InvalidArgument", "id is not a job's number.", at="id")
    return int(text)


def only_id(given: Mapping[str, Any]) -> int:
    if set(given) != {"id"}:
        raise ApiError("InvalidArgument", "This takes id, and nothing else.", at="query")
    return job_id(given["id"])


def asked(given: Mapping[str, Any], *, is_text: bool) -> Asked:
    """`is_text`: values come as texts, and what is empty counts as not given, but for names."""
    if is_text:
        given = {name: value for name, value in given.items() if value != "" or name in ("source", "dest")}
    try:
        return msgspec.convert(given, Asked, strict=not is_text)
    except msgspec.ValidationError as exc:
        at = str(exc).partition("`$.")[2].rstrip("`")
        if at == "wait":
            raise ApiError("InvalidArgument", f"wait is no number of seconds up to {LONGEST_WAIT_S}.", at=at) from exc
        raise ApiError("InvalidArgument", f"The parameters do not do: {exc}.", at=at) from exc


# ---------------------------------------------------------------- jobs


async def start(request: web.Request, wanted: Asked, who: str, *, may_delete: bool = True) -> Job:
    """Durable when it returns, and begun soon. Unless it `may_delete`, a source without files is refused. Raises
    TargetBusy, Unreachable too."""
    site = request.app[SITE]
    known = site.keyring.find(wanted.access_key) if wanted.access_key else None
    job = await site.work(partial(_create, site, wanted, who, known, may_delete))
    site.worker.wake()
    about = {"job": job.id, "source": job.source, "storage_url": job.storage_url}
    await record(request, Record("StartSyncJob", who=who, bucket=job.dest, about=about))
    return job


async def cancel(request: web.Request, number: int, who: str) -> Job:
    """Raises UnknownJob."""
    site = request.app[SITE]
    job = await site.work(partial(site.jobs.cancel, number))
    site.worker.cancel(number)
    await record(request, Record("CancelSyncJob", who=who, bucket=job.dest, about={"job": number}))
    return job


def _create(site: Site, wanted: Asked, who: str, known: Credential | None, may_delete: bool) -> Job:
    """`known`: whose access_key it is here. Blocks. Raises TargetBusy, Unreachable too."""
    deletes = is_without_files(_source(site.config, wanted.source))
    if deletes and not may_delete:
        message = f"The folder {wanted.source} is absent or empty, and the bucket is not to be deleted."
        raise ApiError("InvalidArgument", message, at="source")
    storage = _storage(site.config, wanted)
    credentials = Credentials(wanted.access_key, wanted.secret_key) if wanted.access_key else None
    if storage is not None:
        target = target_elsewhere(storage, wanted.dest)
    else:
        project = _project(credentials, known)
        reach = site.reach(credentials or site.root)
        target = target_here(project, wanted.dest, partial(_default_branch, reach))
    new = NewJob(
        source=wanted.source,
        dest=wanted.dest,
        target=target,
        storage_url=storage.url if storage else "",
        address=storage.address if storage else None,
        deletes=deletes,
        wait_s=wanted.wait,
        who=who,
        credentials=credentials,
    )
    return site.jobs.create(new, site.worker.holder)


def _source(config: Config, source: str) -> Folder:
    if config.uploads is None:
        raise ApiError("NoUploads", "The setting uploads, the folder that jobs read from, is not set.", status=503)
    try:
        return find_source(config.uploads, source)
    except NoUploads as exc:
        raise ApiError("NoUploads", str(exc), status=503) from exc
    except BadSource as exc:
        raise ApiError("InvalidArgument", f"source {exc}.", at="source") from exc


def _storage(config: Config, wanted: Asked) -> Elsewhere | None:
    """None for this gateway."""
    if bool(wanted.access_key) != bool(wanted.secret_key):
        raise ApiError("InvalidArgument", "access_key and secret_key go together.", at="access_key")
    try:
        storage = find_storage(config, wanted.storage_url)
        check_bucket(wanted.dest, storage)
    except BadTarget as exc:
        raise ApiError("InvalidArgument", str(exc), at=exc.at) from exc
    if storage is not None and not wanted.access_key:
        message = "Another endpoint takes access_key and secret_key of its own: none of this gateway go there."
        raise ApiError("InvalidArgument", message, at="access_key")
    return storage


def _project(given: Credentials | None, known: Credential | None) -> str:
    """That buckets of this gateway are meant in."""
    if given is None:
        return ROOT.project
    if known is None or known.is_session or not hmac.compare_digest(known.secret.encode(), given.secret.encode()):
        message = "access_key and secret_key are no access key of this gateway, or a session's."
        raise ApiError("InvalidArgument", message, at="access_key")
    return known.principal.project


def _default_branch(reach: Reach, repo: str) -> str:
    try:
        with Client(reach) as caret:
            return caret.default_branch(repo)
    except Refusal:
        return _FIRST_BRANCH  # there is none yet; or the job will be told so
