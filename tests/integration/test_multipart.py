"""Multipart uploads: parts are staged and invisible; completing joins them by reference."""

from __future__ import annotations

import base64
import hashlib
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from awscrt.checksums import crc64nvme
from blake3 import blake3

from .awscli import Aws
from .raw import Raw
from .refusals import refused
from .server import Server

LEAST = 5 << 20  # the smallest part but the last
FIRST, LAST = os.urandom(LEAST), os.urandom(1000)


class Upload:
    """One upload of the key `k`, as boto3's arguments."""

    def __init__(self, s3: Any, bucket: str, **settings: Any) -> None:
        self.s3 = s3
        self.key = {"Bucket": bucket, "Key": "k"}
        self.which = {**self.key, "UploadId": s3.create_multipart_upload(**self.key, **settings)["UploadId"]}

    def part(self, number: int, body: bytes, **settings: Any) -> dict[str, Any]:
        """The entry for `complete`."""
        answer = self.s3.upload_part(**self.which, PartNumber=number, Body=body, **settings)
        checksums = {name: value for name, value in answer.items() if name.startswith("Checksum")}
        return {"PartNumber": number, "ETag": answer["ETag"], **checksums}

    def complete(self, *parts: dict[str, Any], **settings: Any) -> Any:
        return self.s3.complete_multipart_upload(**self.which, MultipartUpload={"Parts": list(parts)}, **settings)

    def content(self) -> bytes:
        body: bytes = self.s3.get_object(**self.key)["Body"].read()
        return body


@pytest.fixture
def upload(s3: Any, bucket: str) -> Upload:
    return Upload(s3, bucket)


def test_parts_become_one_object(upload: Upload) -> None:
    done = upload.complete(upload.part(1, FIRST), upload.part(2, LAST))
    digests = blake3(FIRST).digest() + blake3(LAST).digest()
    assert done["ETag"] == f'"{blake3(digests).hexdigest()}-2"'
    assert upload.content() == FIRST + LAST
    head = upload.s3.head_object(**upload.key)
    assert (head["ETag"], head["VersionId"]) == (done["ETag"], done["VersionId"])
    assert (done["Bucket"], done["Key"]) == (upload.key["Bucket"], "k")
    across = upload.s3.get_object(**upload.key, Range=f"bytes={LEAST - 10}-{LEAST + 9}")
    assert across["Body"].read() == FIRST[-10:] + LAST[:10]


def test_one_part_has_the_etag_of_its_content(upload: Upload) -> None:
    part = upload.part(7, LAST)
    assert part["ETag"] == f'"{blake3(LAST).hexdigest()}-1"'
    assert upload.complete(part)["ETag"] == part["ETag"]


def test_nothing_is_visible_before_completion(upload: Upload) -> None:
    upload.part(1, FIRST)
    with refused("NoSuchKey", 404):
        upload.s3.get_object(**upload.key)
    assert upload.s3.list_objects_v2(Bucket=upload.key["Bucket"])["KeyCount"] == 0
    assert "Versions" not in upload.s3.list_object_versions(Bucket=upload.key["Bucket"])


def test_what_creation_said_of_the_object_is_kept(s3: Any, bucket: str) -> None:
    upload = Upload(s3, bucket, ContentType="a/b", Metadata={"colour": "blue"}, CacheControl="no-cache")
    upload.complete(upload.part(1, LAST))
    head = s3.head_object(**upload.key)
    assert (head["ContentType"], head["Metadata"], head["CacheControl"]) == ("a/b", {"colour": "blue"}, "no-cache")


def test_a_part_can_be_sent_again(upload: Upload) -> None:
    upload.part(1, b"first try")
    upload.complete(upload.part(1, b"second try"))
    assert upload.content() == b"second try"


def test_numbers_may_have_gaps_and_parts_come_in_any_order(upload: Upload) -> None:
    last, first = upload.part(10_000, LAST), upload.part(3, FIRST)
    upload.complete(first, last)
    assert upload.content() == FIRST + LAST


def test_parts_that_are_not_named_are_dropped(upload: Upload) -> None:
    upload.part(1, b"dropped")
    upload.complete(upload.part(2, b"kept"))
    assert upload.content() == b"kept"


def test_completing_twice_gives_the_same_answer(upload: Upload) -> None:
    part = upload.part(1, LAST)
    first, second = upload.complete(part), upload.complete(part)
    assert (first["ETag"], first["VersionId"]) == (second["ETag"], second["VersionId"])
    assert len(upload.s3.list_object_versions(Bucket=upload.key["Bucket"])["Versions"]) == 1


