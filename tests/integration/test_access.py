"""Rights: every operation, asked for by everybody; `access.txt` says what becomes of it."""

from __future__ import annotations

import contextlib
import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.access.directory import Directory, open_directory
from gateway.access.model import ProjectPolicy
from gateway.access.vault import open_vault
from gateway.api.endpoints import PREFIX
from gateway.s3.route import OPERATIONS

from .access import EXPORTS, NOBODY, OTHERS, THEIRS, Caller, Column, World, format_row, read_table
from .raw import Raw, Reply
from .server import Server, until

TABLE = dict(read_table((Path(__file__).parent / "access.txt").read_text()))


@pytest.fixture(scope="module")
def directory(gateway: Server) -> Iterator[Directory]:
    opened = open_directory(gateway.data, None, open_vault(gateway.data))
    yield opened
    opened.close()


@pytest.fixture(scope="module", params=["keys", "sessions"])
def world(request: pytest.FixtureRequest, raw: Raw, directory: Directory) -> World:
    return World(raw, directory, f"p-{request.param}", with_sessions=request.param == "sessions")


@pytest.fixture(scope="module")
def columns(world: World) -> dict[str, Column]:
    return world.columns() | world.strangers()


def test_every_operation_is_in_the_table() -> None:
    assert TABLE.keys() == OPERATIONS.keys()


@pytest.mark.parametrize("operation", sorted(OPERATIONS))
def test_the_matrix(world: World, columns: dict[str, Column], operation: str) -> None:
    found = {name: world.outcome(operation, column) for name, column in columns.items()}
    expected = {name: cell for name, cell in TABLE[operation].items() if name in columns}
    assert format_row(operation, found) == format_row(operation, expected)


# ---------------------------------------------------------------- nothing leaks


@pytest.fixture(scope="module")
def people(columns: dict[str, Column]) -> dict[str, Caller]:
    return {name: column.caller for name, column in columns.items()}


def code(reply: Reply) -> tuple[int, str]:
    return reply.status, reply.code if b"<Error>" in reply.body else ""


def shape(reply: Reply) -> tuple[int, str, set[str]]:
    """What an answer tells, but for the ids and names that differ with each request."""
    return (*code(reply), set(reply.xml) if reply.body else set())


def test_what_is_anothers_is_to_an_importer_as_what_is_not_there(world: World) -> None:
    version = world.must(world.colleague, "PUT", f"/{OTHERS}/hidden/k", b"v").headers["x-amz-version-id"]
    queries = ["", "?versionId=HEAD", f"?versionId={version}", f"?versionId={version[:6]}", "?versionId=HEAD~500"]
    more = [f"{query}{'&' if query else '?'}{name}" for query in queries[:3] for name in ("tagging", "acl")]
    for bucket in (OTHERS, f"head-0.main.{OTHERS}", f"{version[:12]}.main.{OTHERS}", f"no-tag.main.{OTHERS}"):
        for method, asked in (("GET", queries + more), ("HEAD", queries)):
            told = {
                key: [shape(world.send(world.importer, method, f"/{bucket}/{key}{query}")) for query in asked]
                for key in ("hidden/k", "absent")
            }
            assert told["hidden/k"] == told["absent"]
            assert {answer[0] for answer in told["absent"]} == {403}


