"""PutObject: keys, bodies, headers. Checksums and conditions have files of their own."""

from __future__ import annotations

import base64
import hashlib
import os
import re
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from blake3 import blake3

from .awscli import Aws
from .raw import UNSIGNED, Raw
from .refusals import refused


@pytest.mark.parametrize("size", [0, 1, 4096, 65_535, 65_536, 65_537, 3_000_001])
def test_bodies_of_every_size_come_back(s3: Any, bucket: str, size: int) -> None:
    body = os.urandom(size)
    put = s3.put_object(Bucket=bucket, Key="k", Body=body)
    got = s3.get_object(Bucket=bucket, Key="k")
    assert got["Body"].read() == body
    assert put["ETag"] == got["ETag"] == f'"{blake3(body).hexdigest()}-1"'


def test_a_put_answers_with_its_commit(s3: Any, bucket: str) -> None:
    version_id = s3.put_object(Bucket=bucket, Key="k", Body=b"v")["VersionId"]
    assert re.fullmatch("[0-9a-f]{64}", version_id)
    assert s3.head_object(Bucket=bucket, Key="k")["VersionId"] == version_id


def test_equal_content_has_an_equal_etag(s3: Any, bucket: str) -> None:
    one, two = (s3.put_object(Bucket=bucket, Key=key, Body=b"same") for key in ("one", "two"))
    assert one["ETag"] == two["ETag"]
    assert one["VersionId"] != two["VersionId"]


def test_metadata_and_standard_headers_are_kept(s3: Any, bucket: str) -> None:
    kept = {
        "CacheControl": "max-age=60",
        "ContentDisposition": "inline",
        "ContentEncoding": "gzip",
        "ContentLanguage": "eo",
        "ContentType": "text/x-test; charset=utf-8",
        "Metadata": {"colour": "blue", "empty": "", "with-dash": "a  b"},
        "WebsiteRedirectLocation": "/elsewhere",
    }
    s3.put_object(Bucket=bucket, Key="k", Body=b"v", Expires="Wed, 02 Jan 2030 00:00:00 GMT", **kept)
    for read in (s3.get_object, s3.head_object):
        got = read(Bucket=bucket, Key="k")
        assert {name: got[name] for name in kept} == kept
        assert got["ExpiresString"] == "Wed, 02 Jan 2030 00:00:00 GMT"


def test_a_put_replaces_headers_too(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"1", Metadata={"old": "1"}, ContentType="a/b")
    s3.put_object(Bucket=bucket, Key="k", Body=b"2")
    head = s3.head_object(Bucket=bucket, Key="k")
    assert head["Metadata"] == {}
    assert head["ContentType"] == "binary/octet-stream"


ODD_KEYS = [
    "a//b",
    "//",
    "/leading",
    "a/../b",
    "../up",
    "..",
    ".",
    "a/./b",
    "a+b",
    "a b",
    "a%2Fb",
    "a%b",
    "?versionId=HEAD",
    "a?b#c&d=e",
    "dir/",
    "ключ/鍵/🔑",
    "e\u0301",
    "\u00e9",
    " ",
    "\x7f",
    "\\",
    "-/healthz",
    "~'()*!;:@$,",
]


@pytest.mark.parametrize("key", ODD_KEYS)
def test_odd_keys_stay_as_they_are(s3: Any, raw: Raw, bucket: str, key: str) -> None:
    s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    assert [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket)["Contents"]] == [key]
    # The path that any client sends: each byte of the key escaped except the unreserved ones and `/`.
    assert raw.request("GET", f"/{bucket}/{quote(key, safe='/~')}").body == key.encode()
    assert raw.request("GET", f"/{bucket}/{quote(key, safe='')}").body == key.encode()


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("a//b", "a//b"),
        ("a/../b", "a/../b"),
        ("a%2Fb", "a/b"),
        ("a%252Fb", "a%2Fb"),
        ("a+b", "a+b"),
        ("%2e%2e/x", "../x"),
    ],
)
def test_the_path_is_decoded_exactly_once_and_not_normalised(
    s3: Any, raw: Raw, bucket: str, path: str, key: str
) -> None:
    assert raw.request("PUT", f"/{bucket}/{path}", body=b"v").status == 200
    assert [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket)["Contents"]] == [key]
    assert raw.request("GET", f"/{bucket}/{path}").body == b"v"


