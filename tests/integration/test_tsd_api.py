"""The original's way: an API key, a password and a code become a token; the token goes with a key and a project."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import jwt
import pytest

from gateway.access.directory import Directory, open_directory
from gateway.access.rights import Right
from gateway.access.vault import open_vault

from .enrolled import Enrolled, call, client_of, enrol
from .raw import Raw
from .refusals import refused
from .server import Server, wait_for_news

PART = bytes(5 * 1024 * 1024)


@pytest.fixture(scope="module")
def directory(gateway: Server) -> Iterator[Directory]:
    """The running gateway's, in which this process changes things beside it."""
    opened = open_directory(gateway.data, None, open_vault(gateway.data))
    yield opened
    opened.close()


@pytest.fixture
def ann(gateway: Server, directory: Directory, name: str) -> Enrolled:
    return enrol(gateway, directory, name, "ann")


# ---------------------------------------------------------------- getting a token


def test_a_client_registers_logs_in_and_stores(ann: Enrolled) -> None:
    answer = ann.ask_for_token("s3import")
    assert answer.status == 201
    assert answer.headers["cache-control"] == "no-store"
    s3 = ann.s3_with(answer.document["token"])
    s3.create_bucket(Bucket="mybucket")
    s3.put_object(Bucket="mybucket", Key="file", Body=b"content")
    export = ann.s3_with(ann.token("s3export"))
    assert export.get_object(Bucket="mybucket", Key="file")["Body"].read() == b"content"


def test_a_token_tells_whose_it_is_for_what_and_until_when(ann: Enrolled) -> None:
    token = ann.token("s3export", duration_s=600)
    claims = jwt.decode(token, options={"verify_signature": False})
    assert (claims["user"], claims["project"], claims["name"], claims["rights"]) == (
        ann.name,
        ann.project,
        "s3export",
        ["export"],
    )
    assert claims["exp"] - claims["iat"] == 600
    (session,) = ann.directory.sessions(user=ann.name)
    assert claims["jti"] == session.access_key


def test_the_session_that_comes_along_serves_stock_clients(ann: Enrolled) -> None:
    made = ann.ask_for_token("s3import").document["credentials"]
    client_of(ann.server, **made).create_bucket(Bucket="mybucket")


def test_registering_takes_a_get_too(ann: Enrolled) -> None:
    answer = call(ann.server, "GET", f"/v1/{ann.project}/auth/tsd/api_key", ann.login())
    assert answer.status == 201
    assert set(answer.document) == {"api_key", "user", "project", "expires"}


def test_whoever_is_no_member_is_told_nothing_of_projects(ann: Enrolled, directory: Directory) -> None:
    directory.create_project(f"{ann.project}-b", directory.project(ann.project).policy)
    other, none = (
        call(ann.server, "POST", f"/v1/{project}/auth/tsd/api_key", ann.login())
        for project in (f"{ann.project}-b", f"{ann.project}-c")
    )
    assert other.status == none.status == 403
    assert other.document["message"].replace("-b.", ".") == none.document["message"].replace("-c.", ".")


@pytest.mark.parametrize("wrong", [{"password": "another"}, {"otp": "000"}, {"user_name": "nobody-at-all"}])
def test_a_wrong_factor_is_refused_and_none_is_named(ann: Enrolled, wrong: dict[str, str]) -> None:
    path = f"/v1/{ann.project}/auth/tsd/api_key"
    answer = call(ann.server, "POST", path, ann.login(**wrong))
    assert answer.status == 401
    assert answer.document["message"] == "the user name, the password or the one-time code is wrong."


def test_a_code_is_good_once(ann: Enrolled) -> None:
    ann.register()
    code = ann.code()
    assert ann.ask_for_token(otp=code).status == 201
    assert ann.ask_for_token(otp=code).status == 401


def test_guessing_is_slowed_down(serve: Any, name: str) -> None:
    server = serve(workers=1)  # one that is blocked for others' guesses is of no use to other tests
    opened = open_directory(server.data, None, open_vault(server.data))
    ann = enrol(server, opened, name, "ann")
    ann.register()
    statuses = [ann.ask_for_token(otp="12345").status for _ in range(6)]
    assert statuses == [401] * 5 + [429]
    blocked = ann.ask_for_token()
    assert blocked.status == 429
    assert 0 < int(blocked.headers["retry-after"]) <= 30
    opened.close()


def test_api_keys_are_held_against_user_and_project(gateway: Server, ann: Enrolled, directory: Directory) -> None:
    bob = enrol(gateway, directory, ann.project, "bob")
    ann.register()
    bob.api_key = ann.api_key
    assert bob.ask_for_token().status == 403
    eve = enrol(gateway, directory, f"{ann.project}-x", "eve")
    eve.api_key = ann.api_key
    assert eve.ask_for_token().status == 403
    ann.api_key = "caret-unknown"
    assert ann.ask_for_token().status == 401


