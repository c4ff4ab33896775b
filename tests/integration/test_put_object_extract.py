"""Batches of small files: an archive put with `snowball-auto-extract` becomes many objects, in one commit or none."""

from __future__ import annotations

import base64
import hashlib
import io
import itertools
import json
import os
import tarfile
import threading
import zlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from blake3 import blake3

from gateway.client.connection import Connection
from tests.archives import BATCH, END, header, member, tar_of, tar_of_members

from . import chunks
from .awscli import Aws
from .raw import Raw, Reply
from .refusals import refused
from .server import Server, until

AUTO = {"snowball-auto-extract": "true"}
FILES = {"a": b"one", "dir/b": b"", "dir/ü +": os.urandom(5000)}


def put(s3: Any, bucket: str, archive: bytes, options: Mapping[str, str] | None = None, **more: Any) -> Any:
    return s3.put_object(Bucket=bucket, Key="batch.tar", Body=archive, Metadata={**AUTO, **(options or {})}, **more)


def keys(s3: Any, bucket: str) -> Sequence[str]:
    return [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket).get("Contents", [])]


def contents(s3: Any, bucket: str) -> dict[str, bytes]:
    return {key: s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys(s3, bucket)}


def log(api: Connection, repo: str) -> Sequence[Any]:
    found: Sequence[Any] = api.call("log", repo=repo, branch="main").commits
    return found


# ---------------------------------------------------------------- one commit


@pytest.mark.parametrize("mode", ["w", "w:gz"])
@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_all_files_become_objects_in_one_commit(s3: Any, api: Connection, bucket: str, mode: str, form: int) -> None:
    archive = tar_of(FILES, mode=mode, form=form)
    done = put(s3, bucket, archive)
    assert done["ETag"] == f'"{blake3(archive).hexdigest()}-1"'
    assert contents(s3, bucket) == FILES
    assert {s3.head_object(Bucket=bucket, Key=key)["VersionId"] for key in FILES} == {done["VersionId"]}
    (commit,) = (one for one in log(api, bucket) if one.parents)
    assert (commit.id, commit.message) == (done["VersionId"], "put 3 keys")
    head = s3.head_object(Bucket=bucket, Key="a")
    assert (head["ContentType"], head["Metadata"]) == ("binary/octet-stream", {})
    assert head["ETag"] == f'"{blake3(b"one").hexdigest()}-1"'


def test_the_commit_has_the_message_that_was_sent(raw: Raw, api: Connection, bucket: str) -> None:
    headers = {**BATCH, "x-caret-message": "a batch, größer"}
    assert raw.request("PUT", f"/{bucket}/b.tar", headers, tar_of(FILES)).status == 200
    assert log(api, bucket)[0].message == "a batch, größer"


def test_directories_become_markers_unless_they_are_left_out(s3: Any, bucket: str) -> None:
    archive = tar_of({"./full/f": b"v"}, directories=[".", "./empty", "./full"])
    put(s3, bucket, archive, {"minio-snowball-ignore-dirs": "true", "minio-snowball-prefix": "without"})
    put(s3, bucket, archive, {"minio-snowball-prefix": "/with/"})
    assert keys(s3, bucket) == ["with/empty/", "with/full/", "with/full/f", "without/full/f"]


def test_of_a_path_that_comes_twice_the_last_one_stays(s3: Any, bucket: str) -> None:
    done = put(s3, bucket, tar_of([("k", b"first"), ("other", b"o"), ("./k", b"last")]))
    assert contents(s3, bucket) == {"k": b"last", "other": b"o"}
    assert len(s3.list_object_versions(Bucket=bucket)["Versions"]) == 2
    assert s3.head_object(Bucket=bucket, Key="k")["VersionId"] == done["VersionId"]