def test_an_importer_lists_what_he_wrote_and_no_trace_of_the_rest(world: World) -> None:
    for number in range(5):
        world.must(world.importer, "PUT", f"/{OTHERS}/list/mine-{number}/k", b"v")
        world.must(world.colleague, "PUT", f"/{OTHERS}/list/theirs-{number}/k", b"v")
    world.must(world.colleague, "PUT", f"/{OTHERS}/list/mine-0/theirs", b"v")
    expected = [f"list/mine-{number}/k" for number in range(5)]
    assert re.findall("<Key>(.*?)</Key>", listed(world, world.importer, "list-type=2&prefix=list/")) == expected
    assert re.findall("<Key>(.*?)</Key>", listed(world, world.importer, "versions&prefix=list/")) == expected
    folded = listed(world, world.importer, "delimiter=/&prefix=list/")
    assert re.findall("<CommonPrefixes><Prefix>(.*?)<", folded) == [f"list/mine-{number}/" for number in range(5)]
    page = listed(world, world.importer, "list-type=2&prefix=list/mine-4/&max-keys=1")
    assert "<IsTruncated>false</IsTruncated>" in page
    assert "theirs" not in folded + page
    assert listed(world, world.admin, "list-type=2&prefix=list/").count("<Key>") == 11


def test_an_importer_sees_a_key_no_longer_once_another_wrote_it(world: World) -> None:
    target = f"/{OTHERS}/list-once/k"
    version = world.must(world.importer, "PUT", target, b"mine").headers["x-amz-version-id"]
    assert world.send(world.importer, "HEAD", target).status == 200
    world.must(world.colleague, "PUT", target, b"theirs")
    assert world.send(world.importer, "HEAD", target).status == 403
    assert world.send(world.importer, "HEAD", f"{target}?versionId={version}").status == 200
    assert "list-once" not in listed(world, world.importer, "list-type=2")
    versions = listed(world, world.importer, "versions&prefix=list-once/")
    assert re.findall("<VersionId>(.*?)</VersionId>", versions) == [version]


def listed(world: World, caller: Caller, query: str) -> str:
    return world.must(caller, "GET", f"/{OTHERS}?{query}").body.decode()


def test_a_condition_tells_an_importer_no_etag(world: World) -> None:
    etag = world.must(world.colleague, "PUT", f"/{OTHERS}/conditional", b"v").headers["etag"]
    for headers in ({"If-None-Match": "*"}, {"If-Match": '"x"'}):
        reply = world.send(world.importer, "PUT", f"/{OTHERS}/conditional", b"w", headers)
        assert code(reply) == (412, "PreconditionFailed")
        assert etag.strip('"') not in reply.body.decode() + str(reply.headers)


def test_who_created_a_bucket_to_import_into_it_does_not_own_it(world: World, people: dict[str, Caller]) -> None:
    name = f"made-by-importer-{len(world.project)}"
    world.must(world.importer, "PUT", f"/{name}")
    assert code(world.send(world.importer, "PUT", f"/{name}"))[0] == 409
    assert code(world.send(world.colleague, "PUT", f"/{name}")) == (409, "BucketAlreadyExists")
    assert code(world.send(world.colleague, "PUT", f"/dev.{name}")) == (403, "AccessDenied")
    world.must(world.importer, "PUT", f"/dev.{name}")
    world.must(world.importer, "PUT", f"/{name}/k", b"v")
    world.must(world.colleague, "PUT", f"/{name}/other", b"v")
    assert world.send(world.importer, "HEAD", f"/{name}/k").status == 200
    for method, target in (("GET", "/k"), ("HEAD", "/other"), ("DELETE", "/k"), ("DELETE", ""), ("PUT", "?acl")):
        assert world.send(world.importer, method, f"/{name}{target}").status == 403, (method, target)
    assert code(world.send(people["export"], "GET", f"/{name}/k")) == (403, "AccessDenied")
    assert world.must(world.admin, "GET", f"/{name}/k").body == b"v"


def test_an_importer_opens_nothing_by_an_acl(world: World) -> None:
    for acl, status in (("public-read", 403), ("authenticated-read", 403), ("private", 200)):
        headers = {"x-amz-acl": acl}
        assert world.send(world.importer, "PUT", f"/{OTHERS}/acl", b"v", headers).status == status
        assert world.send(world.importer, "POST", f"/{OTHERS}/acl?uploads", b"", headers).status == status
        assert world.send(world.importer, "PUT", f"/acl-{acl}", b"", headers).status == status