def test_a_right_that_is_lacking_uses_no_code_up(gateway: Server, directory: Directory, name: str) -> None:
    ann = enrol(gateway, directory, name, "ann", Right.IMPORT)
    ann.register()
    code = ann.code()
    assert [ann.ask_for_token(kind, otp=code).status for kind in ("s3export", "s3import")] == [403, 201]


def test_a_session_lasts_no_longer_than_the_project_allows(ann: Enrolled) -> None:
    longest_s = ann.directory.project(ann.project).policy.max_session_s
    assert ann.ask_for_token(duration_s=longest_s + 1).status == 400
    assert ann.ask_for_token(duration_s=longest_s).status == 201


@pytest.mark.parametrize(
    ("method", "target", "document", "status"),
    [
        ("POST", "auth/tsd/token", {}, 401),
        ("POST", "auth/tsd/token?type=s3import", b"{", 400),
        ("POST", "auth/tsd/token?type=s3import", [], 400),
        ("POST", "auth/tsd/token?type=s3import", {"user_name": "a", "password": "b"}, 400),
        ("POST", "auth/tsd/token?type=s3import", {"user_name": "a", "password": "b", "otp": 123456}, 400),
        ("POST", "auth/tsd/token?type=s3import", {"user_name": "a\0", "password": "b", "otp": "123456"}, 400),
        ("POST", "auth/tsd/token?type=s3import", {"user_name": "a", "password": "b", "otp": "1", "duration_s": 0}, 400),
        ("POST", "auth/tsd/token?type=admin", {"user_name": "a", "password": "b", "otp": "123456"}, 400),
        ("POST", "auth/tsd/token", {"user_name": "a", "password": "b", "otp": "123456"}, 400),
        ("POST", "auth/tsd/api_key", b'"\\ud800"', 400),
        ("POST", "auth/tsd/api_key", b"\xff\xfe", 400),
        ("POST", "auth/tsd/api_key", b"", 400),
        ("POST", "auth/tsd/api_key", b" " * (64 * 1024 + 1), 413),
        ("GET", "auth/tsd/token", {}, 405),
        ("DELETE", "auth/tsd/api_key", {}, 405),
        ("POST", "auth/tsd/else", {}, 404),
        ("POST", "auth/tsd/token/", {}, 404),
    ],
)
def test_requests_that_cannot_be_are_refused(
    gateway: Server, method: str, target: str, document: object, status: int
) -> None:
    bearer = {} if target.endswith("token") and document == {} else {"Authorization": "Bearer caret-none"}
    answer = call(gateway, method, f"/v1/p11/{target}", document, bearer)
    assert answer.status == status
    assert answer.document["message"]
    assert "content" not in answer.document


@pytest.mark.parametrize(
    "path", ["/v1/P11/auth/tsd/token", "/v1/a%00b/auth/tsd/token", "/v1/%E2%98%83/auth/tsd/api_key"]
)
def test_no_project_can_be_called_so(gateway: Server, path: str) -> None:
    assert call(gateway, "POST", path, {}).status == 404


# ---------------------------------------------------------------- using a token


def test_the_headers_decide_over_a_key_that_alone_is_not_enough(ann: Enrolled) -> None:
    with refused("AccessDenied", 403):
        ann.s3({}).list_buckets()
    ann.s3_with(ann.token()).list_buckets()


def test_either_header_alone_is_refused(ann: Enrolled) -> None:
    token = ann.token()
    for headers in ({"token": token}, {"x-project-select": ann.project}):
        with refused("InvalidRequest", 400):
            ann.s3(headers).list_buckets()


def test_a_token_that_has_run_out_is_refused(ann: Enrolled) -> None:
    token = ann.token(duration_s=2)
    s3 = ann.s3_with(token)
    s3.list_buckets()
    time.sleep(2.1)
    with refused("ExpiredToken", 400):
        s3.list_buckets()


def test_a_token_of_an_ended_session_is_refused(ann: Enrolled) -> None:
    s3 = ann.s3_with(ann.token())
    s3.list_buckets()
    (session,) = ann.directory.sessions(user=ann.name)
    ann.directory.end_session(session.access_key)
    wait_for_news()
    with refused("InvalidToken", 400):
        s3.list_buckets()


def _altered(token: str, **changed: Any) -> dict[str, Any]:
    return {**jwt.decode(token, options={"verify_signature": False}), **changed}