def test_a_batch_replaces_what_was_there_and_the_older_state_is_kept(s3: Any, bucket: str) -> None:
    before = s3.put_object(Bucket=bucket, Key="a", Body=b"before", Metadata={"old": "1"})["VersionId"]
    put(s3, bucket, tar_of(FILES))
    assert s3.get_object(Bucket=bucket, Key="a")["Body"].read() == b"one"
    assert s3.get_object(Bucket=bucket, Key="a", VersionId=before)["Body"].read() == b"before"


def test_large_files_and_small_ones_go_together(s3: Any, bucket: str) -> None:
    files = {"small": b"s", "large": os.urandom(3 << 20), "edge": os.urandom(65536), "beyond": os.urandom(65537)}
    put(s3, bucket, tar_of(files))
    assert contents(s3, bucket) == files


def test_a_file_without_headers_has_those_of_no_archive_and_its_own_are_kept(s3: Any, bucket: str) -> None:
    records = {
        "own": {
            "minio.metadata.X-Amz-Meta-Mtime": "1700000000.5",
            "minio.metadata.content-type": "text/x-own",
            "minio.metadata.x-amz-tagging": "own=1&two=2",
        }
    }
    archive = tar_of({"own": b"1", "plain": b"2"}, records=records)
    put(s3, bucket, archive, {"of": "the archive"}, ContentType="application/x-tar", Tagging="all=1", ACL="public-read")
    own, plain = (s3.head_object(Bucket=bucket, Key=key) for key in ("own", "plain"))
    assert (own["ContentType"], own["Metadata"]) == ("text/x-own", {"mtime": "1700000000.5"})
    assert (plain["ContentType"], plain["Metadata"]) == ("binary/octet-stream", {})
    tags = [s3.get_object_tagging(Bucket=bucket, Key=key)["TagSet"] for key in ("own", "plain")]
    assert tags == [[{"Key": "own", "Value": "1"}, {"Key": "two", "Value": "2"}], [{"Key": "all", "Value": "1"}]]
    for key in ("own", "plain"):
        assert len(s3.get_object_acl(Bucket=bucket, Key=key)["Grants"]) == 2


def test_anything_but_true_is_an_ordinary_put(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"no archive", Metadata={"snowball-auto-extract": "false"})
    assert s3.head_object(Bucket=bucket, Key="k")["Metadata"] == {"snowball-auto-extract": "false"}


def test_a_transactions_bucket_takes_batches_as_any(s3: Any, api: Connection, bucket: str) -> None:
    begun = api.call("begin_transaction", repo=bucket, branch="main")
    for number in range(3):
        put(s3, begun.bucket, tar_of({f"{number}/{name}": content for name, content in FILES.items()}))
    assert keys(s3, bucket) == []
    done = api.call("commit_transaction", repo=bucket, id=begun.id)
    assert len(keys(s3, bucket)) == 9
    assert s3.head_object(Bucket=bucket, Key="2/a")["VersionId"] == done.commit_id


def test_readers_never_see_a_part_of_a_batch(s3: Any, bucket: str) -> None:
    names = [f"k{number}" for number in range(200)]
    done = threading.Event()

    def write() -> None:
        for turn in range(8):
            put(s3, bucket, tar_of(dict.fromkeys(names, b"%d" % turn)))
        done.set()

    seen = set()
    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(write)
        while not done.is_set() and not writing.done():
            page = s3.list_objects_v2(Bucket=bucket)
            seen.add((page["KeyCount"], len({entry["ETag"] for entry in page.get("Contents", [])})))
        writing.result()
    assert seen <= {(0, 0), (200, 1)}


def test_concurrent_batches_are_one_commit_each(s3: Any, api: Connection, bucket: str) -> None:
    archives = [
        tar_of({f"{number}/{name}": b"v" for name in "abc"} | {"shared": b"%d" % number}) for number in range(8)
    ]
    with ThreadPoolExecutor(8) as pool:
        ids = {done["VersionId"] for done in pool.map(lambda archive: put(s3, bucket, archive), archives)}
    assert {one.id for one in log(api, bucket) if one.parents} == ids
    assert len(ids) == 8
    assert len(keys(s3, bucket)) == 25


