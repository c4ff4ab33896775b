"""Sessions from STS, asked for by boto3 and aws-cli, and used with S3."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import botocore.credentials
import pytest
import xmltodict
from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import ClientError
from botocore.session import Session

from gateway.access.directory import open_directory
from gateway.access.rights import Right
from gateway.access.vault import open_vault
from gateway.s3.sigv4 import Credentials, sign_v4

from .awscli import Aws
from .people import ONCE, Cli, Person, person, works
from .server import Server, until

STS = {"Version": "2011-06-15"}


def refusal(call: Any, **arguments: Any) -> tuple[int, str, str]:
    with pytest.raises(ClientError) as refused:
        call(**arguments)
    answer = refused.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"], answer["Error"]["Message"]


# ---------------------------------------------------------------- boto3


def test_a_session_token_opens_a_project_of_two_factors(researcher: Person) -> None:
    assert refusal(researcher.client("s3").list_buckets)[:2] == (403, "AccessDenied")
    answer = researcher.client("sts").get_session_token(**researcher.factor)
    left_s = (answer["Credentials"]["Expiration"] - datetime.now(UTC)).total_seconds()
    assert 3500 < left_s <= 3600
    works(researcher.client("s3", answer["Credentials"]))


def test_an_assumed_role_has_one_right(researcher: Person) -> None:
    answer = researcher.client("sts").assume_role(
        RoleArn=researcher.role("member"), RoleSessionName="laptop", **researcher.factor
    )
    arn = f"arn:aws:sts::{researcher.number}:assumed-role/member/laptop"
    assert answer["AssumedRoleUser"]["Arn"] == arn
    works(researcher.client("s3", answer["Credentials"]))
    assert researcher.client("sts", answer["Credentials"]).get_caller_identity()["Arn"] == arn
    (session,) = researcher.directory.sessions(user=researcher.name)
    assert (session.rights, session.assumed) == (frozenset({Right.MEMBER}), "member/laptop")


def test_who_asks_is_told_with_a_key_alone(researcher: Person) -> None:
    answer = researcher.client("sts").get_caller_identity()
    assert (answer["Account"], answer["Arn"]) == (
        researcher.number,
        f"arn:aws:iam::{researcher.number}:user/{researcher.name}",
    )
    assert answer["UserId"] == researcher.directory.user(researcher.name).canonical_id


def test_root_is_somebody_and_gets_no_session(gateway: Server, aws: Aws) -> None:
    assert json.loads(aws("sts", "get-caller-identity"))["Arn"] == "arn:aws:iam::000000000001:root"
    assert "AccessDenied" in aws.refused("sts", "get-session-token")


def test_a_code_is_asked_for_used_up_and_guessing_is_stopped(serve: Callable[..., Server]) -> None:
    gateway = serve()  # of its own, for guessing blocks the address
    with contextlib.closing(open_directory(gateway.data, None, open_vault(gateway.data))) as directory:
        researcher = person(gateway, directory, "p11")
    sts = researcher.client("sts")
    assert refusal(sts.get_session_token) == (
        *(403, "AccessDenied"),
        "MultiFactorAuthentication failed, must provide both MFA serial number and one time pass code.",
    )
    used = researcher.factor
    sts.get_session_token(**used)
    wrong = (403, "AccessDenied", "MultiFactorAuthentication failed with invalid MFA one time pass code.")
    for _ in range(5):
        assert refusal(sts.get_session_token, **used) == wrong
    with pytest.raises(ClientError, match="Try again in") as refused:
        sts.get_session_token(**used)
    assert int(refused.value.response["ResponseMetadata"]["HTTPHeaders"]["retry-after"]) > 20


def test_an_expired_session_is_refused_by_both(researcher: Person) -> None:
    made = researcher.directory.begin_session(researcher.key.key.project, researcher.name, frozenset({Right.MEMBER}), 2)
    credentials = {
        "AccessKeyId": made.session.access_key,
        "SecretAccessKey": made.secret,
        "SessionToken": made.token,
    }
    works(researcher.client("s3", credentials))

    def has_ended() -> bool:
        return datetime.now(UTC).timestamp() * 1_000_000 > made.session.expires_us

    until(has_ended, 5, "the session to run out")
    assert refusal(researcher.client("s3", credentials).list_buckets)[:2] == (400, "ExpiredToken")
    assert refusal(researcher.client("sts", credentials).get_caller_identity)[:2] == (403, "ExpiredToken")


def test_refusals_of_signatures(researcher: Person) -> None:
    stranger = {"AccessKeyId": "CARETNOBODYNOBODYNOB", "SecretAccessKey": researcher.key.secret}
    assert refusal(researcher.client("sts", stranger).get_caller_identity)[:2] == (403, "InvalidClientTokenId")
    guessed = {"AccessKeyId": researcher.key.key.access_key, "SecretAccessKey": "guessed"}
    assert refusal(researcher.client("sts", guessed).get_caller_identity)[:2] == (403, "SignatureDoesNotMatch")
    with_token = {
        "AccessKeyId": researcher.key.key.access_key,
        "SecretAccessKey": researcher.key.secret,
        "SessionToken": "x",
    }
    assert refusal(researcher.client("sts", with_token).get_caller_identity)[:2] == (403, "InvalidClientTokenId")


def test_session_policies_are_refused_and_not_read_over(researcher: Person) -> None:
    ask = {"RoleArn": researcher.role("member"), "RoleSessionName": "laptop", **researcher.factor}
    assert refusal(researcher.client("sts").assume_role, **ask, Policy="{}")[:2] == (400, "ValidationError")
    assert refusal(researcher.client("sts").assume_role, **ask, Tags=[{"Key": "a", "Value": "b"}])[:2] == (
        400,
        "ValidationError",
    )
    assert refusal(researcher.client("sts").get_federation_token, Name="somebody")[:2] == (400, "InvalidAction")


# ---------------------------------------------------------------- aws-cli


def test_aws_cli_gets_a_session_token(aws: Aws, researcher: Person, tmp_path: Path) -> None:
    cli = Cli(aws, tmp_path, researcher.environment(tmp_path))
    answer = cli(
        "sts", "get-session-token", "--serial-number", researcher.serial, "--token-code", researcher.totp.now()
    )
    works(researcher.client("s3", json.loads(answer)["Credentials"]))


def test_aws_cli_with_a_profile_that_assumes_a_role(aws: Aws, researcher: Person, tmp_path: Path) -> None:
    environment = {"HOME": str(tmp_path)}
    cli = Cli(aws, tmp_path, environment)
    (tmp_path / "aws-credentials").write_text(
        f"[caret-key]\naws_access_key_id = {researcher.key.key.access_key}\n"
        f"aws_secret_access_key = {researcher.key.secret}\n"
    )
    cli.config.write_text(
        f"[profile caret-key]\nregion = {researcher.gateway.region}\nendpoint_url = {researcher.gateway.url}\n"
        f"[profile caret]\nsource_profile = caret-key\nrole_arn = {researcher.role('member')}\n"
        f"mfa_serial = {researcher.serial}\n"
        f"region = {researcher.gateway.region}\nendpoint_url = {researcher.gateway.url}\n"
    )
    cli("s3", "mb", "s3://by-role", "--profile", "caret", code=researcher.totp.now())
    assert "by-role" in cli("s3", "ls", "--profile", "caret")  # with the session that it has kept


# ---------------------------------------------------------------- by hand


def ask(
    gateway: Server,
    body: bytes,
    headers: Mapping[str, str] | None = None,
    *,
    method: str = "POST",
    query: str = "",
    sign: bool = True,
) -> tuple[int, Any, Mapping[str, str]]:
    """As root. Status, the answer's root element and headers."""
    named = {
        "host": f"127.0.0.1:{gateway.port}",
        "content-type": "application/x-www-form-urlencoded",
        **(headers or {}),
    }
    if sign:
        named, _ = sign_v4(
            *(Credentials(gateway.access_key, gateway.secret_key), method, "/", query, named),
            now=datetime.now(UTC),
            region=gateway.region,
            service="sts",
            payload_hash=hashlib.sha256(body).hexdigest(),
        )
    connection = gateway.http()
    with contextlib.closing(connection):
        connection.request(method, f"/?{query}" if query else "/", body, named)
        reply = connection.getresponse()
        return reply.status, xmltodict.parse(reply.read() or b"<none/>"), dict(reply.getheaders())


