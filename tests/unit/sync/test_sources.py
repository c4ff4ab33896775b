"""Where jobs may read: below the uploads folder. The hostile names are in tests/integration/test_jobs_api.py."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.sync.sources import BadSource, NoUploads, find_source, folders_below, is_without_files

NAMES = st.sampled_from(["a", "b", "..", ".", "", "out", "in", "\0", "/", "~", "\udcff", "é", "a\nb"])


@pytest.fixture(scope="module")
def uploads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sources") / "uploads"
    (folder / "a" / "b").mkdir(parents=True)
    (folder / "a" / "b" / "file").write_text("")
    (folder / "b").mkdir()
    (folder / "out").symlink_to(folder.parent)
    (folder / "in").symlink_to("a")
    return folder


@given(parts=st.lists(NAMES, max_size=6))
def test_whatever_is_asked_for_stays_below(uploads: Path, parts: list[str]) -> None:
    try:
        found = find_source(uploads, "/".join(parts))
    except BadSource:
        return
    root = uploads.resolve()
    assert found.beneath == root
    assert root in found.path.resolve().parents


@pytest.mark.parametrize(
    ("source", "is_empty"), [("a", False), ("a/b", False), ("in", False), ("b", True), ("c", True), ("c/d", True)]
)
def test_a_source_is_without_files(uploads: Path, source: str, is_empty: bool) -> None:
    assert is_without_files(find_source(uploads, source)) is is_empty


def test_a_link_counts_as_a_file(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "link").symlink_to("nowhere")
    assert not is_without_files(find_source(tmp_path, "a"))


def test_without_its_folder_nothing_counts_as_absent(tmp_path: Path) -> None:
    with pytest.raises(NoUploads):
        find_source(tmp_path / "unmounted", "a")


def test_folders_to_choose_from(uploads: Path) -> None:
    assert folders_below(uploads) == ["a", "a/b", "b"]
    assert folders_below(uploads / "nothing") == []