def test_aws_cli_puts_batches(aws: Aws, s3: Any, bucket: str) -> None:
    target = f"s3://{bucket}/batch.tar.gz"
    aws("s3", "cp", "-", target, "--metadata", "snowball-auto-extract=true", stdin=tar_of(FILES, mode="w:gz"))
    assert contents(s3, bucket) == FILES


# ---------------------------------------------------------------- the body is proved before anything shows


def checked(raw: Raw, bucket: str, headers: Mapping[str, str], body: bytes, **signing: Any) -> Reply:
    return raw.request("PUT", f"/{bucket}/b.tar", {**BATCH, **headers}, body, **signing)


def crc(data: bytes) -> str:
    return base64.b64encode(zlib.crc32(data).to_bytes(4, "big")).decode()


def test_digests_are_of_the_archive_and_given_back(raw: Raw, s3: Any, bucket: str) -> None:
    archive = tar_of(FILES)
    md5 = base64.b64encode(hashlib.md5(archive, usedforsecurity=False).digest()).decode()
    reply = checked(raw, bucket, {"x-amz-checksum-crc32": crc(archive), "Content-MD5": md5}, archive)
    assert (reply.status, reply.headers["x-amz-checksum-crc32"]) == (200, crc(archive))
    assert len(keys(s3, bucket)) == len(FILES)
    assert "ChecksumCRC32" not in s3.head_object(Bucket=bucket, Key="a", ChecksumMode="ENABLED")


BROKEN = tar_of(FILES)[:700] + b"!" + tar_of(FILES)[701:]


@pytest.mark.parametrize("archive", [tar_of(FILES), BROKEN, b"none at all"])
def test_a_wrong_digest_is_told_whatever_the_archive_is(raw: Raw, s3: Any, bucket: str, archive: bytes) -> None:
    wrong = {"Content-MD5": base64.b64encode(bytes(16)).decode()}
    assert checked(raw, bucket, wrong, archive).code == "BadDigest"
    assert checked(raw, bucket, {"x-amz-checksum-crc32": crc(b"other")}, archive).code == "BadDigest"
    assert checked(raw, bucket, {}, archive, payload=hashlib.sha256(b"other").hexdigest()).code == (
        "XAmzContentSHA256Mismatch"
    )
    assert keys(s3, bucket) == []


@pytest.mark.parametrize("is_right", [True, False])
def test_a_trailer_is_verified_first(raw: Raw, s3: Any, bucket: str, is_right: bool) -> None:
    archive = tar_of(FILES)
    trailer = {"x-amz-checksum-crc32": crc(archive if is_right else b"other")}
    pieces = [archive[at : at + 1000] for at in range(0, len(archive), 1000)]
    headers = {"x-amz-decoded-content-length": str(len(archive)), "x-amz-trailer": "x-amz-checksum-crc32"}
    body = chunks.unsigned_body(pieces, trailer)
    reply = checked(raw, bucket, headers, body, payload=chunks.UNSIGNED_TRAILER)
    assert (reply.status, len(keys(s3, bucket))) == ((200, 3) if is_right else (400, 0))


@pytest.mark.parametrize("is_right", [True, False])
def test_signed_chunks_are_verified_first(raw: Raw, s3: Any, bucket: str, is_right: bool) -> None:
    archive = tar_of(FILES)
    headers = {**BATCH, "x-amz-decoded-content-length": str(len(archive))}
    target = f"/{bucket}/b.tar"
    body = chunks.signed_body([archive], raw.signed("PUT", target, headers)[1])
    unsigned = {"Content-Length": str(len(body)), "Connection": "close"}
    head, signature = raw.signed("PUT", target, headers, payload=chunks.SIGNED, unsigned=unsigned)
    body = chunks.signed_body([archive], signature)
    if not is_right:
        body = body.replace(b"one", b"two")
    with raw.connect() as connection:
        connection.send(head + body)
        status = connection.reply("PUT").status
    assert (status, len(keys(s3, bucket))) == ((200, 3) if is_right else (403, 0))