def test_tokens_that_are_not_ours_are_refused(ann: Enrolled) -> None:
    token = ann.token()
    head = jwt.get_unverified_header(token)
    claims = _altered(token)
    header, payload, signature = token.split(".")
    forged = [
        "garbage",
        "a.b.c",
        token[:-4] + "AAAA",
        f"{header}.{payload}.",
        f"{header}.{payload[:-2]}.{signature}",
        jwt.encode(claims, "", "none", headers={"kid": head["kid"]}),
        jwt.encode(claims, bytes(32), "HS256", headers={"kid": head["kid"]}),
        jwt.encode(claims, bytes(64), "HS512", headers={"kid": head["kid"]}),
        jwt.encode(claims, bytes(32), "HS256", headers={"kid": "ffffffff"}),
        jwt.encode(claims, bytes(32), "HS256"),
        jwt.encode(_altered(token, exp=4_000_000_000), bytes(32), "HS256", headers={"kid": head["kid"]}),
    ]
    for text in forged:
        with refused("InvalidToken", 400):
            ann.s3({"token": text, "x-project-select": ann.project}).list_buckets()


def test_a_token_that_is_no_text_is_refused(raw: Raw, ann: Enrolled) -> None:
    for text in ("\udcff", "ü.ü.ü"):
        headers = {"token": text, "x-project-select": ann.project}
        answer = raw.request("GET", "/", unsigned=headers, access_key=ann.key.key.access_key, secret_key=ann.key.secret)
        assert (answer.status, answer.code) == (400, "InvalidToken")


def test_the_secret_keys_themselves_sign_no_token(ann: Enrolled) -> None:
    token = ann.token()
    key = bytes.fromhex((ann.server.data / "secret-keys").read_text().split()[0])
    with refused("InvalidToken", 400):
        ann.s3_with(jwt.encode(_altered(token), key, "HS256", headers=jwt.get_unverified_header(token))).list_buckets()


def test_token_key_and_project_are_held_against_each_other(
    gateway: Server, ann: Enrolled, directory: Directory
) -> None:
    bob = enrol(gateway, directory, ann.project, "bob")
    token = ann.token()
    with refused("AccessDenied", 403):  # another user's key
        bob.s3_with(token).list_buckets()
    directory.create_project(f"{ann.project}-b", directory.project(ann.project).policy)
    directory.grant(f"{ann.project}-b", ann.name, Right.IMPORT)
    elsewhere = directory.create_key(f"{ann.project}-b", ann.name)
    with refused("AccessDenied", 403):  # another project selected than the token's
        ann.s3({"token": token, "x-project-select": f"{ann.project}-b"}).list_buckets()
    with refused("AccessDenied", 403):  # a key of another project
        ann.s3_with(token, key=elsewhere).list_buckets()
    with refused("AccessDenied", 403):  # nor does the key's project help
        ann.s3({"token": token, "x-project-select": f"{ann.project}-b"}, key=elsewhere).list_buckets()


def test_a_session_is_not_widened_by_a_token(ann: Enrolled, directory: Directory) -> None:
    made = directory.begin_session(ann.project, ann.name, frozenset({Right.IMPORT}), 600)
    s3 = client_of(ann.server, made.session.access_key, made.secret, made.token)
    s3.list_buckets()
    token = ann.token("s3export")

    def add(request: Any, **_: Any) -> None:
        request.headers["token"], request.headers["x-project-select"] = token, ann.project

    s3.meta.events.register("before-sign.s3", add)
    with refused("AccessDenied", 403):
        s3.list_buckets()


def test_a_disabled_user_s_token_is_out_within_a_moment(ann: Enrolled, directory: Directory) -> None:
    s3 = ann.s3_with(ann.token())
    directory.disable_user(ann.name)
    wait_for_news()
    with refused("InvalidAccessKeyId", 403):
        s3.list_buckets()


def test_an_upload_goes_on_with_a_new_token_after_the_old_one_ran_out(ann: Enrolled) -> None:
    first = ann.s3_with(ann.token(duration_s=4))
    first.create_bucket(Bucket="mybucket")
    upload = {"Bucket": "mybucket", "Key": "large"}
    upload["UploadId"] = first.create_multipart_upload(**upload)["UploadId"]
    etags = [first.upload_part(**upload, PartNumber=1, Body=PART)["ETag"]]
    time.sleep(4)
    with refused("ExpiredToken", 400):
        first.upload_part(**upload, PartNumber=2, Body=b"end")
    second = ann.s3_with(ann.token())
    assert [part["PartNumber"] for part in second.list_parts(**upload)["Parts"]] == [1]
    etags.append(second.upload_part(**upload, PartNumber=2, Body=b"end")["ETag"])
    parts = [{"PartNumber": number, "ETag": etag} for number, etag in enumerate(etags, 1)]
    second.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    assert second.head_object(Bucket="mybucket", Key="large")["ContentLength"] == len(PART) + 3
