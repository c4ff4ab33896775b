"""`caret export`, `caret import` and `caret fsck --bundle`: the real command, beside a serving gateway, and killed."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import random
import resource
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import pfs
from gateway.cli.main import main
from tests.stores import AUTHOR, PROJECT, Checkout

from .server import REPOSITORY, clean_environment

MIB = 1024 * 1024


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "gateway", *(str(argument) for argument in arguments)]


def caret(*arguments: str | Path, **options: Any) -> subprocess.CompletedProcess[bytes]:
    options = {"capture_output": True, "timeout": 100, "cwd": REPOSITORY, "env": clean_environment(), **options}
    return subprocess.run(command(*arguments), check=False, **options)


def checked(*arguments: str | Path, **options: Any) -> bytes:
    done = caret(*arguments, **options)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def repos_of(data: Path) -> int:
    """How many there are, in a store that is sound."""
    with contextlib.closing(pfs.open_store(pfs.StoreConfig(data))) as store:
        report = store.fsck(verify_data=True)
    assert report.problems == []
    return report.repos


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The folder of a store with a repo `images`, with blobs inside and outside of the database."""
    store = pfs.open_store(pfs.StoreConfig(tmp_path / "data"))
    here = Checkout.create(store, "images")
    for number in range(20):
        changes = [pfs.Put(f"{number}/{key}", pfs.inline(os.urandom(200))) for key in range(100)]
        store.commit(here.branch, changes, author=AUTHOR).result()
        here.put("large", os.urandom(100_000))
    here.fork("dev").delete("large")
    store.create_tag(here.branch, "v1", author=AUTHOR).result()
    store.close()
    return tmp_path / "data"


@pytest.fixture
def bundle(data: Path, tmp_path: Path) -> Path:
    checked("export", "images", tmp_path / "images.bundle", "--data", data)
    return tmp_path / "images.bundle"


# ---------------------------------------------------------------- there and back