def test_whom_list_buckets_tells_of_what(world: World, people: dict[str, Caller]) -> None:
    def told(caller: Caller) -> set[str]:
        return set(re.findall("<Name>(.*?)</Name>", world.must(caller, "GET", "/").body.decode()))

    assert told(people["export"]) == {EXPORTS}
    assert told(people["member"]) & {EXPORTS, OTHERS} == set()
    for name in ("owner", "import", "both", "admin"):
        assert {EXPORTS, OTHERS} <= told(people[name]), name
    assert told(people["foreign"]) & {EXPORTS, OTHERS} == set()


def test_export_ends_at_the_export_bucket_whatever_the_way(world: World, people: dict[str, Caller]) -> None:
    caller, both = people["export"], people["both"]
    outside = world.must(world.owner, "PUT", f"/{OTHERS}/secret", b"v").headers["x-amz-version-id"]
    world.must(world.owner, "PUT", f"/side.{EXPORTS}")
    aside = world.must(world.owner, "PUT", f"/side.{EXPORTS}/secret", b"v").headers["x-amz-version-id"]
    for target in (f"/{EXPORTS}/{THEIRS}", f"/main.{EXPORTS}/{THEIRS}", f"/head-0.main.{EXPORTS}/{THEIRS}"):
        assert world.send(caller, "GET", target).status == 200, target
    for bucket in (OTHERS, f"main.{OTHERS}", f"head-0.main.{OTHERS}", f"{outside[:12]}.main.{OTHERS}"):
        for query in ("", "?versionId=HEAD", "?tagging", "?attributes"):
            assert code(world.send(caller, "GET", f"/{bucket}/secret{query}")) == (403, "AccessDenied")
        assert code(world.send(caller, "GET", f"/{bucket}")) == (403, "AccessDenied")
        source = {"x-amz-copy-source": f"/{bucket}/secret"}
        assert code(world.send(both, "PUT", f"/{EXPORTS}/copied", b"", source)) == (403, "AccessDenied")
    assert code(world.send(caller, "GET", f"/side.{EXPORTS}/secret")) == (403, "AccessDenied")
    for version in (aside, aside[:10], outside, "side"):
        reply = world.send(caller, "GET", f"/{EXPORTS}/secret?versionId={version}")
        assert code(reply) == (404, "NoSuchVersion")
        assert "Candidates" not in reply.xml
    snapshot = world.send(caller, "GET", f"/{aside[:12]}.main.{EXPORTS}/secret")
    assert code(snapshot) == (404, "NoSuchBucket")


def test_who_exports_learns_of_no_other_bucket(world: World, people: dict[str, Caller]) -> None:
    for target in ("", "/k", "?versions", "/k?versionId=HEAD"):
        there, absent = (world.send(people["export"], "GET", f"/{name}{target}") for name in (OTHERS, "not-there"))
        assert shape(there) == shape(absent)
        assert code(there) == (403, "AccessDenied")


def test_a_presigned_url_reads_no_more_than_who_signed_it(world: World, people: dict[str, Caller]) -> None:
    for name, bucket, status in (("export", EXPORTS, 200), ("export", OTHERS, 403), ("import", OTHERS, 403)):
        assert world.presigned(people[name], f"/{bucket}/{THEIRS}").status == status, (name, bucket)


def test_a_refusal_does_not_tell_by_its_haste_what_is_there(world: World) -> None:
    """Both of the ways take a fraction of what is waited for."""
    for target in (f"/{OTHERS}/{THEIRS}", f"/{OTHERS}/absent", f"/{OTHERS}/{THEIRS}?versionId=HEAD"):
        for _ in range(5):
            began = time.monotonic()
            assert world.send(world.importer, "HEAD", target).status == 403
            assert time.monotonic() - began >= 0.01


