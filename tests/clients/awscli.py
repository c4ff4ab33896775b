"""What the users of aws-cli do, whichever its version."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.integration.awscli import Aws
from tests.integration.server import Server

DOES = "s3 cp, mv, rm, ls, sync; streams; s3api; presign; --version-id 'HEAD^'; a past state synced"
SMALL = b"a line\n" * 500
LARGE = os.urandom(20 * 1024 * 1024)


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


class AwsCliTests:
    """Inherited by a test class for each version; `aws` is a fixture of that version's module."""

    def test_cp_of_small_large_and_streamed_files(self, aws: Aws, bucket: str, tmp_path: Path) -> None:
        (tmp_path / "small").write_bytes(SMALL)
        (tmp_path / "large").write_bytes(LARGE)
        for name in ("small", "large"):
            aws("s3", "cp", tmp_path / name, f"s3://{bucket}/up/{name}", "--metadata", "by=aws-cli")
            aws("s3", "cp", f"s3://{bucket}/up/{name}", f"s3://{bucket}/again/{name}")
            aws("s3", "cp", f"s3://{bucket}/again/{name}", tmp_path / f"{name}-back")
        assert (tmp_path / "small-back").read_bytes() == SMALL
        assert (tmp_path / "large-back").read_bytes() == LARGE
        head = aws.api("head-object", "--bucket", bucket, "--key", "up/large")
        assert head["Metadata"] == {"by": "aws-cli"}
        assert head["ETag"].endswith('-3"')
        aws("s3", "cp", "-", f"s3://{bucket}/piped", stdin=SMALL)
        assert aws.run("s3", "cp", f"s3://{bucket}/piped", "-").stdout == SMALL

    def test_mv_ls_and_rm(self, aws: Aws, s3: Any, bucket: str, tmp_path: Path) -> None:
        (tmp_path / "f").write_bytes(SMALL)
        aws("s3", "mv", tmp_path / "f", f"s3://{bucket}/dir/f")
        assert not (tmp_path / "f").exists()
        aws("s3", "mv", f"s3://{bucket}/dir/f", f"s3://{bucket}/dir/ö ü+&.txt")
        assert aws("s3", "ls", f"s3://{bucket}").split() == ["PRE", "dir/"]
        assert aws("s3", "ls", f"s3://{bucket}/dir/").split(maxsplit=2)[2] == f"{len(SMALL)} ö ü+&.txt\n"
        assert "Total Objects: 1" in aws("s3", "ls", "--recursive", "--summarize", f"s3://{bucket}")
        aws("s3", "rm", "--recursive", f"s3://{bucket}/dir")
        assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0

    def test_sync_both_ways_and_again(self, aws: Aws, bucket: str, tmp_path: Path) -> None:
        local, back = tmp_path / "local", tmp_path / "back"
        for name in ("a", "sub/b", "sub/deep/c c"):
            (local / name).parent.mkdir(parents=True, exist_ok=True)
            (local / name).write_bytes(name.encode())
        aws("s3", "sync", local, f"s3://{bucket}/tree")
        assert aws("s3", "sync", local, f"s3://{bucket}/tree") == ""
        (local / "a").unlink()
        (local / "sub/b").write_bytes(b"longer than before")
        aws("s3", "sync", "--delete", local, f"s3://{bucket}/tree")
        aws("s3", "sync", f"s3://{bucket}/tree", back)
        assert tree(back) == tree(local)
        assert aws("s3", "sync", "--delete", f"s3://{bucket}/tree", back) == ""

    def test_a_past_state_is_synced_from_a_snapshot_bucket(
        self, aws: Aws, s3: Any, bucket: str, tmp_path: Path
    ) -> None:
        s3.put_object(Bucket=bucket, Key="dir/a", Body=b"as it was")
        s3.put_object(Bucket=bucket, Key="dir/b", Body=b"there")
        aws("s3", "rm", f"s3://{bucket}/dir/b")
        s3.put_object(Bucket=bucket, Key="dir/a", Body=b"overwritten")
        aws("s3", "sync", f"s3://head-2.main.{bucket}/dir", tmp_path / "then")
        assert tree(tmp_path / "then") == {"a": b"as it was", "b": b"there"}

    def test_s3api_reads_the_past(self, aws: Aws, s3: Any, bucket: str, tmp_path: Path) -> None:
        body = tmp_path / "body"
        for text in ("one", "two"):
            body.write_text(text)
            aws.api("put-object", "--bucket", bucket, "--key", "k", "--body", body)
        aws.api("get-object", "--bucket", bucket, "--key", "k", "--version-id", "HEAD^", tmp_path / "was")
        assert (tmp_path / "was").read_text() == "one"
        source = f"{bucket}/k?versionId=HEAD^"
        aws.api("copy-object", "--bucket", bucket, "--key", "k", "--copy-source", source)
        assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"one"
        assert len(aws.api("list-object-versions", "--bucket", bucket)["Versions"]) == 3
        unknown = ("--bucket", bucket, "--key", "k", "--version-id", "HEAD~9", tmp_path / "none")
        assert "NoSuchVersion" in aws.refused("s3api", "get-object", *unknown)

    def test_a_presigned_link(self, aws: Aws, server: Server, bucket: str) -> None:
        aws("s3", "cp", "-", f"s3://{bucket}/dir/a b", stdin=SMALL)
        link = urlsplit(aws("s3", "presign", f"s3://{bucket}/dir/a b").strip())
        status, _, content = server.get(f"{link.path}?{link.query}")
        assert (status, content) == (200, SMALL)

    def test_buckets(self, aws: Aws, s3: Any, name: str) -> None:
        aws("s3", "mb", f"s3://work.{name}")
        assert f" work.{name}\n" in aws("s3", "ls")
        aws("s3", "cp", "-", f"s3://work.{name}/k", stdin=b"v")
        aws("s3", "rb", "--force", f"s3://work.{name}")
        assert f"work.{name}" not in aws("s3", "ls")
