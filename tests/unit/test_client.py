"""The typed client against its contract, and where it looks for a gateway."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_type_hints

import msgspec
import pytest

from gateway.api.endpoints import ENDPOINTS, Endpoint
from gateway.api.model import Input
from gateway.client import Client, NotConfigured, Reach
from gateway.client.environment import find

KEYS = {"CARET_ACCESS_KEY": "KEY", "CARET_SECRET_KEY": "secret"}


def plain(kind: type[Any]) -> dict[str, Any]:
    """The types of fields without what Annotated adds."""
    return get_type_hints(kind)


@pytest.mark.parametrize("endpoint", ENDPOINTS.values(), ids=lambda endpoint: endpoint.name)
def test_every_endpoint_has_a_method_with_its_fields(endpoint: Endpoint) -> None:
    method = getattr(Client, endpoint.name)
    parameters = list(inspect.signature(method).parameters.values())[1:]
    fields = {field.name: field for field in msgspec.structs.fields(endpoint.input)}
    assert {parameter.name for parameter in parameters} == set(fields)
    hints, types = get_type_hints(method), plain(endpoint.input)
    for parameter in parameters:
        field = fields[parameter.name]
        assert hints[parameter.name] == types[parameter.name], parameter.name
        if field.required:
            assert parameter.default is inspect.Parameter.empty
            continue
        default = field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()
        assert parameter.default == default, parameter.name
        assert parameter.kind is inspect.Parameter.KEYWORD_ONLY, parameter.name
    assert hints["return"] == (Iterator[endpoint.answer] if endpoint.streams else endpoint.answer or type(None))  # type: ignore[name-defined]


class Recorder:
    """In place of a Connection: keeps what it is asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def call(self, name: str, /, **fields: Any) -> None:
        self.asked.append((name, fields))

    follow = call


@pytest.mark.parametrize("endpoint", ENDPOINTS.values(), ids=lambda endpoint: endpoint.name)
def test_every_method_passes_all_its_parameters_on(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = Recorder()
    client = Client(find({"CARET_ENDPOINT": "http://127.0.0.1:1", **KEYS}))
    monkeypatch.setattr(client, "_connection", recorder)
    given = {name: object() for name in plain(endpoint.input)}
    getattr(client, endpoint.name)(**given)
    assert recorder.asked == [(endpoint.name, given)]


def test_what_has_its_default_is_not_sent() -> None:
    from gateway.client.connection import _encode

    assert _encode(ENDPOINTS["log"], {"repo": "photos", "limit": 100, "rev": "HEAD", "key": "a b"}) == (
        "/-/api/v1/repos/photos/commits",
        "key=a%20b",
        b"",
    )
    assert json.loads(_encode(ENDPOINTS["create_repo"], {"name": "photos", "default_branch": "main"})[2]) == {
        "name": "photos"
    }


def test_every_input_has_plain_names() -> None:
    for endpoint in ENDPOINTS.values():
        assert issubclass(endpoint.input, Input)
        assert all(field.name == field.encode_name for field in msgspec.structs.fields(endpoint.input))


# ---------------------------------------------------------------- where it looks


def kept(folder: Path) -> Path:
    folder.mkdir()
    document = {"access_key": "ROOT", "secret_key": "kept secret"}
    (folder / "root-credentials.json").write_text(json.dumps(document), encoding="utf-8")
    return folder


def parts(reach: Reach) -> tuple[str, str, str]:
    return reach.endpoint, reach.credentials.access_key, reach.credentials.secret


AWS = {"AWS_ENDPOINT_URL": "http://aws:1", "AWS_ACCESS_KEY_ID": "A", "AWS_SECRET_ACCESS_KEY": "aws secret"}


@pytest.mark.parametrize(
    ("environ", "given", "expected"),
    [
        ({"CARET_ENDPOINT": "http://c:1", **KEYS, **AWS}, {}, ("http://c:1", "KEY", "secret")),
        ({**KEYS, **AWS}, {"endpoint": "http://flag:1"}, ("http://flag:1", "KEY", "secret")),
        (AWS, {}, ("http://aws:1", "A", "aws secret")),
        ({**AWS, "AWS_ENDPOINT_URL_S3": "http://s3:1"}, {}, ("http://s3:1", "A", "aws secret")),
        ({**AWS, "CARET_ENDPOINT": ""}, {}, ("http://aws:1", "A", "aws secret")),
        ({**AWS, "CARET_SECRET_KEY": "s"}, {"access_key": "FLAG"}, ("http://aws:1", "FLAG", "s")),
        (AWS, {"access_key": "FLAG"}, ("http://aws:1", "FLAG", "aws secret")),
    ],
)
def test_what_comes_first_counts(
    environ: dict[str, str], given: dict[str, str], expected: tuple[str, str, str], tmp_path: Path
) -> None:
    folder = kept(tmp_path / "data")
    assert parts(find({**environ, "CARET_DATA": str(folder)}, **given)) == expected  # type: ignore[arg-type]


def test_roots_kept_credentials_serve_on_this_machine(tmp_path: Path) -> None:
    folder = kept(tmp_path / "data")
    assert parts(find({}, data=folder)) == ("http://127.0.0.1:9000", "ROOT", "kept secret")
    assert parts(find({"CARET_DATA": str(folder), "CARET_ENDPOINT": "http://x:1"}))[0] == "http://x:1"


def test_the_data_folder_is_by_default_the_one_of_serve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept(tmp_path / "data")
    monkeypatch.chdir(tmp_path)
    assert parts(find({}))[1] == "ROOT"


def test_a_session_and_region_and_certificates_come_from_the_variables_of_aws() -> None:
    extra = {"AWS_SESSION_TOKEN": "token", "AWS_DEFAULT_REGION": "eu-central-1", "AWS_CA_BUNDLE": "ca.pem"}
    reach = find({**AWS, **extra})
    assert (reach.credentials.token, reach.region, reach.ca_bundle) == ("token", "eu-central-1", "ca.pem")
    assert find({**AWS, **extra, **KEYS}).credentials.token is None, "a token belongs to its own pair"


@pytest.mark.parametrize(
    ("environ", "given", "missing"),
    [
        ({}, {}, ["CARET_ENDPOINT", "CARET_ACCESS_KEY and CARET_SECRET_KEY"]),
        (KEYS, {}, ["CARET_ENDPOINT"]),
        ({"CARET_ENDPOINT": "http://c:1"}, {}, ["an access key"]),
        ({"CARET_ENDPOINT": "http://c:1"}, {"access_key": "FLAG"}, ["the secret of the access key FLAG"]),
        ({"CARET_ACCESS_KEY": "KEY"}, {}, ["CARET_ACCESS_KEY is set without CARET_SECRET_KEY"]),
        ({"AWS_SECRET_ACCESS_KEY": "KEY"}, {}, ["AWS_SECRET_ACCESS_KEY is set without AWS_ACCESS_KEY_ID"]),
    ],
)
def test_what_is_missing_is_named(
    environ: dict[str, str], given: dict[str, str], missing: list[str], tmp_path: Path
) -> None:
    with pytest.raises(NotConfigured) as raised:
        find({**environ, "CARET_DATA": str(tmp_path)}, **given)  # type: ignore[arg-type]
    assert all(text in str(raised.value) for text in missing), raised.value


def test_kept_credentials_that_are_broken_are_told(tmp_path: Path) -> None:
    (tmp_path / "root-credentials.json").write_text("{")
    with pytest.raises(NotConfigured, match="does not hold"):
        find({}, data=tmp_path)


def test_secrets_are_not_shown() -> None:
    assert "aws secret" not in repr(find(AWS))