def test_a_repo_goes_through_a_pipe_with_the_same_ids(data: Path, tmp_path: Path) -> None:
    out = subprocess.Popen(
        command("export", "images", "-", "--data", data),
        cwd=REPOSITORY,
        env=clean_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    summary = json.loads(checked("import", "-", "--data", tmp_path / "copy", "--json", stdin=out.stdout))
    assert out.stdout is not None
    out.stdout.close()
    assert out.wait(30) == 0
    assert (summary["repo"], summary["commits"], summary["branches"], summary["tags"]) == ("images", 42, 2, 1)
    assert repos_of(tmp_path / "copy") == 1
    first, second = (checked("export", "images", "-", "--data", folder) for folder in (data, tmp_path / "copy"))
    assert first == second


def test_a_bundle_is_verified_without_a_store(bundle: Path) -> None:
    report = json.loads(checked("fsck", "--bundle", bundle, "--json"))
    assert (report["repos"], report["commits"], report["problems"]) == (1, 42, [])
    with bundle.open("r+b") as file:
        file.seek(bundle.stat().st_size // 2)
        file.write(b"damage")
    found = caret("fsck", "--bundle", bundle)
    assert found.returncode == 1
    assert b"bundle: " in found.stdout


def test_a_bundle_is_taken_in_beside_a_serving_gateway_that_writes(serve: Any, bundle: Path, tmp_path: Path) -> None:
    server = serve(data=tmp_path / "served")
    client = server.client()
    client.create_bucket(Bucket="busy")
    stop, written = threading.Event(), itertools.count()

    def write() -> None:
        while not stop.is_set():
            client.put_object(Bucket="busy", Key="k", Body=b"%d" % next(written))

    writer = threading.Thread(target=write)
    writer.start()
    try:
        checked("import", bundle, "--data", server.data, "--as", "photos")
        checked("export", "busy", tmp_path / "busy.bundle", "--data", server.data)
    finally:
        stop.set()
        writer.join()
    assert next(written) > 1
    names = [found["Name"] for found in client.list_buckets()["Buckets"]]
    assert names == ["busy", "dev.photos", "photos"]
    assert client.get_object(Bucket="photos", Key="large")["ContentLength"] == 100_000
    assert len(client.list_objects_v2(Bucket="v1.main.photos", MaxKeys=10)["Contents"]) == 10
    client.put_object(Bucket="dev.photos", Key="new", Body=b"new")
    checked("fsck", "--bundle", tmp_path / "busy.bundle")
    assert server.fsck().returncode == 0


# ---------------------------------------------------------------- refusals


def refused(code: int, message: str, *arguments: str | Path, **options: Any) -> None:
    if "preexec_fn" in options:
        done = caret(*arguments, **options)
        left, said = done.returncode, done.stderr.decode()
    else:
        ran = CliRunner(env={}).invoke(main, [str(argument) for argument in arguments], prog_name="caret", **options)
        left, said = ran.exit_code, ran.output
    assert left == code, said
    assert message in said
    assert "Traceback" not in said


def test_nothing_is_overwritten_unless_asked_to(data: Path, bundle: Path) -> None:
    before = bundle.read_bytes()
    bundle.write_bytes(b"precious")
    refused(2, "--force", "export", "images", bundle, "--data", data)
    assert bundle.read_bytes() == b"precious"
    refused(1, "no repo", "export", "none", bundle, "--force", "--data", data)
    assert bundle.read_bytes() == b"precious"
    checked("export", "images", bundle, "--force", "--data", data)
    assert bundle.read_bytes() == before
    assert [path.name for path in bundle.parent.iterdir() if path.name.startswith(".")] == []


def test_what_cannot_be_done_is_told_in_a_line(data: Path, bundle: Path, tmp_path: Path) -> None:
    refused(3, "there is no store", "export", "images", tmp_path / "b", "--data", tmp_path / "none")
    refused(1, "No such file", "export", "images", tmp_path / "none" / "b", "--data", data)
    refused(1, "No such file", "import", tmp_path / "absent", "--data", data)
    refused(1, "Is a directory", "import", tmp_path, "--data", data)
    refused(1, "already is a repo", "import", bundle, "--data", data)
    refused(1, "this very repo", "import", bundle, "--as", "photos", "--data", data)
    refused(1, "not a legal repo name", "import", bundle, "--as", "No", "--data", tmp_path / "copy")
    refused(1, "not a legal bucket name", "import", bundle, "--as", "n" * 61, "--data", tmp_path / "copy")
    refused(1, "does not begin as one", "import", "-", "--data", tmp_path / "copy", input=b"not a bundle at all")
    refused(1, "ends too early", "import", "-", "--data", tmp_path / "copy", input=bundle.read_bytes()[:-1])
    assert repos_of(tmp_path / "copy") == 0


def test_a_reader_that_goes_away_is_told(data: Path) -> None:
    out = subprocess.Popen(
        command("export", "images", "-", "--data", data),
        cwd=REPOSITORY,
        env=clean_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert out.stdout is not None
    assert out.stderr is not None
    out.stdout.close()
    said = out.stderr.read().decode()
    out.stderr.close()
    assert out.wait(30) == 1
    assert "its reader has gone" in said
    assert "Traceback" not in said
    assert "Exception ignored" not in said


def limited(size: int) -> Any:
    """As a full disk: no file grows beyond this."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    return limit


def test_an_export_to_a_full_disk_leaves_no_file(data: Path, tmp_path: Path) -> None:
    target = tmp_path / "full" / "images.bundle"
    target.parent.mkdir()
    refused(1, "File too large", "export", "images", target, "--data", data, preexec_fn=limited(500_000))
    assert list(target.parent.iterdir()) == []


def test_an_import_into_a_full_disk_leaves_nothing_visible(bundle: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    pfs.open_store(pfs.StoreConfig(folder)).close()
    refused(1, "", "import", bundle, "--data", folder, preexec_fn=limited(90_000))
    assert repos_of(folder) == 0
    checked("import", bundle, "--data", folder)
    assert repos_of(folder) == 1


# ---------------------------------------------------------------- killed


def test_an_import_that_is_killed_leaves_nothing_visible_and_can_be_repeated(bundle: Path, tmp_path: Path) -> None:
    """At random moments of its feeding: what it was given so far has been taken in."""
    folder, data = tmp_path / "copy", bundle.read_bytes()
    pfs.open_store(pfs.StoreConfig(folder)).close()
    chance = random.Random(7)
    for _ in range(4):
        importing = subprocess.Popen(
            command("import", "-", "--data", folder),
            cwd=REPOSITORY,
            env=clean_environment(),
            stdin=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        assert importing.stdin is not None
        importing.stdin.write(data[: chance.randrange(len(data) // 4, len(data) - 1)])
        importing.stdin.flush()
        time.sleep(chance.random() / 5)
        importing.kill()
        importing.wait()
        importing.stdin.close()
        assert repos_of(folder) == 0
    checked("import", bundle, "--data", folder)
    assert repos_of(folder) == 1
    assert checked("export", "images", "-", "--data", folder) == data


# ---------------------------------------------------------------- memory


@pytest.fixture
def heavy(tmp_path: Path) -> Path:
    """The folder of a store with one blob of 300 MB."""
    store = pfs.open_store(pfs.StoreConfig(tmp_path / "heavy"))
    here = Checkout.create(store, "images")
    stage = store.stage()
    for _ in range(300):
        stage.write(bytes(MIB))
    store.commit(here.branch, [pfs.Put("heavy", stage.finish())], author=AUTHOR).result()
    store.close()
    return tmp_path / "heavy"


# A child counts what its parent had when it forked: one that has little is put between.
MEASURE = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def most_memory(*arguments: str | Path) -> int:
    """The command's largest resident size, in bytes."""
    between = [sys.executable, "-c", MEASURE, *map(str, command(*arguments))]
    done = subprocess.run(between, cwd=REPOSITORY, env=clean_environment(), capture_output=True, check=True)
    return int(done.stdout) * 1024


def test_a_large_blob_costs_no_memory(heavy: Path, tmp_path: Path) -> None:
    bundle = tmp_path / "heavy.bundle"
    assert most_memory("export", "images", bundle, "--data", heavy) < 200 * MIB
    assert bundle.stat().st_size > 300 * MIB
    assert most_memory("import", bundle, "--data", tmp_path / "copy") < 200 * MIB
    assert most_memory("fsck", "--bundle", bundle) < 200 * MIB
    store = pfs.open_store(pfs.StoreConfig(tmp_path / "copy"))
    here = Checkout(store, store.branch(PROJECT, "images"))
    assert store.entry(here.view(), "heavy").size == 300 * MIB
    store.close()