# ---------------------------------------------------------------- refused, and nothing shows

MANY = tar_of_members(*(member(f"d{number}", type=tarfile.DIRTYPE) for number in range(10_001)))


@pytest.mark.parametrize(
    ("archive", "code"),
    [
        (b"", "InvalidRequest"),
        (b"this is no archive", "InvalidRequest"),
        (END, "InvalidRequest"),
        (tar_of({"good": b"v"})[:-9000], "InvalidRequest"),
        (tar_of({"good": b"v"}, mode="w:gz")[:-10], "InvalidRequest"),
        (tar_of({"good": b"v"}, mode="w:bz2"), "InvalidRequest"),
        (tar_of({"good": b"v"}) + b"more", "InvalidRequest"),
        (header(b"good") + header(b"long", b"%011o\0" % 70_000, b"L") + END, "InvalidRequest"),
        (tar_of({"good": b"v", "../up": b"v"}), "InvalidArgument"),
        (tar_of({"good": b"v", "a/../../up": b"v"}), "InvalidArgument"),
        (tar_of({"good": b"v", "": b"v"}), "InvalidArgument"),
        (header(b"good") + header(b"\xff\xfe") + END, "InvalidArgument"),
        (header(b"good") + header(b"../\xff\x01") + END, "InvalidArgument"),
        (header(b"good") + header(b"\xff\x02", kind=b"2") + END, "InvalidArgument"),
        (tar_of({"good": b"v", "k" * 1025: b"v"}), "KeyTooLongError"),
        (
            tar_of({"good": b"v"})[:1024] + tar_of_members(member("l", type=tarfile.SYMTYPE, linkname="/")),
            "InvalidArgument",
        ),
        (
            tar_of({"good": b"v"})[:1024] + tar_of_members(member("l", type=tarfile.LNKTYPE, linkname="good")),
            "InvalidArgument",
        ),
        (tar_of({"good": b"v"})[:1024] + tar_of_members(member("l", type=tarfile.CHRTYPE)), "InvalidArgument"),
        (header(b"good") + header(b"sparse", kind=b"S") + END, "InvalidArgument"),
        (
            tar_of({"good": b"v", "f": b"v"}, records={"f": {"minio.metadata.x-amz-meta-a": "b" * 3000}}),
            "MetadataTooLarge",
        ),
        (
            tar_of({"good": b"v", "f": b"v"}, records={"f": {"minio.metadata.x-amz-meta-a": "b\r\nc: d"}}),
            "InvalidArgument",
        ),
        (tar_of({"good": b"v", "f": b"v"}, records={"f": {"minio.metadata.x-amz-acl": "odd"}}), "InvalidArgument"),
        (MANY, "EntityTooLarge"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",  # an archive's bytes tell the time
)
def test_a_bad_archive_leaves_nothing(raw: Raw, s3: Any, bucket: str, archive: bytes, code: str) -> None:
    reply = checked(raw, bucket, {}, archive)
    assert (reply.status, reply.code) == (400, code), reply
    assert keys(s3, bucket) == []


def test_what_a_batch_does_not_offer_is_refused(raw: Raw, s3: Any, bucket: str) -> None:
    archive = tar_of(FILES)
    for headers in ({"If-None-Match": "*"}, {"If-Match": '"e"'}, {"x-amz-meta-minio-snowball-ignore-errors": "true"}):
        assert checked(raw, bucket, headers, archive).code == "NotImplemented"
    with refused("NotImplemented", 501):
        s3.create_multipart_upload(Bucket=bucket, Key="batch.tar", Metadata=AUTO)
    assert keys(s3, bucket) == []


def test_snapshot_buckets_and_protected_branches_take_none(raw: Raw, s3: Any, api: Connection, bucket: str) -> None:
    head = put(s3, bucket, tar_of({"before": b"v"}))["VersionId"]
    assert checked(raw, f"{head[:12]}.main.{bucket}", {}, tar_of(FILES)).code == "AccessDenied"
    api.call("protect", repo=bucket, pattern="main")
    assert checked(raw, bucket, {}, tar_of(FILES)).code == "AccessDenied"
    assert keys(s3, bucket) == ["before"]
    assert checked(raw, "no-such-bucket", {}, tar_of(FILES)).code == "NoSuchBucket"


def test_a_bucket_that_is_deleted_meanwhile_takes_none(raw: Raw, s3: Any, bucket: str) -> None:
    archive = tar_of(FILES)
    with raw.connect() as connection:
        head, _ = raw.signed("PUT", f"/{bucket}/b.tar", BATCH, unsigned={"Content-Length": str(len(archive))})
        connection.send(head + archive[:1000])
        until(lambda: connection.is_silent(0.2), 5, "the server to wait")
        s3.delete_bucket(Bucket=bucket)
        connection.send(archive[1000:])
        assert connection.reply("PUT").code == "NoSuchBucket"


def test_a_client_that_vanishes_leaves_nothing(serve: Callable[..., Server]) -> None:
    server = serve(workers=1)
    raw, s3 = Raw(server), server.client()
    s3.create_bucket(Bucket="bucket")
    archive = tar_of({"small": b"s", "large": os.urandom(4 << 20), "last": b"l"})
    with raw.connect() as connection:
        head, _ = raw.signed("PUT", "/bucket/b.tar", BATCH, unsigned={"Content-Length": str(len(archive))})
        connection.send(head + archive[: 3 << 20])
        until(lambda: server.files("tmp"), 10, "the large file to be staged")
        connection.vanish()
    until(lambda: not server.files("tmp"), 10, "the staged file to go")
    assert keys(s3, "bucket") == []
    put(s3, "bucket", archive)
    assert keys(s3, "bucket") == ["large", "last", "small"]


# ---------------------------------------------------------------- who may


def policy(bucket: str, *actions: str) -> str:
    resource = f"arn:aws:s3:::{bucket}/in/*"
    statement = {"Effect": "Allow", "Principal": {"AWS": "ben"}, "Action": list(actions), "Resource": resource}
    return json.dumps({"Statement": statement})


NUMBERS = itertools.count(1)


@pytest.fixture
def open_bucket(shared_gateway: Server) -> tuple[Any, Any, str]:
    """ann's client, ben's, and a bucket of ann's into whose `in/` ben may put."""
    ann, ben = (shared_gateway.client(access_key=f"{n}-key", secret_key=f"{n}-secret") for n in ("ann", "ben"))
    name = f"opened-{next(NUMBERS)}"
    ann.create_bucket(Bucket=name)
    ann.put_bucket_policy(Bucket=name, Policy=policy(name, "s3:PutObject"))
    return ann, ben, name


def test_every_key_must_be_allowed(open_bucket: tuple[Any, Any, str]) -> None:
    ann, ben, name = open_bucket
    done = put(ben, name, tar_of(FILES), {"minio-snowball-prefix": "in"})  # the archive's own key is nobody's concern
    assert keys(ann, name) == [f"in/{key}" for key in sorted(FILES)]
    owner = ann.get_object_acl(Bucket=name, Key="in/a")["Owner"]
    assert (owner["ID"], ann.head_object(Bucket=name, Key="in/a")["VersionId"]) == ("ben", done["VersionId"])
    with refused("AccessDenied", 403):
        put(ben, name, tar_of({"in/fine": b"v", "elsewhere": b"v"}))
    assert "in/fine" not in keys(ann, name)


def test_tags_and_acls_need_their_own_actions_also_of_single_files(open_bucket: tuple[Any, Any, str]) -> None:
    ann, ben, name = open_bucket
    tagged = tar_of({"in/f": b"v", "in/g": b"v"}, records={"in/g": {"minio.metadata.x-amz-tagging": "a=b"}})
    opened = tar_of({"in/f": b"v", "in/g": b"v"}, records={"in/g": {"minio.metadata.x-amz-acl": "public-read"}})
    for archive in (tagged, opened):
        with refused("AccessDenied", 403):
            put(ben, name, archive)
    with refused("AccessDenied", 403):
        put(ben, name, tar_of({"in/f": b"v"}), Tagging="a=b")
    assert keys(ann, name) == []
    ann.put_bucket_policy(Bucket=name, Policy=policy(name, "s3:PutObject", "s3:PutObjectTagging"))
    put(ben, name, tagged)
    assert keys(ann, name) == ["in/f", "in/g"]


def test_who_may_put_nothing_is_refused_before_the_body(
    open_bucket: tuple[Any, Any, str], shared_gateway: Server
) -> None:
    ann, _, name = open_bucket
    ann.delete_bucket_policy(Bucket=name)
    raw = Raw(shared_gateway)
    with raw.connect() as connection:
        expecting = {"Content-Length": "10240", "Expect": "100-continue"}
        head, _ = raw.signed(
            "PUT", f"/{name}/in/b.tar", BATCH, unsigned=expecting, access_key="ben-key", secret_key="ben-secret"
        )
        connection.send(head)
        assert connection.reply("PUT").code == "AccessDenied"
    assert keys(ann, name) == []


def test_a_presigned_url_can_not_be_made_a_batch(s3: Any, raw: Raw, bucket: str) -> None:
    url = s3.generate_presigned_url("put_object", {"Bucket": bucket, "Key": "k"})
    target = url.removeprefix(raw.server.url)
    reply = raw.request("PUT", target, BATCH, tar_of(FILES), sign=False)
    assert reply.status == 403
    assert keys(s3, bucket) == []


# ---------------------------------------------------------------- bounds


def test_what_does_not_fit_into_memory_waits_in_files(s3: Any, gateway: Server, bucket: str) -> None:
    """More small bytes than are held: the rest is staged, and reads alike."""
    block = os.urandom(60_000)
    files = {f"{number:04}": b"%04d" % number + block for number in range(1150)}
    before = len(gateway.files("blobs"))
    put(s3, bucket, tar_of(files))
    assert len(gateway.files("blobs")) > before
    for key in ("0000", "1148", "1149"):
        assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == files[key]
    assert len(s3.list_objects_v2(Bucket=bucket, StartAfter="0999")["Contents"]) == 150


def test_a_bomb_is_unpacked_at_constant_memory(serve: Callable[..., Server]) -> None:
    server = serve(workers=1)
    s3 = server.client()
    s3.create_bucket(Bucket="bucket")
    put(s3, "bucket", tar_of({"f": b"v"}, mode="w:gz"))
    before = peak(server)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=1) as archive:
        archive.addfile(member("zeros", size=200 << 20), Zeros())
    put(s3, "bucket", buffer.getvalue())
    assert s3.head_object(Bucket="bucket", Key="zeros")["ContentLength"] == 200 << 20
    assert peak(server) - before < 30 << 10


class Zeros(io.RawIOBase):
    def read(self, size: int = -1) -> bytes:
        return bytes(size)


def peak(server: Server) -> int:
    """KiB of the hungriest process of the gateway, at its most."""
    assert server.process is not None
    children = f"/proc/{server.process.pid}/task/{server.process.pid}/children"
    with open(children) as file:
        workers = file.read().split()
    found = []
    for worker in workers:
        with open(f"/proc/{worker}/status") as file:
            found += [int(line.split()[1]) for line in file if line.startswith("VmHWM")]
    return max(found)