def test_a_small_part_may_only_be_the_last(upload: Upload) -> None:
    small, last = upload.part(1, LAST), upload.part(2, LAST)
    with refused("EntityTooSmall", 400):
        upload.complete(small, last)
    upload.complete(upload.part(1, FIRST), last)


def test_parts_must_exist_with_their_etag(upload: Upload) -> None:
    part = upload.part(1, LAST)
    with refused("InvalidPart", 400):
        upload.complete({"PartNumber": 2, "ETag": part["ETag"]})
    with refused("InvalidPart", 400):
        upload.complete({"PartNumber": 1, "ETag": f'"{blake3(b"other").hexdigest()}-1"'})
    upload.complete(part)


def test_parts_must_be_in_order(upload: Upload) -> None:
    first, last = upload.part(1, FIRST), upload.part(2, LAST)
    with refused("InvalidPartOrder", 400):
        upload.complete(last, first)
    upload.complete(first, last, last)  # a client that sent a part again may list it again
    assert upload.content() == FIRST + LAST


def test_etags_in_a_foreign_format_are_ignored(upload: Upload) -> None:
    upload.part(1, LAST)
    upload.complete({"PartNumber": 1, "ETag": hashlib.md5(LAST, usedforsecurity=False).hexdigest()})
    assert upload.content() == LAST


def test_etags_count_without_their_quotes_too(upload: Upload) -> None:
    upload.complete({"PartNumber": 1, "ETag": upload.part(1, LAST)["ETag"].strip('"')})
    assert upload.content() == LAST


@pytest.mark.parametrize(
    "body", [b"", b"<CompleteMultipartUpload></CompleteMultipartUpload>", b"<CompleteMultipartUpload><Part>"]
)
def test_completing_with_nothing_is_malformed(raw: Raw, upload: Upload, body: bytes) -> None:
    target = f"/{upload.key['Bucket']}/k?uploadId={upload.which['UploadId']}"
    reply = raw.request("POST", target, body=body)
    assert (reply.status, reply.code) == (400, "MalformedXML")


@pytest.mark.parametrize("number", ["0", "10001", "-1", "x"])
def test_part_numbers_run_from_1_to_10000(raw: Raw, upload: Upload, number: str) -> None:
    target = f"/{upload.key['Bucket']}/k?partNumber={number}&uploadId={upload.which['UploadId']}"
    reply = raw.request("PUT", target, body=b"x")
    assert (reply.status, reply.code) == (400, "InvalidArgument")


@pytest.mark.parametrize("upload_id", ["unknown", "0" * 32, "../../etc"])
def test_an_unknown_upload_is_refused_everywhere(s3: Any, bucket: str, upload_id: str) -> None:
    which = {"Bucket": bucket, "Key": "k", "UploadId": upload_id}
    parts = {"Parts": [{"PartNumber": 1, "ETag": '"x"'}]}
    calls: list[Callable[[], Any]] = [
        lambda: s3.upload_part(**which, PartNumber=1, Body=b"x"),
        lambda: s3.upload_part_copy(**which, PartNumber=1, CopySource={"Bucket": bucket, "Key": "k"}),
        lambda: s3.list_parts(**which),
        lambda: s3.complete_multipart_upload(**which, MultipartUpload=parts),
        lambda: s3.abort_multipart_upload(**which),
    ]
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    for call in calls:
        with refused("NoSuchUpload", 404):
            call()


def test_an_upload_belongs_to_its_key(s3: Any, upload: Upload) -> None:
    with refused("NoSuchUpload", 404):
        s3.upload_part(**{**upload.which, "Key": "another"}, PartNumber=1, Body=b"x")


def test_an_aborted_upload_is_gone(upload: Upload) -> None:
    part = upload.part(1, LAST)
    assert upload.s3.abort_multipart_upload(**upload.which)["ResponseMetadata"]["HTTPStatusCode"] == 204
    with refused("NoSuchUpload", 404):
        upload.complete(part)
    with refused("NoSuchUpload", 404):
        upload.part(2, LAST)
    assert "Uploads" not in upload.s3.list_multipart_uploads(Bucket=upload.key["Bucket"])


def test_parts_are_listed_in_pages(upload: Upload) -> None:
    sent = [upload.part(number, b"x" * number) for number in (1, 2, 5)]
    whole = upload.s3.list_parts(**upload.which)
    assert [(part["PartNumber"], part["ETag"], part["Size"]) for part in whole["Parts"]] == [
        (part["PartNumber"], part["ETag"], part["PartNumber"]) for part in sent
    ]
    page = upload.s3.list_parts(**upload.which, MaxParts=2)
    assert (page["IsTruncated"], page["NextPartNumberMarker"]) == (True, 2)
    rest = upload.s3.list_parts(**upload.which, PartNumberMarker=2)
    assert ([part["PartNumber"] for part in rest["Parts"]], rest["IsTruncated"]) == ([5], False)


