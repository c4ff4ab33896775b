"""Tags of objects and buckets: settings beside the history."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from .raw import Raw
from .refusals import refused

MIB = 1 << 20


def tag_set(**tags: str) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def tags_of(s3: Any, bucket: str, key: str = "k", **more: str) -> dict[str, str]:
    found = s3.get_object_tagging(Bucket=bucket, Key=key, **more)["TagSet"]
    return {tag["Key"]: tag["Value"] for tag in found}


def tag(s3: Any, bucket: str, key: str = "k", *, version: str | None = None, **tags: str) -> str:
    """Replaces the tags; the version that has them now."""
    named = {} if version is None else {"VersionId": version}
    answer = s3.put_object_tagging(Bucket=bucket, Key=key, Tagging={"TagSet": tag_set(**tags)}, **named)
    return str(answer["VersionId"])


def put(s3: Any, bucket: str, key: str = "k", **more: Any) -> str:
    return str(s3.put_object(Bucket=bucket, Key=key, Body=b"v", **more)["VersionId"])


# ---------------------------------------------------------------- of an object


@pytest.mark.parametrize("client", ["s3", "s3_tls"])
def test_tags_are_put_replaced_and_deleted(request: pytest.FixtureRequest, client: str, name: str) -> None:
    s3 = request.getfixturevalue(client)
    s3.create_bucket(Bucket=name)
    version = put(s3, name)
    assert tags_of(s3, name) == {}
    assert tag(s3, name, b="2", a="1") == version
    got = s3.get_object_tagging(Bucket=name, Key="k")
    assert (got["TagSet"], got["VersionId"]) == (tag_set(a="1", b="2"), version)
    tag(s3, name, c="é <&>".replace("<&>", "="))
    assert tags_of(s3, name) == {"c": "é ="}
    deleted = s3.delete_object_tagging(Bucket=name, Key="k")
    assert (deleted["ResponseMetadata"]["HTTPStatusCode"], deleted["VersionId"]) == (204, version)
    assert tags_of(s3, name) == {}


def test_an_object_is_put_with_tags(s3: Any, bucket: str) -> None:
    put(s3, bucket, Tagging="b=2&a=1%2B1")
    assert tags_of(s3, bucket) == {"a": "1+1", "b": "2"}
    put(s3, bucket)
    assert tags_of(s3, bucket) == {}, "tags are the version's, not the key's"


def test_get_and_head_tell_how_many_tags_there_are(s3: Any, bucket: str) -> None:
    put(s3, bucket)
    assert "TagCount" not in s3.get_object(Bucket=bucket, Key="k")
    tag(s3, bucket, a="1", b="2")
    assert s3.get_object(Bucket=bucket, Key="k")["TagCount"] == 2
    head = s3.head_object(Bucket=bucket, Key="k")
    assert head["ResponseMetadata"]["HTTPHeaders"]["x-amz-tagging-count"] == "2"
    s3.delete_object_tagging(Bucket=bucket, Key="k")
    assert "TagCount" not in s3.get_object(Bucket=bucket, Key="k")


def test_tagging_makes_no_version_and_moves_no_time(s3: Any, bucket: str) -> None:
    version = put(s3, bucket)
    before = s3.head_object(Bucket=bucket, Key="k")
    tag(s3, bucket, a="1")
    after = s3.head_object(Bucket=bucket, Key="k")
    assert (after["VersionId"], after["LastModified"], after["ETag"]) == (
        version,
        before["LastModified"],
        before["ETag"],
    )
    assert [row["VersionId"] for row in s3.list_object_versions(Bucket=bucket)["Versions"]] == [version]
    assert s3.head_object(Bucket=bucket, Key="k", VersionId="HEAD")["VersionId"] == version


def test_every_version_has_tags_of_its_own(s3: Any, bucket: str) -> None:
    first = put(s3, bucket, Tagging="n=1")
    second = put(s3, bucket, Tagging="n=2")
    assert tags_of(s3, bucket, VersionId=first) == {"n": "1"}
    assert tags_of(s3, bucket, VersionId="HEAD^") == {"n": "1"}
    assert tag(s3, bucket, version="HEAD^", n="one") == first
    assert tags_of(s3, bucket, VersionId=first) == {"n": "one"}
    assert tags_of(s3, bucket) == tags_of(s3, bucket, VersionId=second) == {"n": "2"}
    s3.delete_object_tagging(Bucket=bucket, Key="k", VersionId=first)
    assert (tags_of(s3, bucket, VersionId=first), tags_of(s3, bucket)) == ({}, {"n": "2"})


def test_an_undeleted_object_has_its_tags_back(s3: Any, bucket: str) -> None:
    put(s3, bucket, Tagging="a=1")
    marker = s3.delete_object(Bucket=bucket, Key="k")["VersionId"]
    s3.delete_object(Bucket=bucket, Key="k", VersionId=marker)
    assert tags_of(s3, bucket) == {"a": "1"}


def test_a_multipart_upload_gets_the_tags_that_it_was_begun_with(s3: Any, bucket: str) -> None:
    upload = {"Bucket": bucket, "Key": "k"}
    upload["UploadId"] = s3.create_multipart_upload(**upload, Tagging="a=1")["UploadId"]
    etag = s3.upload_part(**upload, PartNumber=1, Body=b"x")["ETag"]
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": etag}]})
    assert tags_of(s3, bucket) == {"a": "1"}


@pytest.mark.parametrize(
    ("directives", "tags"),
    [
        ({}, {"a": "1"}),
        ({"TaggingDirective": "COPY", "Tagging": "b=2"}, {"a": "1"}),
        ({"TaggingDirective": "REPLACE", "Tagging": "b=2"}, {"b": "2"}),
        ({"TaggingDirective": "REPLACE"}, {}),
        ({"MetadataDirective": "REPLACE"}, {"a": "1"}),
    ],
)
def test_a_copy_has_its_sources_tags_unless_they_are_replaced(
    s3: Any, bucket: str, directives: dict[str, str], tags: dict[str, str]
) -> None:
    first = put(s3, bucket, Tagging="a=1")
    put(s3, bucket, Tagging="other=version")
    source = {"Bucket": bucket, "Key": "k", "VersionId": first}
    s3.copy_object(Bucket=bucket, Key="copy", CopySource=source, **directives)
    assert tags_of(s3, bucket, "copy") == tags
    tag(s3, bucket, version=first, a="changed")
    assert tags_of(s3, bucket, "copy") == tags


def test_concurrent_taggers_leave_one_whole_set(s3: Any, bucket: str) -> None:
    put(s3, bucket)
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda n: tag(s3, bucket, x=str(n), y=str(n)), range(20)))
    left = tags_of(s3, bucket)
    assert left["x"] == left["y"]


@pytest.mark.parametrize("tagging", ["&".join(f"k{n}=v" for n in range(11)), "k=1&k=2", f"{'k' * 129}=v", "aws:k=v"])
def test_an_object_with_illegal_tags_is_not_put(s3: Any, bucket: str, tagging: str) -> None:
    with refused("InvalidTag", 400):
        put(s3, bucket, Tagging=tagging)
    with refused("InvalidTag", 400):
        s3.create_multipart_upload(Bucket=bucket, Key="k", Tagging=tagging)
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


def test_too_many_tags_change_nothing(s3: Any, bucket: str) -> None:
    put(s3, bucket, Tagging="a=1")
    with refused("InvalidTag", 400):
        tag(s3, bucket, **{f"k{n}": "v" for n in range(11)})
    assert tags_of(s3, bucket) == {"a": "1"}


@pytest.mark.parametrize("body", [b"", b"<Tagging/>", b"<Tagging><TagSet><Tag/></TagSet></Tagging>"])
def test_a_malformed_document_is_refused(raw: Raw, s3: Any, bucket: str, body: bytes) -> None:
    put(s3, bucket)
    for path in (f"/{bucket}/k?tagging", f"/{bucket}?tagging"):
        reply = raw.request("PUT", path, body=body)
        assert (reply.status, reply.code) == (400, "MalformedXML")


def test_what_is_not_there_has_no_tags(s3: Any, bucket: str, name: str) -> None:
    version = put(s3, bucket, Tagging="a=1")
    marker = s3.delete_object(Bucket=bucket, Key="k")["VersionId"]
    for named, code, status in (
        ({"Key": "absent"}, "NoSuchKey", 404),
        ({"Key": "k"}, "NoSuchKey", 404),
        ({"Key": "k", "VersionId": marker}, "MethodNotAllowed", 405),
        ({"Key": "k", "VersionId": "f" * 64}, "NoSuchVersion", 404),
        ({"Key": "k", "VersionId": "no revision!"}, "InvalidArgument", 400),
    ):
        with refused(code, status):
            s3.get_object_tagging(Bucket=bucket, **named)
        with refused(code, status):
            s3.put_object_tagging(Bucket=bucket, Tagging={"TagSet": []}, **named)
        with refused(code, status):
            s3.delete_object_tagging(Bucket=bucket, **named)
    with refused("NoSuchBucket", 404):
        s3.get_object_tagging(Bucket=f"{name}-absent", Key="k")
    assert tags_of(s3, bucket, VersionId=version) == {"a": "1"}


def test_a_snapshot_bucket_shows_tags_and_takes_none(s3: Any, bucket: str) -> None:
    version = put(s3, bucket, Tagging="a=1")
    snapshot = f"{version[:12]}.main.{bucket}"
    put(s3, bucket)
    assert tags_of(s3, snapshot) == {"a": "1"}
    with refused("AccessDenied", 403):
        tag(s3, snapshot, b="2")
    with refused("AccessDenied", 403):
        s3.delete_object_tagging(Bucket=snapshot, Key="k")
    with refused("AccessDenied", 403):
        s3.put_bucket_tagging(Bucket=snapshot, Tagging={"TagSet": tag_set(a="1")})
    assert tags_of(s3, snapshot) == {"a": "1"}


# ---------------------------------------------------------------- of a bucket


def test_a_buckets_tags(s3: Any, bucket: str) -> None:
    with refused("NoSuchTagSet", 404):
        s3.get_bucket_tagging(Bucket=bucket)
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": tag_set(team="x", area="y")})
    assert s3.get_bucket_tagging(Bucket=bucket)["TagSet"] == tag_set(area="y", team="x")
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": tag_set(**{f"k{n:02}": "v" for n in range(50)})})
    with refused("InvalidTag", 400):
        s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": tag_set(**{f"k{n:02}": "v" for n in range(51)})})
    assert len(s3.get_bucket_tagging(Bucket=bucket)["TagSet"]) == 50
    assert s3.delete_bucket_tagging(Bucket=bucket)["ResponseMetadata"]["HTTPStatusCode"] == 204
    with refused("NoSuchTagSet", 404):
        s3.get_bucket_tagging(Bucket=bucket)


def test_a_bucket_made_anew_has_no_tags(s3: Any, bucket: str) -> None:
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": tag_set(a="1")})
    s3.delete_bucket(Bucket=bucket)
    s3.create_bucket(Bucket=bucket)
    with refused("NoSuchTagSet", 404):
        s3.get_bucket_tagging(Bucket=bucket)


def test_a_bucket_is_created_with_tags(s3: Any, name: str) -> None:
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"Tags": tag_set(a="1")})
    assert s3.get_bucket_tagging(Bucket=name)["TagSet"] == tag_set(a="1")


def test_branches_have_tags_of_their_own(s3: Any, bucket: str) -> None:
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": tag_set(a="1")})
    s3.create_bucket(Bucket=f"dev.{bucket}")
    with refused("NoSuchTagSet", 404):
        s3.get_bucket_tagging(Bucket=f"dev.{bucket}")
    assert s3.get_bucket_tagging(Bucket=f"main.{bucket}")["TagSet"] == tag_set(a="1")
