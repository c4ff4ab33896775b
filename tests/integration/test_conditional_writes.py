"""If-Match and If-None-Match on writes: an atomic compare-and-swap, decided as the commit is made."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from .awscli import Aws
from .refusals import refused
from .server import Server

RACERS, ROUNDS = 8, 20


def _lost(error: ClientError) -> int:
    """0, for a race that was lost; any other error is none of the game."""
    if error.response["Error"]["Code"] not in {"PreconditionFailed", "ConditionalRequestConflict"}:
        raise error
    return 0


def test_one_of_many_racers_creates_a_key(gateway: Server, s3: Any, bucket: str) -> None:
    clients = [gateway.client() for _ in range(RACERS)]
    start = threading.Barrier(RACERS)

    def race(racer: int, key: str) -> int:
        start.wait(30)
        try:
            clients[racer].put_object(Bucket=bucket, Key=key, Body=b"%d" % racer, IfNoneMatch="*")
        except ClientError as error:
            return _lost(error)
        return 1

    with ThreadPoolExecutor(RACERS) as pool:
        for number in range(ROUNDS):
            winners = [pool.submit(race, racer, f"key-{number}") for racer in range(RACERS)]
            wins = [winner.result() for winner in winners]
            assert sum(wins) == 1
            held = s3.get_object(Bucket=bucket, Key=f"key-{number}")["Body"].read()
            assert held == b"%d" % wins.index(1)
    assert len(s3.list_object_versions(Bucket=bucket)["Versions"]) == ROUNDS, "losers made no commit"


def test_increments_by_compare_and_swap_are_never_lost(gateway: Server, s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="counter", Body=b"0")
    writers, each = 4, 10

    def count() -> None:
        client = gateway.client()
        done = 0
        while done < each:
            got = client.get_object(Bucket=bucket, Key="counter")
            following = b"%d" % (int(got["Body"].read()) + 1)
            try:
                client.put_object(Bucket=bucket, Key="counter", Body=following, IfMatch=got["ETag"])
                done += 1
            except ClientError as error:
                done += _lost(error)

    with ThreadPoolExecutor(writers) as pool:
        for counting in [pool.submit(count) for _ in range(writers)]:
            counting.result()
    assert s3.get_object(Bucket=bucket, Key="counter")["Body"].read() == b"%d" % (writers * each)


def test_a_chain_of_matching_puts_and_one_stale(s3: Any, bucket: str) -> None:
    etag = first = s3.put_object(Bucket=bucket, Key="k", Body=b"0")["ETag"]
    for number in range(1, 4):
        etag = s3.put_object(Bucket=bucket, Key="k", Body=b"%d" % number, IfMatch=etag)["ETag"]
    with refused("PreconditionFailed", 412):
        s3.put_object(Bucket=bucket, Key="k", Body=b"stale", IfMatch=first)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"3"
    assert len(s3.list_object_versions(Bucket=bucket)["Versions"]) == 4


def test_an_existing_key_is_not_created_again(s3: Any, bucket: str) -> None:
    etag = s3.put_object(Bucket=bucket, Key="k", Body=b"v")["ETag"]
    for condition in ("*", etag):
        with refused("PreconditionFailed", 412):
            s3.put_object(Bucket=bucket, Key="k", Body=b"w", IfNoneMatch=condition)
    s3.put_object(Bucket=bucket, Key="k", Body=b"w", IfNoneMatch='"other"')
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"w"


def test_a_deleted_key_counts_as_missing(s3: Any, bucket: str) -> None:
    etag = s3.put_object(Bucket=bucket, Key="k", Body=b"v")["ETag"]
    s3.delete_object(Bucket=bucket, Key="k")
    for condition in (etag, "*"):
        with refused("NoSuchKey", 404):
            s3.put_object(Bucket=bucket, Key="k", Body=b"w", IfMatch=condition)
    s3.put_object(Bucket=bucket, Key="k", Body=b"w", IfNoneMatch="*")


def test_if_match_needs_the_key(s3: Any, bucket: str) -> None:
    with refused("NoSuchKey", 404):
        s3.put_object(Bucket=bucket, Key="never", Body=b"v", IfMatch='"any"')
    assert "Versions" not in s3.list_object_versions(Bucket=bucket)


@pytest.mark.parametrize("exists", [False, True])
def test_completing_an_upload_is_conditional_too(s3: Any, bucket: str, exists: bool) -> None:
    upload = {"Bucket": bucket, "Key": "k", "UploadId": s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]}
    etag = s3.upload_part(**upload, PartNumber=1, Body=b"part")["ETag"]
    if exists:
        s3.put_object(Bucket=bucket, Key="k", Body=b"meanwhile")
    complete = {**upload, "MultipartUpload": {"Parts": [{"PartNumber": 1, "ETag": etag}]}, "IfNoneMatch": "*"}
    if exists:
        with refused("PreconditionFailed", 412):
            s3.complete_multipart_upload(**complete)
    else:
        s3.complete_multipart_upload(**complete)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == (b"meanwhile" if exists else b"part")


def test_a_delete_can_name_the_etag_it_means(s3: Any, bucket: str) -> None:
    etag = s3.put_object(Bucket=bucket, Key="k", Body=b"v")["ETag"]
    with refused("PreconditionFailed", 412):
        s3.delete_object(Bucket=bucket, Key="k", IfMatch='"other"')
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"v"
    s3.delete_object(Bucket=bucket, Key="k", IfMatch=etag)
    with refused("NoSuchKey", 404):
        s3.get_object(Bucket=bucket, Key="k")


def test_aws_cli_creates_once(aws: Aws, bucket: str, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_text("v")
    put = ["put-object", "--bucket", bucket, "--key", "k", "--body", str(source)]
    etag = aws.api(*put, "--if-none-match", "*")["ETag"]
    assert "PreconditionFailed" in aws.refused("s3api", *put, "--if-none-match", "*")
    aws.api(*put, "--if-match", etag)
    assert "PreconditionFailed" in aws.refused("s3api", *put, "--if-match", '"other"')
