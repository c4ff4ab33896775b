"""What the users of rclone do, whichever its version. Its provider must be `Other`: see docs/clients.md."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from gateway.sts.operations import Issued
from tests.clients.client import Command, environment
from tests.integration.server import Server

DOES = "copy, sync, check, lsf, move; multipart; check --download; a tree as it was"
MIB = 1024 * 1024


def rclone_for(executable: Path, server: Server, home: Path, credentials: str = "") -> Command:
    """With root's key, or with lines of the configuration that say otherwise."""
    config = home / "rclone.conf"
    root = f"access_key_id = {server.access_key}\nsecret_access_key = {server.secret_key}\n"
    config.write_text(
        f"[caret]\ntype = s3\nprovider = Other\n{credentials or root}"
        f"endpoint = {server.url}\nregion = {server.region}\n"
        f"upload_cutoff = {5 * MIB}\nchunk_size = {5 * MIB}\n"
    )
    trusted = ("--ca-cert", server.certificate.path) if server.certificate else ()
    return Command([executable, "--config", config, "--retries", "1", *trusted], environment(server, home))


class RcloneTests:
    """Inherited by a test class for each version; `rclone` is a fixture of that version's module."""

    def make(self, folder: Path) -> Path:
        files = {"a": b"one", "sub/b +ü": b"", "sub/deep/large": os.urandom(12 * MIB)}
        for name, content in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
        return folder

    def test_copy_and_check(self, rclone: Command, bucket: str, tmp_path: Path) -> None:
        local = self.make(tmp_path / "local")
        rclone("copy", local, f"caret:{bucket}/tree")
        rclone("check", local, f"caret:{bucket}/tree")
        rclone("check", "--download", local, f"caret:{bucket}/tree")
        listed = rclone("lsf", "--recursive", "--files-only", f"caret:{bucket}/tree")
        assert listed.splitlines() == ["a", "sub/b +ü", "sub/deep/large"]
        rclone("copy", f"caret:{bucket}/tree", tmp_path / "back")
        rclone("check", "--checksum", tmp_path / "back", f"caret:{bucket}/tree")

    def test_sync_transfers_what_changed(self, rclone: Command, s3: Any, bucket: str, tmp_path: Path) -> None:
        local = self.make(tmp_path / "local")
        rclone("sync", local, f"caret:{bucket}")
        before = self.versions(s3, bucket)
        rclone("sync", local, f"caret:{bucket}")
        assert self.versions(s3, bucket) == before
        (local / "a").write_bytes(b"longer")
        (local / "sub" / "b +ü").unlink()
        rclone("sync", local, f"caret:{bucket}")
        assert self.versions(s3, bucket) == before + 2
        rclone("check", "--download", local, f"caret:{bucket}")

    def test_check_sees_a_difference(self, rclone: Command, s3: Any, bucket: str, tmp_path: Path) -> None:
        local = self.make(tmp_path / "local")
        rclone("sync", local, f"caret:{bucket}")
        s3.put_object(Bucket=bucket, Key="a", Body=b"two")
        assert "1 differences found" in rclone.refused("check", "--download", local, f"caret:{bucket}")

    def test_moves_and_copies_on_the_server(self, rclone: Command, s3: Any, bucket: str, tmp_path: Path) -> None:
        rclone("copy", self.make(tmp_path / "local"), f"caret:{bucket}/tree")
        rclone("copy", f"caret:{bucket}/tree", f"caret:{bucket}/copy")
        rclone("moveto", f"caret:{bucket}/tree/a", f"caret:{bucket}/renamed")
        rclone("check", "--download", tmp_path / "local" / "sub", f"caret:{bucket}/copy/sub")
        assert rclone("cat", f"caret:{bucket}/renamed") == "one"
        rclone("delete", f"caret:{bucket}/copy")
        assert "Contents" not in s3.list_objects_v2(Bucket=bucket, Prefix="copy/")

    def test_purge_which_means_the_past_too_is_refused(self, rclone: Command, s3: Any, bucket: str) -> None:
        s3.put_object(Bucket=bucket, Key="dir/k", Body=b"v")
        assert "History is immutable" in rclone.refused("purge", f"caret:{bucket}/dir")
        assert s3.get_object(Bucket=bucket, Key="dir/k")["Body"].read() == b"v"

    def test_the_past(self, rclone: Command, s3: Any, bucket: str) -> None:
        first = s3.put_object(Bucket=bucket, Key="k", Body=b"one")
        s3.put_object(Bucket=bucket, Key="k", Body=b"two")
        s3.delete_object(Bucket=bucket, Key="k")
        assert rclone("cat", f"caret:{first['VersionId'][:12]}.main.{bucket}/k") == "one"
        assert len(rclone("lsf", "--s3-versions", f"caret:{bucket}").split()) == 2

    def test_with_a_session(self, rclone: Command, server: Server, session: Issued, tmp_path: Path) -> None:
        lines = {
            "access_key_id": session.access_key,
            "secret_access_key": session.secret,
            "session_token": session.token,
        }
        self.works_with(rclone, server, tmp_path, lines, {})

    def test_with_a_session_in_the_environment(
        self, rclone: Command, server: Server, session: Issued, tmp_path: Path
    ) -> None:
        variables = {
            "AWS_ACCESS_KEY_ID": session.access_key,
            "AWS_SECRET_ACCESS_KEY": session.secret,
            "AWS_SESSION_TOKEN": session.token,
        }
        self.works_with(rclone, server, tmp_path, {"env_auth": "true"}, variables)

    def works_with(
        self, rclone: Command, server: Server, home: Path, lines: Mapping[str, str], variables: Mapping[str, str]
    ) -> None:
        executable = Path(rclone.begin[0])
        written = "".join(f"{name} = {value}\n" for name, value in lines.items())
        with_session = rclone_for(executable, server, home, written)
        with_session = replace(with_session, environment={**with_session.environment, **variables})
        local = self.make(home / "local")
        with_session("mkdir", "caret:by-session")
        with_session("copy", local, "caret:by-session/tree")
        with_session("check", "--download", local, "caret:by-session/tree")

    def versions(self, s3: Any, bucket: str) -> int:
        listed = s3.list_object_versions(Bucket=bucket)
        return len(listed.get("Versions", [])) + len(listed.get("DeleteMarkers", []))