def test_uploads_are_listed_with_prefixes_and_in_pages(s3: Any, bucket: str) -> None:
    started = [
        (key, s3.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]) for key in ("a/1", "a/2", "b", "c", "c")
    ]
    listed = s3.list_multipart_uploads(Bucket=bucket)
    assert sorted((one["Key"], one["UploadId"]) for one in listed["Uploads"]) == sorted(started)
    assert [one["Key"] for one in listed["Uploads"]] == ["a/1", "a/2", "b", "c", "c"]
    grouped = s3.list_multipart_uploads(Bucket=bucket, Delimiter="/")
    assert grouped["CommonPrefixes"] == [{"Prefix": "a/"}]
    assert [one["Key"] for one in grouped["Uploads"]] == ["b", "c", "c"]
    assert [one["Key"] for one in s3.list_multipart_uploads(Bucket=bucket, Prefix="a/")["Uploads"]] == ["a/1", "a/2"]
    pages = s3.get_paginator("list_multipart_uploads").paginate(Bucket=bucket, PaginationConfig={"PageSize": 2})
    assert sorted((one["Key"], one["UploadId"]) for page in pages for one in page["Uploads"]) == sorted(started)


def test_a_completed_upload_is_no_longer_listed(upload: Upload) -> None:
    upload.complete(upload.part(1, LAST))
    assert "Uploads" not in upload.s3.list_multipart_uploads(Bucket=upload.key["Bucket"])


# ---------------------------------------------------------------- parts from objects


def test_parts_are_copied_by_range_and_from_the_past(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="source", Body=FIRST + LAST)
    s3.put_object(Bucket=bucket, Key="source", Body=b"now")
    upload = Upload(s3, bucket)
    past = {"Bucket": bucket, "Key": "source", "VersionId": "HEAD^"}
    copies = [
        s3.upload_part_copy(**upload.which, PartNumber=1, CopySource=past, CopySourceRange=f"bytes=0-{LEAST - 1}"),
        s3.upload_part_copy(**upload.which, PartNumber=2, CopySource={"Bucket": bucket, "Key": "source"}),
    ]
    # A range is copied without being read, so its ETag is no digest of its content.
    assert re.fullmatch('"[0-9a-f]{64}-1"', copies[0]["CopyPartResult"]["ETag"])
    upload.complete(*({"PartNumber": n, "ETag": copy["CopyPartResult"]["ETag"]} for n, copy in enumerate(copies, 1)))
    assert upload.content() == FIRST + b"now"


@pytest.mark.parametrize(
    ("asked", "code", "status"),
    [("bytes=0-3", "InvalidRange", 416), ("bytes=5-9", "InvalidRange", 416)]
    + [(bad, "InvalidArgument", 400) for bad in ("0-1", "bytes=1-0", "bytes=0-", "bytes=-1", "bytes=a-b")],
)
def test_the_range_of_a_part_copy_must_lie_inside(s3: Any, upload: Upload, asked: str, code: str, status: int) -> None:
    source = {"Bucket": upload.key["Bucket"], "Key": "source"}
    s3.put_object(**source, Body=b"abc")
    with refused(code, status):
        s3.upload_part_copy(**upload.which, PartNumber=1, CopySource=source, CopySourceRange=asked)


def test_no_byte_is_copied(gateway: Server, s3: Any, bucket: str) -> None:
    upload = Upload(s3, bucket)
    parts = [upload.part(1, os.urandom(LEAST)), upload.part(2, os.urandom(LEAST))]
    before = gateway.files("blobs")
    upload.complete(*parts)
    copy = Upload(s3, f"main.{bucket}")
    answer = s3.upload_part_copy(
        **copy.which, PartNumber=1, CopySource=upload.key, CopySourceRange=f"bytes=100-{LEAST + 99}"
    )
    copy.complete({"PartNumber": 1, "ETag": answer["CopyPartResult"]["ETag"]})
    assert gateway.files("blobs") <= before


# ---------------------------------------------------------------- reading by part, checksums


def test_an_object_is_read_part_by_part(upload: Upload) -> None:
    done = upload.complete(upload.part(1, FIRST), upload.part(2, LAST))
    for number, content in ((1, FIRST), (2, LAST)):
        got = upload.s3.get_object(**upload.key, PartNumber=number)
        assert (got["Body"].read(), got["PartsCount"], got["ETag"]) == (content, 2, done["ETag"])
        assert got["ResponseMetadata"]["HTTPStatusCode"] == 206
        head = upload.s3.head_object(**upload.key, PartNumber=number)
        assert (head["ContentLength"], head["PartsCount"]) == (len(content), 2)
    with refused("InvalidPart", 400):
        upload.s3.get_object(**upload.key, PartNumber=3)