def test_a_key_has_at_most_1024_bytes(s3: Any, bucket: str) -> None:
    longest = "é" * 512
    s3.put_object(Bucket=bucket, Key=longest, Body=b"v")
    assert s3.get_object(Bucket=bucket, Key=longest)["Body"].read() == b"v"
    with refused("KeyTooLongError", 400):
        s3.put_object(Bucket=bucket, Key=longest + "x", Body=b"v")


def test_keys_are_flat(s3: Any, bucket: str) -> None:
    for key in ("foo/bar", "foo/bar/xyzzy", "foo", "foo/"):
        s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    for key in ("foo/bar", "foo/bar/xyzzy", "foo", "foo/"):
        assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == key.encode()


def test_content_md5_is_verified(raw: Raw, s3: Any, bucket: str) -> None:
    right = base64.b64encode(hashlib.md5(b"content", usedforsecurity=False).digest()).decode()
    assert raw.request("PUT", f"/{bucket}/right", {"Content-MD5": right}, b"content").status == 200
    wrong = raw.request("PUT", f"/{bucket}/wrong", {"Content-MD5": right}, b"tampered")
    assert (wrong.status, wrong.code) == (400, "BadDigest")
    for malformed in ("", "YQ==", "not base64!"):
        reply = raw.request("PUT", f"/{bucket}/wrong", {"Content-MD5": malformed}, b"content")
        assert (reply.status, reply.code) == (400, "InvalidDigest")
    assert [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["right"]


def test_a_body_needs_a_length(raw: Raw, bucket: str) -> None:
    head, _ = raw.signed("PUT", f"/{bucket}/k", payload=UNSIGNED)
    with raw.connect() as connection:
        connection.send(head)
        reply = connection.reply()
    assert (reply.status, reply.code) == (411, "MissingContentLength")


def test_http_chunks_need_none(raw: Raw, s3: Any, bucket: str) -> None:
    body = b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"
    head, _ = raw.signed("PUT", f"/{bucket}/k", payload=UNSIGNED, unsigned={"Transfer-Encoding": "chunked"})
    with raw.connect() as connection:
        connection.send(head + body)
        assert connection.reply().status == 200
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"hello world"


def test_two_puts_share_a_connection(raw: Raw, s3: Any, bucket: str) -> None:
    with raw.connect() as connection:
        for number in range(2):
            head, _ = raw.signed("PUT", f"/{bucket}/{number}", unsigned={"Content-Length": "1"})
            connection.send(head + b"%d" % number)
            assert connection.reply().status == 200
    assert s3.get_object(Bucket=bucket, Key="1")["Body"].read() == b"1"


def test_aws_cli_writes(aws: Aws, s3: Any, bucket: str, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(os.urandom(100_000))
    aws("s3", "cp", source, f"s3://{bucket}/dir/copied")
    assert s3.get_object(Bucket=bucket, Key="dir/copied")["Body"].read() == source.read_bytes()
    put = aws.api("put-object", "--bucket", bucket, "--key", "put", "--body", source, "--metadata", "colour=blue")
    head = s3.head_object(Bucket=bucket, Key="put")
    assert (head["Metadata"], head["VersionId"]) == ({"colour": "blue"}, put["VersionId"])
    aws("s3", "cp", "-", f"s3://{bucket}/piped", stdin=b"from a pipe")
    assert s3.get_object(Bucket=bucket, Key="piped")["Body"].read() == b"from a pipe"


def test_aws_cli_syncs_a_folder_both_ways(aws: Aws, bucket: str, tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    (here / "sub").mkdir(parents=True)
    (here / "a.txt").write_text("a")
    (here / "sub" / "b.txt").write_text("b")
    for path in here.rglob("*"):
        os.utime(path, (1_700_000_000, 1_700_000_000))  # sync compares it with Last-Modified, in whole seconds
    aws("s3", "sync", here, f"s3://{bucket}/folder")
    aws("s3", "sync", f"s3://{bucket}/folder", there)
    assert (there / "a.txt").read_text() == "a"
    assert (there / "sub" / "b.txt").read_text() == "b"
    assert aws("s3", "sync", here, f"s3://{bucket}/folder") == "", "nothing changed, so nothing is sent"


def test_aws_cli_writes_over_tls(aws_tls: Aws, s3_tls: Any, tls_bucket: str, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(os.urandom(100_000))
    aws_tls("s3", "cp", source, f"s3://{tls_bucket}/k")
    assert s3_tls.get_object(Bucket=tls_bucket, Key="k")["Body"].read() == source.read_bytes()