def test_what_is_public_is_so_to_nobody_outside_of_the_project(world: World) -> None:
    world.must(world.owner, "PUT", "/wide-open", b"", **{"x-amz-acl": "public-read-write"})
    world.must(world.owner, "PUT", "/wide-open/k", b"v", **{"x-amz-acl": "public-read"})
    policy = {"Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": "arn:aws:s3:::wide-open*"}
    world.must(world.owner, "PUT", "/wide-open?policy", json.dumps({"Statement": policy}).encode())
    forged = replace(world.admin, secret="wrong")
    for method, target in (("GET", "/wide-open/k"), ("GET", "/wide-open"), ("PUT", "/wide-open/new")):
        assert code(world.send(NOBODY, method, target)) == (404, "NoSuchBucket")
        named = f"X-Amz-Credential={world.admin.access_key}%2F20261121%2Fr%2Fs3%2Faws4_request"
        assert world.send(NOBODY, method, f"{target}?{named}").status in (400, 403, 404)
        assert code(world.send(forged, method, target)) == (403, "SignatureDoesNotMatch")
    assert code(world.send(world.importer, "GET", "/wide-open/k")) == (403, "AccessDenied")


def test_a_preflight_tells_no_absent_bucket_from_one_without_rules(world: World) -> None:
    world.must(world.owner, "PUT", "/no-rules")
    headers = {"Origin": "https://a.example", "Access-Control-Request-Method": "GET"}
    there, absent = (
        world.send(world.importer, "OPTIONS", f"/{name}/k", b"", headers) for name in ("no-rules", "not-there")
    )
    assert shape(there) == shape(absent)
    assert code(there) == (403, "AccessForbidden")


def test_the_rest_api_is_for_those_who_govern(world: World, people: dict[str, Caller], gateway: Server) -> None:
    def status(name: str) -> int:
        return world.send(people[name], "GET", f"{PREFIX}/repos/{OTHERS}").status

    assert [status(name) for name in ("admin", "owner")] == [200, 200]
    assert {status(name) for name in ("member", "import", "export", "both", "no-right", "foreign")} == {404}
    listed = world.send(people["import"], "GET", f"{PREFIX}/repos")
    assert json.loads(listed.body)["repos"] == []


# ---------------------------------------------------------------- decided before anything is read