def code_of(answer: tuple[int, Any, Mapping[str, str]]) -> tuple[int, str]:
    return answer[0], answer[1]["ErrorResponse"]["Error"]["Code"]


IDENTITY = urlencode({"Action": "GetCallerIdentity", **STS})


@pytest.mark.parametrize(
    ("body", "headers", "expected"),
    [
        (b"", {}, (400, "MissingAction")),
        (b"Action=GetCallerIdentity", {}, (400, "InvalidAction")),
        (b"Action=Delete&Version=2011-06-15", {}, (400, "InvalidAction")),
        (b"{}", {"content-type": "application/x-amz-json-1.0"}, (400, "MalformedInput")),
        (b"Action=%zz", {}, (400, "MalformedInput")),
        (b"Action=\xff\xfe", {}, (400, "MalformedInput")),
        (b"x=" + bytes(65_536), {}, (400, "MalformedInput")),
        (b"&".join([b"Action=GetCallerIdentity"] * 2), {}, (400, "MalformedInput")),
    ],
)
def test_bad_requests(gateway: Server, body: bytes, headers: dict[str, str], expected: tuple[int, str]) -> None:
    answer = ask(gateway, body, headers)
    assert code_of(answer) == expected
    assert answer[1]["ErrorResponse"]["RequestId"] == answer[2]["x-amz-request-id"]


