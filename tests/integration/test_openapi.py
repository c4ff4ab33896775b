"""The OpenAPI document is served, legal, and kept: schemathesis holds a real gateway to it, with good and bad input."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import hypothesis
import pytest
import requests
import schemathesis
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import content_type_conformance, not_a_server_error
from schemathesis.specs.openapi.checks import response_schema_conformance, status_code_conformance

from gateway.access.directory import Directory, open_directory
from gateway.access.rights import Right
from gateway.access.vault import open_vault
from gateway.api.endpoints import ENDPOINTS, PREFIX
from gateway.api.errors import CODES
from gateway.api.openapi import PATH, codes_of, openapi
from gateway.client.connection import Connection, Refusal
from gateway.s3.sigv4 import Credentials, sign_v4

from .refusals import refusal
from .server import Server, running

EXAMPLES = 12
CHECKS: Any = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
CALLABLE = sorted(name for name, endpoint in ENDPOINTS.items() if not endpoint.streams)

# What makes a call come further than to a name that nobody has, or to a head that never was.
TELLING: Mapping[str, Sequence[str]] = {
    "repo": ["photos"],
    "name": ["fresh"],
    "branch": ["main", "dev", "gone"],
    "default_branch": ["main"],
    "tag": ["v1"],
    "rev": ["HEAD", "dev", "dev^", "v1"],
    "before_rev": ["HEAD~2"],
    "after_rev": ["dev"],
    "key": ["k"],
    "pattern": ["gone"],
    "project": ["p11"],
    "user": ["ann"],
    "right": ["import"],
    "url": ["http://127.0.0.1:9/"],  # nobody listens there
}
USED_UP = {
    "DELETE",
    "PATCH",
    "commit_transaction",
    "disable_key",
}  # methods and endpoints whose good case comes only once
ID_FIELDS = {"id", "access_key"}
IN_THE_WAY = {"expected_head", "wait_s"}


class Signed(requests.auth.AuthBase):
    """Signs whatever requests is about to send."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        url, server = urlsplit(str(request.url)), self._server
        body = request.body or b""
        assert isinstance(body, str | bytes)
        request.headers.pop("Authorization", None)  # schemathesis makes one up
        headers, _ = sign_v4(
            Credentials(server.access_key, server.secret_key),
            str(request.method),
            url.path,
            url.query,
            {"host": url.netloc},
            now=datetime.now(UTC),
            region=server.region,
            payload_hash=hashlib.sha256(body.encode() if isinstance(body, str) else body).hexdigest(),
        )
        request.headers.update(headers)
        return request


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A gateway of this module's own: strangers make and delete what they like in it."""
    with running(
        Server(tmp_path_factory.mktemp("gateway") / "fuzzed", workers=1, options=("--webhook-allow", "127.0.0.1/32"))
    ) as server:
        yield server


@pytest.fixture(scope="module")
def clients(fuzzed: Server) -> Iterator[tuple[Connection, Any, Directory]]:
    with contextlib.closing(open_directory(fuzzed.data, None, open_vault(fuzzed.data))) as directory:
        yield fuzzed.api(), fuzzed.client(), directory