def test_sha_checksums_are_composite(s3: Any, bucket: str) -> None:
    upload = Upload(s3, bucket, ChecksumAlgorithm="SHA256")
    done = upload.complete(*(upload.part(n, body, ChecksumAlgorithm="SHA256") for n, body in ((1, FIRST), (2, LAST))))
    joined = hashlib.sha256(hashlib.sha256(FIRST).digest() + hashlib.sha256(LAST).digest()).digest()
    assert done["ChecksumSHA256"] == base64.b64encode(joined).decode() + "-2"
    head = s3.head_object(**upload.key, ChecksumMode="ENABLED")
    assert (head["ChecksumSHA256"], head["ChecksumType"]) == (done["ChecksumSHA256"], "COMPOSITE")


def test_crc_checksums_cover_the_whole_object(s3: Any, bucket: str) -> None:
    upload = Upload(s3, bucket, ChecksumAlgorithm="CRC64NVME")
    parts = [upload.part(n, body, ChecksumAlgorithm="CRC64NVME") for n, body in ((1, FIRST), (2, LAST))]
    done = upload.complete(*parts, ChecksumType="FULL_OBJECT")
    assert done["ChecksumCRC64NVME"] == base64.b64encode(crc64nvme(FIRST + LAST).to_bytes(8, "big")).decode()
    assert s3.head_object(**upload.key, ChecksumMode="ENABLED")["ChecksumType"] == "FULL_OBJECT"


def test_a_part_with_a_wrong_checksum_is_not_staged(upload: Upload) -> None:
    with refused("BadDigest", 400):
        upload.part(1, LAST, ChecksumSHA256=base64.b64encode(bytes(32)).decode())
    assert "Parts" not in upload.s3.list_parts(**upload.which)


# ---------------------------------------------------------------- restarts and aws-cli


def test_parts_outlive_a_restart(serve: Callable[..., Server]) -> None:
    server = serve()
    server.client().create_bucket(Bucket="restarted")
    upload = Upload(server.client(), "restarted")
    first = upload.part(1, FIRST)
    small_twin = Upload(upload.s3, "restarted")
    small = small_twin.part(1, b"inline")
    assert server.stop() == 0
    server.start()
    upload.complete(first, upload.part(2, LAST))
    assert upload.content() == FIRST + LAST
    small_twin.complete(small)
    assert upload.content() == b"inline"


def test_aws_cli_uploads_in_parts_and_reads_them_back(aws: Aws, s3: Any, bucket: str, tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(os.urandom(20 << 20))
    aws("s3", "cp", source, f"s3://{bucket}/k")
    assert s3.head_object(Bucket=bucket, Key="k")["ETag"].endswith('-3"'), "aws-cli's parts have 8 MiB"
    aws("s3", "cp", f"s3://{bucket}/k", f"s3://{bucket}/copy")
    aws("s3", "cp", f"s3://{bucket}/copy", target)
    assert target.read_bytes() == source.read_bytes()


def test_aws_cli_drives_an_upload_by_hand(aws: Aws, s3: Any, bucket: str, tmp_path: Path) -> None:
    body = tmp_path / "part"
    body.write_bytes(LAST)
    s3.put_object(Bucket=bucket, Key="source", Body=FIRST)
    which = ["--bucket", bucket, "--key", "k"]
    upload_id = aws.api("create-multipart-upload", *which)["UploadId"]
    assert [one["UploadId"] for one in aws.api("list-multipart-uploads", "--bucket", bucket)["Uploads"]] == [upload_id]
    part = [*which, "--upload-id", upload_id]
    copied = aws.api("upload-part-copy", *part, "--part-number", "1", "--copy-source", f"{bucket}/source")
    sent = aws.api("upload-part", *part, "--part-number", "2", "--body", body)
    assert [one["PartNumber"] for one in aws.api("list-parts", *part)["Parts"]] == [1, 2]
    etags = f"{{PartNumber=1,ETag={copied['CopyPartResult']['ETag']}}},{{PartNumber=2,ETag={sent['ETag']}}}"
    aws.api("complete-multipart-upload", *part, "--multipart-upload", f"Parts=[{etags}]")
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == FIRST + LAST
    upload_id = aws.api("create-multipart-upload", *which)["UploadId"]
    aws.api("abort-multipart-upload", *which, "--upload-id", upload_id)
    assert "NoSuchUpload" in aws.refused("s3api", "list-parts", *which, "--upload-id", upload_id)