def test_a_body_is_signed(gateway: Server) -> None:
    assert ask(gateway, b"", method="GET", query=IDENTITY)[0] == 200
    status, answer, _ = ask(gateway, IDENTITY.encode())
    assert status == 200
    assert answer["GetCallerIdentityResponse"]["@xmlns"] == "https://sts.amazonaws.com/doc/2011-06-15/"
    named = {"host": f"127.0.0.1:{gateway.port}", "content-type": "application/x-www-form-urlencoded"}
    signed, _ = sign_v4(
        *(Credentials(gateway.access_key, gateway.secret_key), "POST", "/", "", named),
        now=datetime.now(UTC),
        region=gateway.region,
        service="sts",
        payload_hash="0" * 64,
    )
    assert code_of(ask(gateway, IDENTITY.encode(), signed, sign=False)) == (403, "SignatureDoesNotMatch")


@pytest.mark.parametrize(
    ("authorization", "expected"),
    [
        ("AWS4-HMAC-SHA256 Credential=K/20261121/us-east-1/sts/aws4_request", (400, "IncompleteSignature")),
        ("AWS4-HMAC-SHA256 Credential=K/x/us-east-1/sts/aws4_request,SignedHeaders=,Signature=", (400, "Incomp")),
        ("AWS4-HMAC-SHA256 Credential=K/20261121/u/sts/aws4_request,SignedHeaders=x,Signature=\xff", (403, "Invalid")),
        ("Bearer /sts/aws4_request", (400, "MalformedInput")),
        ("AWS K:/sts/aws4_request", (400, "IncompleteSignature")),
    ],
)
def test_signatures_that_are_none(gateway: Server, authorization: str, expected: tuple[int, str]) -> None:
    status, code = code_of(ask(gateway, IDENTITY.encode(), {"authorization": authorization}, sign=False))
    assert (status, code[: len(expected[1])]) == expected


def test_a_signature_for_s3_is_none_for_sts(gateway: Server) -> None:
    """The Authorization header is not signed itself: whatever is added to it must not make another request of it."""
    credentials = Credentials(gateway.access_key, gateway.secret_key)
    named = {"host": f"127.0.0.1:{gateway.port}"}
    signed, _ = sign_v4(credentials, "POST", "/", "", named, now=datetime.now(UTC), region=gateway.region)
    disguised = {**signed, "authorization": f"{signed['authorization']}, X=/sts/aws4_request"}
    assert code_of(ask(gateway, IDENTITY.encode(), disguised, sign=False)) == (400, "IncompleteSignature")