def populate(api: Connection, s3: Any, directory: Directory) -> Mapping[str, str]:
    """Makes the repo that `TELLING` speaks of, with branches that have parted, whatever has become of it before.

    So it does with the project and the user. The ids of a transaction, a webhook, a key and a session, by the path that
    they are found under.
    """
    with contextlib.suppress(Refusal):
        for known in api.call("list_protections", repo="photos").protections:
            api.call("unprotect", repo="photos", pattern=known.pattern)
    for repo in ("photos", "fresh"):
        with contextlib.suppress(Refusal):
            api.call("delete_repo", repo=repo)
    api.call("create_repo", name="photos")
    for key in ("k", "l"):
        s3.put_object(Bucket="photos", Key=key, Body=b"v")
    for name in ("dev", "gone"):
        api.call("create_branch", repo="photos", name=name)
    api.call("delete_branch", repo="photos", branch="gone")
    s3.put_object(Bucket="photos", Key="k", Body=b"ours")
    s3.put_object(Bucket="dev.photos", Key="m", Body=b"theirs")
    s3.put_object(Bucket="dev.photos", Key="k", Body=b"theirs")
    api.call("create_tag", repo="photos", name="v1", rev="HEAD^")
    api.call("protect", repo="photos", pattern="gone")
    with contextlib.suppress(Refusal):
        api.call("create_project", name="p11")
    with contextlib.suppress(Refusal):
        api.call("create_user", name="ann")
    api.call("grant", project="p11", user="ann", right="import")
    session = directory.begin_session("p11", "ann", frozenset({Right.IMPORT}), 900).session
    return {
        "keys": api.call("create_key", project="p11", user="ann").access_key,
        "sessions": session.access_key,
        "transactions": api.call("begin_transaction", repo="photos", branch="main").id,
        "webhooks": api.call("create_webhook", repo="photos", url="http://127.0.0.1:9/").id,
    }


def aim(case: Any, draw: Any, ids: Mapping[str, str]) -> None:
    """Has the case speak of what there is."""
    for name in ID_FIELDS & case.path_parameters.keys():
        case.path_parameters[name] = next(known for place, known in ids.items() if f"/{place}/" in case.path)
    for given in (case.path_parameters, case.query, case.body):
        if isinstance(given, dict):
            for name in IN_THE_WAY & given.keys():
                del given[name]
            for name in sorted(TELLING.keys() & given.keys()):
                given[name] = draw(st.sampled_from(TELLING[name]))


@pytest.mark.parametrize("name", CALLABLE)
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["good", "bad"])
def test_an_endpoint_answers_as_the_document_says(
    fuzzed: Server, clients: tuple[Connection, Any, Directory], name: str, mode: GenerationMode
) -> None:
    endpoint = ENDPOINTS[name]
    operation = schemathesis.openapi.from_dict(dict(openapi()))[PREFIX + endpoint.path][endpoint.method]
    ids = populate(*clients)
    session, statuses = requests.Session(), set[int]()

    @hypothesis.seed(4)
    @hypothesis.settings(
        max_examples=EXAMPLES,
        database=None,
        deadline=None,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(operation.as_strategy(generation_mode=mode), st.data())
    def answers_as_documented(case: Any, data: st.DataObject) -> None:
        nonlocal ids
        if USED_UP & {endpoint.method, endpoint.name}:
            ids = populate(*clients)
        if data.draw(st.integers(0, 3)):
            aim(case, data.draw, ids)
        response = case.call(base_url=fuzzed.url, session=session, auth=Signed(fuzzed))
        statuses.add(response.status_code)
        case.validate_response(response, checks=CHECKS)
        if response.status_code >= 400:
            code = response.json()["error"]["code"]
            assert code in codes_of(endpoint) or code not in CODES, code

    with session:
        answers_as_documented()
    if mode is GenerationMode.POSITIVE:
        assert endpoint.status in statuses, "no call came as far as to an answer"


def test_the_document_is_served_to_anyone(fuzzed: Server) -> None:
    status, headers, body = fuzzed.get(PATH)
    assert (status, headers["content-type"]) == (200, "application/json")
    assert json.loads(body) == openapi()
    with refusal("MethodNotAllowed"):
        fuzzed.api().send("POST", PATH)


def test_the_document_has_every_endpoint_with_all_its_codes() -> None:
    document = openapi()
    schemathesis.openapi.from_dict(dict(document)).validate()
    operations = {
        operation["operationId"]: operation for methods in document["paths"].values() for operation in methods.values()
    }
    assert operations.keys() == ENDPOINTS.keys()
    for name, endpoint in ENDPOINTS.items():
        answers = operations[name]["responses"]
        for code in endpoint.errors:
            assert code in answers[str(CODES[code])]["description"].split(", ")


def test_every_code_that_is_documented_for_an_endpoint_exists() -> None:
    for endpoint in ENDPOINTS.values():
        assert set(codes_of(endpoint)) <= CODES.keys()
