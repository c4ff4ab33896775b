"""Form uploads: policies and their signatures, and what a form says of the object."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.config import Config
from hypothesis import given
from hypothesis import strategies as st

from gateway.s3 import operations as op
from gateway.s3.address import build_request
from gateway.s3.errors import (
    AccessDenied,
    AuthorizationQueryParametersError,
    BadDigest,
    InvalidArgument,
    InvalidPolicyDocument,
    KeyTooLongError,
    MalformedXML,
    NotImplemented,
    S3Error,
    SignatureDoesNotMatch,
)
from gateway.s3.multipart_form import FormHead
from gateway.s3.parse_post import Form, post_object, read_form
from gateway.s3.post_policy import Condition, Policy, parse_policy, parse_policy_claim
from gateway.s3.render_access import post_object as render_post
from gateway.s3.response import Response
from tests.forms import BOUNDARY, encoded, form_body, policy_text
from tests.unit.s3.asking import ask

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
LATER = "2026-11-21T12:00:01Z"


# ---------------------------------------------------------------- policies


def policy(*conditions: Any, expiration: Any = LATER) -> Policy:
    return parse_policy(encoded({"expiration": expiration, "conditions": conditions}))


def test_a_policy() -> None:
    read = policy(
        {"bucket": "b"},
        ["eq", "$acl", "private"],
        ["starts-with", "$key", "user/"],
        ["content-length-range", 1, 100],
        expiration="2026-11-21T12:00:01.250Z",
    )
    assert read == Policy(
        NOW + timedelta(seconds=1.25),
        (
            Condition("eq", "bucket", "b"),
            Condition("eq", "acl", "private"),
            Condition("starts-with", "key", "user/"),
        ),
        (1, 100),
    )


def test_names_in_conditions_have_no_case() -> None:
    read = policy({"bUcKeT": "b"}, ["StArTs-WiTh", "$KeY", "Foo"], ["Content-Length-Range", "0", "9"])
    assert read.conditions == (Condition("eq", "bucket", "b"), Condition("starts-with", "key", "Foo"))
    assert read.sizes == (0, 9)


def test_of_several_sizes_the_narrowest_hold() -> None:
    assert policy(["content-length-range", 0, 10], ["content-length-range", 5, 20]).sizes == (5, 10)


def test_base64_may_be_folded() -> None:
    text = encoded({"expiration": LATER, "conditions": []})
    assert parse_policy("\n".join(text[at : at + 8] for at in range(0, len(text), 8))) == policy()


@pytest.mark.parametrize(
    "document",
    [
        {"expiration": LATER},
        {"conditions": []},
        {"expiration": LATER, "CONDITIONS": []},
        {"EXPIRATION": LATER, "conditions": []},
        {"expiration": LATER, "conditions": [], "more": 1},
        {"expiration": LATER, "conditions": {"acl": "private"}},
        {"expiration": "2026-11-21 12:00:01+00:00", "conditions": []},
        {"expiration": "Sat, 21 Nov 2026 12:00:00 GMT", "conditions": []},
        {"expiration": "2026-02-30T12:00:01Z", "conditions": []},
        {"expiration": 1763726400, "conditions": []},
        [],
        "text",
        None,
    ],
)
def test_documents_that_are_no_policy(document: Any) -> None:
    with pytest.raises(InvalidPolicyDocument):
        parse_policy(encoded(document))


@pytest.mark.parametrize(
    "condition",
    [
        {},
        {"acl": "private", "key": "k"},
        {"acl": 1},
        {"acl": None},
        ["eq", "$acl"],
        ["eq", "acl", "private"],
        ["eq", "$acl", ["private"]],
        ["ends-with", "$key", "x"],
        ["content-length-range", 0],
        ["content-length-range", -1, 0],
        ["content-length-range", 0, 1, 2],
        ["content-length-range", 0, True],
        ["content-length-range", 0.5, 1],
        [],
        [[]],
        "acl",
        7,
        None,
    ],
)
def test_conditions_that_are_none(condition: Any) -> None:
    with pytest.raises(InvalidPolicyDocument):
        policy(condition)


@given(st.one_of(st.text(max_size=40), st.binary(max_size=40).map(lambda data: base64.b64encode(data).decode())))
def test_what_is_no_policy_is_refused(text: str) -> None:
    with pytest.raises(InvalidPolicyDocument):
        parse_policy(text)


def test_a_policy_nested_without_end_is_refused() -> None:
    with pytest.raises(InvalidPolicyDocument):
        parse_policy(base64.b64encode(b"[" * 30_000).decode())


@pytest.mark.parametrize(
    ("condition", "fields", "holds"),
    [
        ({"acl": "private"}, {"acl": "private"}, True),
        ({"acl": "private"}, {"acl": "Private"}, False),
        ({"acl": "private"}, {}, False),
        (["starts-with", "$key", "foo"], {"key": "foo.txt"}, True),
        (["starts-with", "$key", "foo"], {"key": "bar"}, False),
        (["starts-with", "$key", ""], {"key": "anything"}, True),
        (["starts-with", "$tagging", ""], {}, True),
        (["starts-with", "$Content-Type", "image/"], {"content-type": "image/png, image/jpeg"}, True),
        (["starts-with", "$Content-Type", "image/"], {"content-type": "image/png,text/html"}, False),
        (["eq", "$x-amz-meta-foo", ""], {"x-amz-meta-foo": "bar"}, False),
    ],
)
def test_conditions(condition: Any, fields: dict[str, str], holds: bool) -> None:
    if holds:
        policy(condition).check(fields, NOW)
    else:
        with pytest.raises(AccessDenied, match="Policy Condition failed"):
            policy(condition).check(fields, NOW)


def test_a_policy_expires() -> None:
    policy().check({}, NOW)
    with pytest.raises(AccessDenied, match="expired"):
        policy().check({}, NOW + timedelta(seconds=1))


def test_every_field_needs_a_condition() -> None:
    with pytest.raises(AccessDenied, match=r"Extra input fields: bucket, x-amz-meta-a$"):
        policy({"key": "k"}).check({"key": "k", "x-amz-meta-a": "1", "bucket": "b"}, NOW)


def test_some_fields_need_no_condition() -> None:
    free = ["awsaccesskeyid", "signature", "policy", "x-amz-signature", "x-ignore-this", "x-amz-checksum-sha256"]
    policy().check(dict.fromkeys(free, "value"), NOW)


# ---------------------------------------------------------------- signatures, as boto3 makes them


def presigned(signature: str) -> dict[str, str]:
    """The fields of a form that boto3 signed, names in lower case."""
    client = boto3.client(
        "s3",
        endpoint_url="http://localhost:9000",
        region_name="eu-central-1",
        aws_access_key_id="AK",
        aws_secret_access_key="secret/key",
        config=Config(signature_version=signature),
    )
    form = client.generate_presigned_post("b", "dir/${filename}", ExpiresIn=60)
    return {name.lower(): value for name, value in form["fields"].items()}


@pytest.mark.parametrize("signature", ["s3", "s3v4"])
def test_a_signed_policy(signature: str) -> None:
    fields = presigned(signature)
    claim = parse_policy_claim(fields)
    assert claim is not None
    assert claim.access_key == "AK"
    claim.verify("secret/key", "eu-central-1")
    parse_policy(fields["policy"]).check({**fields, "bucket": "b"}, datetime.now(UTC))
    with pytest.raises(SignatureDoesNotMatch):
        claim.verify("secret", "eu-central-1")


@pytest.mark.parametrize("signature", ["s3", "s3v4"])
def test_a_policy_that_was_changed_does_not_match_its_signature(signature: str) -> None:
    claim = parse_policy_claim({**presigned(signature), "policy": policy_text()})
    assert claim is not None
    with pytest.raises(SignatureDoesNotMatch):
        claim.verify("secret/key", "eu-central-1")


def test_a_policy_for_another_region_is_refused() -> None:
    claim = parse_policy_claim(presigned("s3v4"))
    assert claim is not None
    with pytest.raises(AuthorizationQueryParametersError, match="us-west-2"):
        claim.verify("secret/key", "us-west-2")


@pytest.mark.parametrize(
    ("signature", "name"),
    [
        ("s3", "awsaccesskeyid"),
        ("s3", "signature"),
        ("s3", "policy"),
        ("s3v4", "x-amz-algorithm"),
        ("s3v4", "x-amz-credential"),
        ("s3v4", "x-amz-date"),
        ("s3v4", "x-amz-signature"),
        ("s3v4", "policy"),
    ],
)
def test_half_a_signature_is_refused(signature: str, name: str) -> None:
    fields = presigned(signature)
    del fields[name]
    with pytest.raises(InvalidArgument) as raised:
        parse_policy_claim(fields)
    assert raised.value.fields["ArgumentName"] == name


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("x-amz-algorithm", "AWS4-ECDSA-P256-SHA256", InvalidArgument),
        ("x-amz-credential", "AK/20261121", AuthorizationQueryParametersError),
        ("x-amz-credential", "AK/20000101/eu-central-1/s3/aws4_request", AuthorizationQueryParametersError),
        ("x-amz-date", "Sat, 21 Nov 2026 12:00:00 GMT", AuthorizationQueryParametersError),
    ],
)
def test_a_claim_that_is_none_is_refused(name: str, value: str, error: type[S3Error]) -> None:
    with pytest.raises(error):
        parse_policy_claim({**presigned("s3v4"), name: value})


def test_another_service_is_refused() -> None:
    fields = presigned("s3v4")
    fields["x-amz-credential"] = fields["x-amz-credential"].replace("/s3/", "/sts/")
    with pytest.raises(AuthorizationQueryParametersError):
        parse_policy_claim(fields)


def test_a_form_without_any_signature_is_anonymous() -> None:
    assert parse_policy_claim({"key": "k", "x-amz-date": "whatever"}) is None


# ---------------------------------------------------------------- what a form says


def form(fields: dict[str, str], file_name: str = "notes.txt") -> Form:
    head = FormHead(BOUNDARY.encode())
    assert head.feed(form_body({"key": "k", **fields}, file_name=file_name))
    return read_form(head)


def post(fields: dict[str, str], headers: dict[str, str] | None = None) -> op.PostObjectInput:
    return post_object(ask("POST", "/b", headers), form(fields))


def test_fields_say_what_headers_say_of_a_put() -> None:
    asked = post(
        {
            "acl": "public-read",
            "Content-Type": "text/html",
            "Cache-Control": "no-cache",
            "x-amz-meta-Name": "größe",
            "tagging": "<Tagging><TagSet><Tag><Key>b</Key><Value>2</Value></Tag></TagSet></Tagging>",
            "x-amz-checksum-crc32": "AAAAAA==",
            "x-amz-storage-class": "STANDARD",
            "x-caret-message": "from a form",
        }
    )
    assert asked == op.PostObjectInput(
        put=op.PutObjectInput(
            bucket="b",
            key="k",
            headers=op.ObjectHeaders(
                standard={"content-type": "text/html", "cache-control": "no-cache"},
                metadata={"name": "größe"},
                tags={"b": "2"},
                acl="ALL_USERS:READ",
            ),
            conditions=op.Conditions(),
            payload=op.Payload(checksums={"crc32": "AAAAAA=="}, algorithm="crc32"),
            message="from a form",
        ),
        location="http://localhost:9000/b/k",
    )


def test_fields_cannot_pose_as_the_transfers_headers() -> None:
    posing = {
        "Content-Length": "1",
        "x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        "x-amz-trailer": "x-amz-checksum-crc32",
        "If-None-Match": "*",
        "x-amz-copy-source": "/a/b",
    }
    assert post(posing) == post({})


def test_headers_of_the_request_say_nothing_of_the_object() -> None:
    headers = {"x-amz-meta-a": "1", "Content-Type": "multipart/form-data", "x-amz-acl": "public-read"}
    assert post({}, headers) == post({})


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"acl": "public"}, InvalidArgument),
        ({"tagging": "a=b"}, MalformedXML),
        ({"x-amz-checksum-sha256": "sailorjerry"}, BadDigest),
        ({"x-amz-server-side-encryption": "AES256"}, NotImplemented),
        ({"x-amz-grant-read": "id=1"}, NotImplemented),
        ({"key": "k" * 1025}, KeyTooLongError),
    ],
)
def test_what_a_put_is_refused_for(fields: dict[str, str], error: type[S3Error]) -> None:
    with pytest.raises(error):
        post(fields)


def test_the_policy_limits_the_size() -> None:
    assert post({"policy": policy_text(["content-length-range", 1, 9])}).put.payload.sizes == (1, 9)


@pytest.mark.parametrize("file_name", ["new.txt", "/home/me/new.txt", r"C:\dir\new.txt"])
def test_the_files_name_may_stand_in_any_field(file_name: str) -> None:
    read = form({"key": "in/${filename}", "x-amz-meta-name": "${filename}!"}, file_name)
    assert (read.fields["key"], read.fields["x-amz-meta-name"]) == ("in/new.txt", "new.txt!")


@pytest.mark.parametrize("key", ["", "${filename}"])
def test_a_form_needs_a_key(key: str) -> None:
    with pytest.raises(InvalidArgument, match="'key'"):
        form({"key": key}, file_name="")


@pytest.mark.parametrize(
    ("target", "host", "location"),
    [
        ("/b", "s3.local:9000", "http://s3.local:9000/b/a%20b/%C3%BC"),
        ("/b/", "s3.local:9000", "http://s3.local:9000/b/a%20b/%C3%BC"),
        ("/", "b.s3.local", "http://b.s3.local/a%20b/%C3%BC"),
    ],
)
def test_the_location_is_a_url(target: str, host: str, location: str) -> None:
    request = build_request("POST", target, [(b"Host", host.encode())], domains=("s3.local",))
    assert post_object(request, form({"key": "a b/ü"})).location == location


# ---------------------------------------------------------------- what is answered


def answer(fields: dict[str, str]) -> Response:
    return render_post(op.PostObjectOutput(post(fields), op.PutObjectOutput("tag-1", "version")))


def test_without_a_wish_the_answer_has_no_content() -> None:
    assert answer({}) == Response(
        204, [("ETag", '"tag-1"'), ("x-amz-version-id", "version"), ("Location", "http://localhost:9000/b/k")]
    )


@pytest.mark.parametrize(("wish", "status"), [("200", 200), ("204", 204), ("404", 204), ("", 204), ("2000", 204)])
def test_the_status_may_be_chosen(wish: str, status: int) -> None:
    response = answer({"success_action_status": wish})
    assert (response.status, response.body) == (status, b"")


def test_created_is_told_in_xml() -> None:
    response = answer({"success_action_status": "201", "key": "a<b"})
    assert response.status == 201
    assert ("Content-Type", "application/xml") in response.headers
    assert response.body.endswith(
        b"<PostResponse><Location>http://localhost:9000/b/a%3Cb</Location><Bucket>b</Bucket><Key>a&lt;b</Key>"
        b"<ETag>&quot;tag-1&quot;</ETag></PostResponse>"
    )


@pytest.mark.parametrize(
    ("name", "wish", "location"),
    [
        ("success_action_redirect", "http://site/done", "http://site/done?bucket=b&key=k&etag=%22tag-1%22"),
        ("redirect", "https://site/?a=1#end", "https://site/?a=1&bucket=b&key=k&etag=%22tag-1%22#end"),
    ],
)
def test_the_browser_may_be_sent_elsewhere(name: str, wish: str, location: str) -> None:
    response = answer({name: wish, "success_action_status": "201"})
    assert response.status == 303
    assert dict(response.headers)["Location"] == location


@pytest.mark.parametrize("wish", ["", "done", "javascript:alert(1)", "http://", "http://[", "http://a/\nSet-Cookie: x"])
def test_a_redirect_to_nowhere_counts_as_not_sent(wish: str) -> None:
    assert answer({"success_action_redirect": wish}).status == 204


def test_the_policy_of_a_form_is_read_with_it() -> None:
    with pytest.raises(InvalidPolicyDocument):
        form({"policy": "no policy"})
