"""CORS: rules kept with the bucket, preflights answered, answers that a browser lets a page read."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.forms import CONTENT_TYPE, form_body

from .raw import Raw, Reply
from .refusals import refused
from .server import Server

ORIGIN = "https://app.example.org"
RULE = {
    "ID": "app",
    "AllowedOrigins": ["https://*.example.org"],
    "AllowedMethods": ["GET", "PUT"],
    "AllowedHeaders": ["content-type", "x-amz-*"],
    "ExposeHeaders": ["ETag", "x-amz-version-id"],
    "MaxAgeSeconds": 600,
}
ALLOWED = {
    "access-control-allow-origin": ORIGIN,
    "access-control-allow-methods": "GET",
    "access-control-expose-headers": "ETag, x-amz-version-id",
    "access-control-max-age": "600",
    "access-control-allow-credentials": "true",
    "vary": "Origin, Access-Control-Request-Headers, Access-Control-Request-Method",
}


@pytest.fixture
def shared(s3: Any, bucket: str) -> str:
    """A bucket with RULE, and the key `k`."""
    s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [RULE]})
    s3.put_object(Bucket=bucket, Key="k", Body=b"v")
    return bucket


def preflight(
    raw: Raw, target: str, method: str | None = "GET", origin: str | None = ORIGIN, headers: str = ""
) -> Reply:
    asked = {
        "Origin": origin,
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": headers or None,
    }
    sent = {name: value for name, value in asked.items() if value is not None}
    return raw.request("OPTIONS", target, sent, sign=False)


def told(reply: Reply) -> dict[str, str]:
    """What the browser is told."""
    return {
        name: value for name, value in reply.headers.items() if name.startswith("access-control-") or name == "vary"
    }


# ---------------------------------------------------------------- the rules


def test_rules_are_kept_given_back_and_deleted(s3: Any, bucket: str) -> None:
    with refused("NoSuchCORSConfiguration", 404):
        s3.get_bucket_cors(Bucket=bucket)
    second = {"AllowedOrigins": ["*"], "AllowedMethods": ["HEAD"]}
    s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [RULE, second]})
    assert s3.get_bucket_cors(Bucket=bucket)["CORSRules"] == [RULE, second]
    s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [second]})
    assert s3.get_bucket_cors(Bucket=bucket)["CORSRules"] == [second]
    s3.delete_bucket_cors(Bucket=bucket)
    s3.delete_bucket_cors(Bucket=bucket)
    with refused("NoSuchCORSConfiguration", 404):
        s3.get_bucket_cors(Bucket=bucket)


def test_rules_make_no_commit(s3: Any, shared: str) -> None:
    versions = s3.list_object_versions(Bucket=shared)["Versions"]
    s3.delete_bucket_cors(Bucket=shared)
    assert s3.list_object_versions(Bucket=shared)["Versions"] == versions


def test_rules_that_s3_does_not_know_are_refused(s3: Any, bucket: str) -> None:
    with refused("InvalidRequest", 400):
        s3.put_bucket_cors(
            Bucket=bucket, CORSConfiguration={"CORSRules": [{"AllowedOrigins": ["*"], "AllowedMethods": ["PATCH"]}]}
        )


def test_a_missing_bucket_has_no_rules(s3: Any, raw: Raw, name: str) -> None:
    with refused("NoSuchBucket", 404):
        s3.get_bucket_cors(Bucket=name)
    with refused("NoSuchBucket", 404):
        s3.delete_bucket_cors(Bucket=name)
    assert preflight(raw, f"/{name}").code == "NoSuchBucket"


# ---------------------------------------------------------------- preflights


@pytest.mark.parametrize("path", ["", "/", "/k", "/not-there", "/k?uploadId=u&partNumber=1", "?versions"])
def test_a_preflight_is_answered_without_a_signature(raw: Raw, shared: str, path: str) -> None:
    reply = preflight(raw, f"/{shared}{path}", headers="Content-Type, x-amz-date")
    assert (reply.status, reply.body) == (200, b"")
    assert told(reply) == ALLOWED | {"access-control-allow-headers": "content-type, x-amz-date"}


@pytest.mark.parametrize(
    "asked",
    [
        {"origin": "https://example.com"},
        {"method": "DELETE"},
        {"headers": "x-amz-date, x-other"},
    ],
)
def test_a_preflight_for_what_no_rule_allows_is_refused(raw: Raw, shared: str, asked: dict[str, str]) -> None:
    reply = preflight(raw, f"/{shared}/k", **asked)
    assert (reply.status, reply.code) == (403, "AccessForbidden")
    assert reply.xml["Message"].startswith("CORSResponse: This CORS request is not allowed.")
    assert reply.xml["ResourceType"] == "OBJECT"
    assert told(reply) == {}


def test_a_preflight_for_a_bucket_without_rules_is_refused(raw: Raw, bucket: str) -> None:
    reply = preflight(raw, f"/{bucket}")
    assert (reply.status, reply.code) == (403, "AccessForbidden")
    assert reply.xml["Message"] == "CORSResponse: CORS is not enabled for this bucket."


@pytest.mark.parametrize("asked", [{"origin": None}, {"method": None}, {"method": "PATCH"}])
def test_half_a_preflight_is_refused(raw: Raw, shared: str, asked: dict[str, Any]) -> None:
    reply = preflight(raw, f"/{shared}", **asked)
    assert (reply.status, reply.code) == (400, "BadRequest")


def test_a_presigned_url_tells_in_whose_project_its_bucket_is(serve: Callable[..., Server], tmp_path: Path) -> None:
    """A preflight bears no signature that could be verified, and needs none."""
    accounts = tmp_path / "accounts.toml"
    accounts.write_text(
        '[[accounts]]\naccess_key = "other-key"\nsecret_key = "other-secret"\n'
        'id = "other"\ndisplay_name = "Other"\nproject = "other"\n'
    )
    server = serve(environment={"CARET_CONFIG": str(accounts)}, workers=1)
    client = server.client(access_key="other-key", secret_key="other-secret")
    client.create_bucket(Bucket="theirs")
    client.put_bucket_cors(Bucket="theirs", CORSConfiguration={"CORSRules": [RULE]})
    url = urlsplit(client.generate_presigned_url("put_object", Params={"Bucket": "theirs", "Key": "k"}))
    raw = Raw(server)
    assert preflight(raw, f"{url.path}?{url.query}", "PUT").status == 200
    assert preflight(raw, url.path, "PUT").code == "NoSuchBucket"
    made_up = preflight(raw, f"{url.path}?{url.query.replace('other-key', 'made-up')}", "PUT")
    assert made_up.code == "NoSuchBucket"


# ---------------------------------------------------------------- answers


def test_an_answer_tells_the_browser(raw: Raw, shared: str) -> None:
    reply = raw.request("GET", f"/{shared}/k", unsigned={"Origin": ORIGIN})
    assert (reply.status, reply.body) == (200, b"v")
    assert told(reply) == ALLOWED


@pytest.mark.parametrize(
    ("target", "sign", "status"),
    [("k", True, 200), ("absent", True, 404), ("k", False, 403)],
    ids=["200", "404", "403"],
)
def test_errors_tell_the_browser_too(raw: Raw, shared: str, target: str, sign: bool, status: int) -> None:
    reply = raw.request("GET", f"/{shared}/{target}", unsigned={"Origin": ORIGIN}, sign=sign)
    assert (reply.status, told(reply)) == (status, ALLOWED)


def test_a_wrong_signature_tells_the_browser_too(raw: Raw, shared: str) -> None:
    reply = raw.request("GET", f"/{shared}/k", unsigned={"Origin": ORIGIN}, secret_key="wrong")
    assert (reply.code, told(reply)) == ("SignatureDoesNotMatch", ALLOWED)


def test_the_method_is_the_requests_own_or_the_one_it_asks_for(raw: Raw, shared: str) -> None:
    put = raw.request("PUT", f"/{shared}/new", unsigned={"Origin": ORIGIN}, body=b"v")
    assert put.headers["access-control-allow-methods"] == "PUT"
    asked = {"Origin": ORIGIN, "Access-Control-Request-Method": "GET"}
    assert raw.request("DELETE", f"/{shared}/new", unsigned=asked).headers["access-control-allow-methods"] == "GET"


@pytest.mark.parametrize(("method", "origin"), [("HEAD", ORIGIN), ("GET", "https://example.com")])
def test_an_answer_that_no_rule_allows_only_tells_caches(raw: Raw, shared: str, method: str, origin: str) -> None:
    reply = raw.request(method, f"/{shared}/k", unsigned={"Origin": origin})
    assert reply.status == 200
    assert told(reply) == {"vary": ALLOWED["vary"]}


def test_all_origins_are_allowed_as_such(s3: Any, raw: Raw, shared: str) -> None:
    rules = {"CORSRules": [{"AllowedOrigins": ["*"], "AllowedMethods": ["GET"]}]}
    s3.put_bucket_cors(Bucket=shared, CORSConfiguration=rules)
    reply = raw.request("GET", f"/{shared}/k", unsigned={"Origin": "null"})
    assert reply.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in reply.headers


def test_a_request_without_an_origin_is_told_nothing(raw: Raw, shared: str) -> None:
    assert told(raw.request("GET", f"/{shared}/k")) == {}


def test_buckets_that_are_none_have_no_rules_to_tell(raw: Raw, name: str) -> None:
    for target in ("/", f"/{name}/k", "/No_Bucket/k"):
        reply = raw.request("GET", target, unsigned={"Origin": ORIGIN})
        assert told(reply) == {}, json.dumps(dict(reply.headers))


def test_a_form_upload_tells_the_browser(s3: Any, raw: Raw, bucket: str) -> None:
    rules = {"CORSRules": [{"AllowedOrigins": [ORIGIN], "AllowedMethods": ["POST"]}]}
    s3.put_bucket_cors(Bucket=bucket, CORSConfiguration=rules)
    headers = {"Origin": ORIGIN, "Content-Type": CONTENT_TYPE}
    reply = raw.request("POST", f"/{bucket}", headers, form_body({"key": "k"}), sign=False)
    assert (reply.status, reply.headers["access-control-allow-origin"]) == (403, ORIGIN)
