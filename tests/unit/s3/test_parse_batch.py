"""Batches of small files: the request that brings them, and what a member of the archive becomes."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from gateway.s3.errors import InvalidArgument, KeyTooLongError, MetadataTooLarge, NotImplemented, S3Error
from gateway.s3.operations import PutObjectExtractInput
from gateway.s3.parse_batch import file_request, member_headers, member_key, put_object_extract, refuse_batch
from gateway.s3.parse_headers import object_headers
from gateway.s3.tar import Member
from tests.archives import BATCH
from tests.unit.s3.asking import ask


def parsed(**headers: str) -> PutObjectExtractInput:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return put_object_extract(ask("PUT", "/b/batch.tar", {**BATCH, **named}), b"")


def test_without_options_the_key_names_the_archive_alone() -> None:
    found = parsed()
    assert (found.bucket, found.key, found.prefix, found.ignore_dirs) == ("b", "batch.tar", "", False)


@pytest.mark.parametrize("vendor", ["minio_snowball", "snowball"])
@pytest.mark.parametrize(
    ("text", "prefix"),
    [("in", "in/"), ("/in/", "in/"), ("a/./b//c", "a/b/c/"), ("", ""), ("/", ""), (".", ""), ("ö", "ö/")],
)
def test_a_prefix_is_a_folder(vendor: str, text: str, prefix: str) -> None:
    assert parsed(**{f"x_amz_meta_{vendor}_prefix": text}).prefix == prefix


def test_directories_can_be_left_out() -> None:
    assert parsed(x_amz_meta_minio_snowball_ignore_dirs="true").ignore_dirs
    assert not parsed(x_amz_meta_minio_snowball_ignore_dirs="false").ignore_dirs


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("If-Match", '"e"'),
        ("If-None-Match", "*"),
        ("x-amz-meta-minio-snowball-ignore-errors", "true"),
        ("x-amz-server-side-encryption", "AES256"),
        ("x-amz-object-lock-mode", "GOVERNANCE"),
    ],
)
def test_what_a_batch_can_not_keep_is_refused(name: str, value: str) -> None:
    with pytest.raises(NotImplemented):
        parsed(**{name: value})


def test_a_prefix_does_not_lead_upwards() -> None:
    with pytest.raises(InvalidArgument):
        parsed(x_amz_meta_minio_snowball_prefix="a/../b")


def test_what_tells_of_the_archive_is_kept_with_no_file() -> None:
    found = parsed(
        content_type="application/x-tar",
        content_encoding="gzip",
        cache_control="no-store",
        x_amz_meta_s3cmd_attrs="md5:1",
        x_amz_tagging="a=b",
        x_amz_acl="public-read",
    )
    assert (found.headers.standard, found.headers.metadata) == ({}, {})
    assert found.headers.tags == {"a": "b"}
    assert found.headers.acl


def test_other_uploads_are_not_extracted() -> None:
    with pytest.raises(NotImplemented):
        refuse_batch(ask("POST", "/b/k?uploads", BATCH))
    refuse_batch(ask("POST", "/b/k?uploads"))


# ---------------------------------------------------------------- members


def file(name: str, records: Mapping[str, str] | None = None, *, is_directory: bool = False) -> Member:
    return Member(name, 0, is_directory, records or {})


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("a", "in/a"),
        ("./a/b", "in/a/b"),
        ("/abs/a", "in/abs/a"),
        ("a//b", "in/a/b"),
        ("a/", "in/a/"),  # an object that is called so
        (" ", "in/ "),
        ("...", "in/..."),
        ("a..b", "in/a..b"),
        ("k" * 1021, "in/" + "k" * 1021),
    ],
)
def test_a_path_becomes_a_key_behind_the_prefix(name: str, key: str) -> None:
    assert member_key("in/", file(name)) == key


@pytest.mark.parametrize(("name", "key"), [("d", "d/"), ("d/", "d/"), ("./d/e/", "d/e/"), ("./", ""), ("/", "")])
def test_a_directory_becomes_a_marker(name: str, key: str) -> None:
    assert member_key("", file(name, is_directory=True)) == key


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("", InvalidArgument),
        ("/", InvalidArgument),
        ("../a", InvalidArgument),
        ("a/../b", InvalidArgument),
        ("a/..", InvalidArgument),
        ("a\0b", InvalidArgument),
        ("\udcff", InvalidArgument),
        ("..\udcff/..", InvalidArgument),
        ("k" * 1025, KeyTooLongError),
        ("ö" * 513, KeyTooLongError),
    ],
)
def test_a_path_that_is_no_key_is_refused(name: str, error: type[S3Error]) -> None:
    with pytest.raises(error) as raised:
        member_key("", file(name))
    assert raised.value.fields


OWN = {
    "minio.metadata.X-Amz-Meta-Mtime": "12",
    "minio.metadata.content-type": " text/x-own ",
    "minio.metadata.x-amz-tagging": "own=1",
    "minio.metadata.x-unknown": "dropped, as PutObject does",
    "mtime": "1.5",
}


def test_records_are_the_headers_of_their_file() -> None:
    request = ask("PUT", "/b/batch.tar", {**BATCH, "x-amz-tagging": "of=all", "cache-control": "no-store"})
    headers = object_headers(file_request(request, "k", member_headers(file("f", OWN))))
    assert headers.standard == {"content-type": "text/x-own"}
    assert headers.metadata == {"mtime": "12"}
    assert headers.tags == {"own": "1"}
    assert object_headers(file_request(request, "k", {})).tags == {"of": "all"}


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("x-amz-meta-a", "line\r\nbreak", InvalidArgument),
        ("x-amz-meta-a", "\x7f", InvalidArgument),
        ("x-amz-meta-a b", "v", InvalidArgument),
        ("x-amz-meta-ü", "v", InvalidArgument),
        ("", "v", InvalidArgument),
        ("x-amz-meta-a", "\udcff", InvalidArgument),
        ("content-type", "\udcff", InvalidArgument),
        ("x-amz-meta-a", "v" * 3000, MetadataTooLarge),
        ("x-amz-tagging", "a=1&a=2", S3Error),
        ("x-amz-server-side-encryption", "AES256", NotImplemented),
        ("x-amz-checksum-crc32", "AAAAAA==", NotImplemented),
        ("content-md5", "AAAA", NotImplemented),
    ],
)
def test_a_record_is_held_to_what_a_header_is(name: str, value: str, error: type[S3Error]) -> None:
    request, member = ask("PUT", "/b/batch.tar", BATCH), file("f", {f"minio.metadata.{name}": value})
    with pytest.raises(error):
        object_headers(file_request(request, "k", member_headers(member)))


def test_a_version_can_not_be_chosen() -> None:
    with pytest.raises(NotImplemented):
        member_headers(file("f", {"minio.versionId": "1"}))
