"""Sessions kept between commands."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.client.kept_sessions import KeptSession, cache_folder, format_process, parse_process
from gateway.sts.operations import Issued


def issued(left_s: int) -> Issued:
    expires = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=left_s)
    return Issued("KEY", "secret", "token", expires)


@pytest.fixture
def kept(tmp_path: Path) -> KeptSession:
    found = KeptSession(tmp_path / "a" / "b", "http://127.0.0.1:9000", "KEY", "", "")
    with found.locked():
        return found


def test_what_was_written_is_read(kept: KeptSession) -> None:
    assert kept.read() is None
    session = issued(3600)
    kept.write(session)
    assert kept.read() == session


def test_one_that_is_about_to_end_is_none(kept: KeptSession) -> None:
    kept.write(issued(59))
    assert kept.read() is None


@pytest.mark.parametrize("content", ["", "[]", "{}", "null", '{"Expiration": 5}', "\xff", '{"Expiration": "soon"}'])
def test_a_damaged_one_is_none(kept: KeptSession, tmp_path: Path, content: str) -> None:
    kept.write(issued(3600))
    (path,) = tmp_path.rglob("*.json")
    path.write_text(content, encoding="latin-1")
    assert kept.read() is None


def test_sessions_are_told_apart_by_all_of_their_names(tmp_path: Path) -> None:
    one = KeptSession(tmp_path, "http://127.0.0.1:9000", "KEY", "", "import")
    with one.locked():
        one.write(issued(3600))
    assert KeptSession(tmp_path, "http://127.0.0.1:9000", "KEY", "import", "").read() is None


def test_the_process_format_is_read_back(tmp_path: Path) -> None:
    session = issued(10)
    assert parse_process(format_process(session)) == session


def test_the_folder_is_the_users_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ann")
    assert cache_folder({"XDG_CACHE_HOME": "/var/cache/ann"}) == Path("/var/cache/ann/caret/sessions")
    for environ in ({}, {"XDG_CACHE_HOME": "relative"}):
        assert cache_folder(environ) == Path("/home/ann/.cache/caret/sessions")