def test_an_upload_goes_on_in_another_session(researcher: Person) -> None:
    made = researcher.directory.begin_session(researcher.key.key.project, researcher.name, frozenset({Right.MEMBER}), 3)
    first = {"AccessKeyId": made.session.access_key, "SecretAccessKey": made.secret, "SessionToken": made.token}
    s3, upload = researcher.client("s3", first), {"Bucket": "of-the-project", "Key": "large"}
    works(s3)
    upload["UploadId"] = s3.create_multipart_upload(**upload)["UploadId"]
    content = [b"a" * (5 * 1024 * 1024), b"b"]
    parts = [{"PartNumber": 1, "ETag": s3.upload_part(**upload, PartNumber=1, Body=content[0])["ETag"]}]
    until(lambda: datetime.now(UTC).timestamp() * 1_000_000 > made.session.expires_us, 5, "the session to run out")
    assert refusal(s3.upload_part, **upload, PartNumber=2, Body=content[1])[:2] == (400, "ExpiredToken")
    s3 = researcher.client("s3", researcher.client("sts").get_session_token(**researcher.factor)["Credentials"])
    assert [part["PartNumber"] for part in s3.list_parts(**upload)["Parts"]] == [1]
    parts.append({"PartNumber": 2, "ETag": s3.upload_part(**upload, PartNumber=2, Body=content[1])["ETag"]})
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    assert s3.get_object(Bucket="of-the-project", Key="large")["Body"].read() == b"".join(content)


def test_an_identity_by_a_presigned_link(gateway: Server) -> None:
    request = AWSRequest("GET", f"{gateway.url}/?{IDENTITY}", headers={"x-k8s-aws-id": "cluster"})
    credentials = botocore.credentials.Credentials(gateway.access_key, gateway.secret_key)
    SigV4QueryAuth(credentials, "sts", gateway.region, expires=60).add_auth(request)
    target = request.url.removeprefix(gateway.url)
    connection = gateway.http()
    with contextlib.closing(connection):
        connection.request("GET", target, headers={"x-k8s-aws-id": "cluster"})
        reply = connection.getresponse()
        assert (reply.status, b":root</Arn>" in reply.read()) == (200, True)
        connection.request("GET", target, headers={"x-k8s-aws-id": "another"})
        reply = connection.getresponse()
        assert (reply.status, b"SignatureDoesNotMatch" in reply.read()) == (403, True)


def test_a_connection_goes_on_after_an_answer_and_a_refusal(gateway: Server) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=10)
    signed, _ = sign_v4(
        *(Credentials(gateway.access_key, gateway.secret_key), "GET", "/", IDENTITY, {"host": "127.0.0.1"}),
        now=datetime.now(UTC),
        region=gateway.region,
        service="sts",
        payload_hash="e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    )
    with contextlib.closing(connection):
        for target, status in ((f"/?{IDENTITY}", 200), ("/?Action=x", 403), (f"/?{IDENTITY}", 200)):
            connection.request("GET", target, headers=signed)
            reply = connection.getresponse()
            assert (reply.status, bool(reply.read())) == (status, True)


def test_botocore_reads_the_errors(researcher: Person) -> None:
    """Its parser of the query protocol wants Error, Type and Code where AWS has them."""
    client = Session().create_client(
        "sts",
        region_name=researcher.gateway.region,
        endpoint_url=researcher.gateway.url,
        aws_access_key_id=researcher.key.key.access_key,
        aws_secret_access_key=researcher.key.secret,
        config=ONCE,
    )
    with pytest.raises(ClientError) as refused:
        client.assume_role(RoleArn="arn:aws:iam::1:role/import", RoleSessionName="laptop")
    error = refused.value.response["Error"]
    assert (error["Type"], error["Code"]) == ("Sender", "ValidationError")
    assert "'roleArn'" in error["Message"]