def test_what_is_refused_is_refused_before_its_body_is_read(world: World, people: dict[str, Caller]) -> None:
    policy = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::watched/*"}
    world.must(world.owner, "PUT", "/watched")
    world.must(world.owner, "PUT", "/watched/k", b"v")
    world.must(world.owner, "PUT", "/watched?policy", json.dumps({"Statement": policy}).encode())
    upload = world.must(world.owner, "POST", "/watched/k?uploads").xml["UploadId"]
    targets = [("PUT", "/watched/k?acl"), ("PUT", "/watched/k?tagging"), ("POST", "/watched?delete")]
    targets.append(("POST", f"/watched/k?uploadId={upload}"))
    for name in ("member", "import", "export"):
        for method, target in targets:
            reply = world.send(people[name], method, target, b"<not xml")
            hidden = name == "import" and "uploadId" in target  # he may have uploads here, and this is none of them
            assert code(reply) == ((404, "NoSuchUpload") if hidden else (403, "AccessDenied")), (name, target)
    for method, target in targets:
        assert code(world.send(world.owner, method, target, b"<not xml"))[0] == 400, target


def test_an_upload_is_its_initiators(world: World, people: dict[str, Caller]) -> None:
    """Also where all members may write: knowing its id is not enough."""
    member = people["member"]
    world.must(world.owner, "PUT", "/shared", b"", **{"x-amz-acl": "authenticated-read"})
    world.must(world.owner, "PUT", "/shared?acl", b"", **{"x-amz-acl": "public-read-write"})
    theirs = world.must(world.importer, "POST", "/shared/k?uploads").xml["UploadId"]
    his = world.must(member, "POST", "/shared/k?uploads").xml["UploadId"]
    for upload, status in ((theirs, 404), ("0" * 32, 404), (his, 200)):
        assert world.send(member, "PUT", f"/shared/k?partNumber=1&uploadId={upload}", b"v").status == status
        assert world.send(member, "GET", f"/shared/k?uploadId={upload}").status == status
    body = b"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber></Part></CompleteMultipartUpload>"
    assert code(world.send(member, "POST", f"/shared/k?uploadId={theirs}", body)) == (404, "NoSuchUpload")
    assert world.send(member, "POST", f"/shared/k?uploadId={his}", body).status == 200
    assert code(world.send(member, "DELETE", f"/shared/k?uploadId={theirs}")) == (404, "NoSuchUpload")
    world.must(world.owner, "PUT", "/shared?acl", b"", **{"x-amz-acl": "private"})
    for upload in (theirs, "0" * 32):
        assert code(world.send(member, "GET", f"/shared/k?uploadId={upload}")) == (403, "AccessDenied")


def test_an_allowed_put_gives_neither_an_acl_nor_tags(world: World, people: dict[str, Caller]) -> None:
    policy = {"Effect": "Allow", "Principal": "*", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::by-policy/*"}
    world.must(world.owner, "PUT", "/by-policy")
    world.must(world.owner, "PUT", "/by-policy?policy", json.dumps({"Statement": policy}).encode())
    member = people["member"]
    statuses = [
        world.send(member, "PUT", "/by-policy/k", b"v", headers).status
        for headers in ({}, {"x-amz-acl": "private"}, {"x-amz-acl": "public-read"}, {"x-amz-tagging": "a=b"})
    ]
    assert statuses == [200, 200, 403, 403]
    tagging = "<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>"
    for field in ({"acl": "public-read"}, {"x-amz-tagging": "a=b"}, {"tagging": tagging}):
        assert code(world.post(member, "by-policy", **field)) == (403, "AccessDenied")
    assert world.post(member, "by-policy").status == 204


def test_a_versioned_delete_looks_no_further_than_the_buckets_own_past(world: World, people: dict[str, Caller]) -> None:
    policy = {"Effect": "Allow", "Principal": "*", "Action": "s3:Delete*", "Resource": "arn:aws:s3:::deleting/*"}
    for bucket in ("deleting", "aside.deleting"):
        world.must(world.owner, "PUT", f"/{bucket}")
    aside = world.must(world.owner, "PUT", "/aside.deleting/k", b"v").headers["x-amz-version-id"]
    own = world.must(world.owner, "PUT", "/deleting/k", b"v").headers["x-amz-version-id"]
    world.must(world.owner, "PUT", "/deleting?policy", json.dumps({"Statement": policy}).encode())
    for version, answer in (
        (aside, (404, "NoSuchVersion")),
        ("0" * 64, (404, "NoSuchVersion")),
        (own, (405, "MethodNotAllowed")),
    ):
        assert code(world.send(people["member"], "DELETE", f"/deleting/k?versionId={version}")) == answer


def test_a_default_project_of_two_factors_is_open_to_nobody_unsigned(serve: Callable[..., Server]) -> None:
    server = serve(workers=1)
    s3, raw = server.client(), Raw(server)
    s3.create_bucket(Bucket="public", ACL="public-read")
    s3.put_object(Bucket="public", Key="k", Body=b"v", ACL="public-read")
    assert raw.request("GET", "/public/k", sign=False).status == 200
    with contextlib.closing(open_directory(server.data, None, open_vault(server.data))) as directory:
        directory.set_policy("default", ProjectPolicy(requires_session=True))
    until(lambda: raw.request("GET", "/public/k", sign=False).status == 403, 5, "it to be closed")
    for target in ("/public", "/public/k", "/public/absent", "/absent"):
        assert code(raw.request("GET", target, sign=False)) == (403, "AccessDenied")
