"""`caret`: exit codes, and what is said with them. What it serves is tested over the network."""

from __future__ import annotations

import contextlib
import json
import socket
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import pfs
from gateway.cli.main import main
from gateway.cli.serve import example


def caret(*arguments: str | Path, **environment: str) -> Result:
    return CliRunner(env=environment).invoke(main, [str(argument) for argument in arguments], prog_name="caret")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The folder of a store with a commit in it."""
    store = pfs.open_store(pfs.StoreConfig(data=tmp_path / "data"))
    store.close()
    return tmp_path / "data"


def test_version_is_told() -> None:
    assert caret("--version").output.startswith("caret, version ")


@pytest.mark.parametrize("command", ["serve", "config", "fsck", "gc"])
def test_help_names_the_variables_and_shows_no_secret(command: str) -> None:
    result = caret(command, "--help", CARET_ROOT_ACCESS_KEY="ROOT", CARET_ROOT_SECRET_KEY="from the environment")
    assert result.exit_code == 0
    assert "CARET_DATA" in result.output
    assert "from the environment" not in result.output


# ---------------------------------------------------------------- config


def test_config_shows_values_and_origins_and_masks_secrets(tmp_path: Path) -> None:
    file = tmp_path / "caret.toml"
    file.write_text("region = 'eu-central-1'", encoding="utf-8")
    result = caret(
        *("config", "--config", file, "--s3-port", "9001"),
        CARET_ROOT_ACCESS_KEY="ROOT",
        CARET_ROOT_SECRET_KEY="from the environment",
    )
    rows = {line.split()[0]: line.split()[1:] for line in result.output.splitlines()}
    assert rows["region"] == ["eu-central-1", str(file)]
    assert rows["s3_port"] == ["9001", "--s3-port"]
    assert rows["root_access_key"] == ["ROOT", "CARET_ROOT_ACCESS_KEY"]
    assert rows["root_secret_key"] == ["********", "CARET_ROOT_SECRET_KEY"]


@pytest.mark.parametrize("arguments", [["serve", "--s3-port", "x"], ["fsck", "--data", ""], ["config", "--nothing"]])
def test_wrong_usage_leaves_with_2(arguments: list[str]) -> None:
    result = caret(*arguments)
    assert result.exit_code == 2
    assert "Error: " in result.output


# ---------------------------------------------------------------- fsck


def test_fsck_of_a_sound_store_leaves_with_0(data: Path) -> None:
    result = caret("fsck", "--data", data, "--verify-data")
    assert result.exit_code == 0
    assert result.output.endswith("no problems\n")


def test_fsck_as_json_is_the_whole_report(data: Path) -> None:
    result = caret("fsck", "--data", data, "--json")
    assert json.loads(result.output)["problems"] == []


def test_fsck_tells_each_problem_and_leaves_with_1(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report = pfs.Report(commits=3, problems=[pfs.Problem("chain", "abc", "it does not give this id")])
    monkeypatch.setattr(pfs.Store, "fsck", lambda self, verify_data: report)
    result = caret("fsck", "--data", data)
    assert result.exit_code == 1
    assert "chain: abc: it does not give this id\n" in result.output
    assert result.output.endswith("1 problem\n")
    assert json.loads(caret("fsck", "--data", data, "--json").output)["problems"][0]["subject"] == "abc"


def test_fsck_makes_no_store_where_there_is_none(tmp_path: Path) -> None:
    result = caret("fsck", "--data", tmp_path)
    assert result.exit_code == 3
    assert "there is no store" in result.output
    assert not list(tmp_path.iterdir())


def test_fsck_of_a_file_that_is_no_database_leaves_with_3(tmp_path: Path) -> None:
    (tmp_path / "caret.db").write_bytes(b"not a database" * 1000)
    result = caret("fsck", "--data", tmp_path)
    assert result.exit_code == 3
    assert "cannot be read" in result.output


# ---------------------------------------------------------------- gc


@pytest.fixture
def garbage(data: Path) -> Path:
    """The folder of a store whose one repo has been deleted."""
    with contextlib.closing(pfs.open_store(pfs.StoreConfig(data=data))) as store:
        branch = store.create_branch("default", "gone", None, label="gone", author="ann").result()
        store.commit(branch, [pfs.Put("key", pfs.inline(b"value"))], author="ann").result()
        store.delete_branch(branch).result()
    return data


def test_gc_says_what_would_go_and_changes_nothing(garbage: Path) -> None:
    figures = caret("gc", "--data", garbage, "--retention-s", "0", "--dry-run", "--json")
    assert figures.exit_code == 0
    found = json.loads(figures.output)
    assert (found["dry_run"], found["repos"], found["commits"], found["bytes_condemned"]) == (True, 1, 2, 5)
    assert caret("gc", "--data", garbage, "--retention-s", "0", "--dry-run", "--json").output == figures.output


def test_gc_prints_a_table_of_what_it_has_removed(garbage: Path) -> None:
    first = caret("gc", "--data", garbage, "--retention-s", "0", "--gc-grace-s", "0")
    assert first.exit_code == 0
    assert first.output.startswith("REMOVED ")
    assert any(line.split() == ["commits", "2"] for line in first.output.splitlines())
    second = caret("gc", "--data", garbage, "--gc-grace-s", "0")
    assert any(line.split() == ["blobs", "1", "5", "B"] for line in second.output.splitlines())


def test_gc_keeps_what_can_be_restored(garbage: Path) -> None:
    assert json.loads(caret("gc", "--data", garbage, "--json").output)["repos"] == 0


def test_gc_leaves_with_3_while_another_one_runs(data: Path) -> None:
    with contextlib.closing(pfs.open_store(pfs.StoreConfig(data=data))) as store:
        assert store.lease("collect-garbage", "another", 60)
    result = caret("gc", "--data", data)
    assert result.exit_code == 3
    assert "by another process" in result.output


def test_gc_makes_no_store_where_there_is_none(tmp_path: Path) -> None:
    assert caret("gc", "--data", tmp_path).exit_code == 3
    assert not list(tmp_path.iterdir())


# ---------------------------------------------------------------- serve


def test_serve_refuses_a_port_in_use_before_it_touches_the_data_folder(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        result = caret("serve", "--data", tmp_path / "data", "--s3-port", port)
    assert result.exit_code == 3
    assert port in result.output
    assert not (tmp_path / "data").exists()


def test_serve_refuses_a_certificate_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "pem").write_text("no certificate")
    result = caret(
        *("serve", "--data", tmp_path / "data", "--s3-port", "0"),
        *("--tls-cert", tmp_path / "pem", "--tls-key", tmp_path / "none"),
    )
    assert result.exit_code == 3
    assert "cannot be used" in result.output


def test_serve_refuses_a_data_folder_that_cannot_be_one(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    result = caret("serve", "--data", tmp_path / "data", "--s3-port", "0")
    assert result.exit_code == 3
    assert str(tmp_path / "data") in result.output


def test_the_example_puts_overwrites_and_reads_what_was_before() -> None:
    put, overwrite, read = example("http://127.0.0.1:9000", "KEY", "secret", "us-east-1")
    assert "AWS_ACCESS_KEY_ID=KEY AWS_SECRET_ACCESS_KEY=secret" in put
    assert all("s3://demo/hello.txt" in line for line in (put, overwrite))
    assert "--version-id 'HEAD^'" in read
