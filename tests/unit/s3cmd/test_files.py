"""Settings, what is kept at home, and which local file a key belongs to."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from gateway.s3cmd import files
from gateway.s3cmd.exits import Leave
from gateway.s3cmd.files import Registration, Session
from gateway.s3cmd.resume import Target, find_local, target_of
from gateway.s3cmd.s3cfg import endpoint_of, read_s3cfg, s3cfg_for, text
from gateway.s3cmd.service import Gateway


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


# ---------------------------------------------------------------- ~/.s3cfg


def test_s3cmd_gets_the_settings_without_credentials_and_with_our_endpoint(tmp_path: Path) -> None:
    path = tmp_path / "s3cfg"
    path.write_text(
        "[default]\n# access_key = commented\naccess_key = A\nsecret_key = S\naccess_token = T\nhost_base = h\n"
        "host_bucket = %(bucket)s.h\nuse_https = False\nsignature_v2 = False\nencoding = UTF-8\n"
    )
    settings = read_s3cfg(str(path))
    assert endpoint_of(settings) == "http://h"
    assert s3cfg_for(settings, "https://s3.example.org:9000") == (
        "[default]\nsignature_v2 = False\nencoding = UTF-8\n"
        "host_base = s3.example.org:9000\nhost_bucket = s3.example.org:9000\nuse_https = True\n"
    )


def test_values_are_read_as_s3cmd_reads_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHERE", "/ca.pem")
    assert text({"ca_certs_file": "$WHERE"}, "ca_certs_file") == "/ca.pem"
    assert text({"ca_certs_file": '"/a b.pem"'}, "ca_certs_file") == "/a b.pem"
    assert text({}, "ca_certs_file") == ""


def test_a_file_that_is_named_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(Leave, match="there is no"):
        read_s3cfg(str(tmp_path / "none"))


# ---------------------------------------------------------------- kept at home


def test_another_endpoint_leaves_nothing_of_the_one_before(home: Path) -> None:
    files.register("prod", "https://a", "p1", Registration("u", "k1"))
    files.register("prod", "https://a", "p2", Registration("u", "k2"))
    files.register("test", "https://t", "p1", Registration("u", "kt"))
    assert set(files.registrations()["prod"].projects) == {"p1", "p2"}
    files.register("prod", "https://b", "p3", Registration("u", "k3"))
    assert set(files.registrations()["prod"].projects) == {"p3"}
    assert files.registrations()["test"].projects["p1"].api_key == "kt"


def test_a_damaged_file_is_told_and_not_overwritten(home: Path) -> None:
    files.registrations_path().parent.mkdir(parents=True)
    files.registrations_path().write_text("{")
    with pytest.raises(Leave, match="cannot be read"):
        files.register("prod", "https://a", "p1", Registration("u", "k"))
    assert files.registrations_path().read_text() == "{"


def test_a_session_serves_its_endpoint_until_shortly_before_its_end(home: Path) -> None:
    session = Session("https://a", "t", "a", "s", "st", time.time() + 600)
    files.keep_session("prod", "p1", "s3import", session)
    assert files.kept_session("prod", "p1", "s3import") == session
    assert files.kept_session("prod", "p1", "s3export") is None
    assert session.serves("https://a")
    assert not session.serves("https://b")
    assert not Session("https://a", "t", "a", "s", "st", time.time() + 30).serves("https://a")
    files.forget_session("prod", "p1", "s3import")
    files.forget_session("prod", "p1", "s3import")
    assert files.kept_session("prod", "p1", "s3import") is None


@pytest.mark.parametrize(
    ("endpoint", "is_private"),
    [("https://s3.example.org", True), ("http://127.0.0.1:9000", True), ("http://s3.example.org", False)],
)
def test_it_is_known_where_others_can_listen(endpoint: str, is_private: bool) -> None:
    assert Gateway(endpoint).is_private == is_private


@pytest.mark.parametrize("endpoint", ["", "s3.example.org", "ftp://h", "http://", "https://h/path", "https://h?q"])
def test_what_is_no_endpoint_is_refused(endpoint: str) -> None:
    with pytest.raises(Leave, match="is no endpoint"):
        Gateway(endpoint)


# ---------------------------------------------------------------- keys and files


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "dir" / "sub").mkdir(parents=True)
    for name in ("f", "dir/f", "dir/sub/g h"):
        (tmp_path / name).write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("operands", "to", "key", "path", "relative"),
    [
        (["f"], "s3://b", "f", "f", "f"),
        (["f"], "s3://b/", "f", "f", "f"),
        (["f"], "s3://b/other", "other", "f", "f"),
        (["f"], "s3://b/p/", "p/f", "f", "f"),
        (["dir"], "s3://b", "dir/f", "dir/f", "dir/f"),
        (["dir/"], "s3://b", "f", "dir/f", "f"),
        (["f", "dir"], "s3://b/p/", "p/dir/sub/g h", "dir/sub/g h", "dir/sub/g h"),
        (["dir/"], "s3://b/p/", "p/sub/g h", "dir/sub/g h", "sub/g h"),
        (["."], "s3://b/p/", "p/dir/f", "dir/f", "dir/f"),
    ],
)
def test_a_key_s_file_is_found(tree: Path, operands: list[str], to: str, key: str, path: str, relative: str) -> None:
    found = find_local(operands, target_of([*operands, to]), key)
    assert (found.path, found.relative) == (Path(path), relative)


@pytest.mark.parametrize("key", ["g", "dir/../f", "dir/none", "dir/sub", "dir/", "xdir/f"])
def test_no_other_file_is_taken(tree: Path, key: str) -> None:
    with pytest.raises(Leave, match="none of the files named"):
        find_local(["dir"], Target("b", ""), key)


@pytest.mark.parametrize("operands", [[], ["s3://b"], ["f", "g"], ["-", "s3://b/k"], ["s3://a/k", "s3://b"]])
def test_an_upload_goes_from_here_to_s3(operands: list[str]) -> None:
    with pytest.raises(Leave, match="--upload-id is for"):
        target_of(operands)
