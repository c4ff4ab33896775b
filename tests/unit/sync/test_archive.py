"""Archives, judged by the standard library's reader."""

from __future__ import annotations

import io
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.sync.archive import can_name, pack

names = st.lists(st.text(st.characters(exclude_characters="/\0", codec="utf-8"), min_size=1), min_size=1).map("/".join)
values = st.text(st.characters(exclude_categories=("Cs", "Cc"), codec="utf-8"), max_size=120)
headers = st.dictionaries(st.sampled_from(["x-amz-meta-mtime", "content-type", "x-amz-meta-a"]), values)


@given(st.lists(st.tuples(names.filter(can_name), st.binary(max_size=1500), headers), max_size=5))
def test_all_that_is_packed_is_there(files: list[tuple[str, bytes, dict[str, str]]]) -> None:
    with tarfile.open(fileobj=io.BytesIO(pack(files)), mode="r:", encoding="utf-8") as archive:
        for (name, data, own), member in zip(files, archive.getmembers(), strict=True):
            # tarfile takes a slash off the end of a name; a file's has none
            assert (member.name, member.size, member.isreg()) == (name, len(data), True)
            content = archive.extractfile(member)
            assert content is not None
            assert content.read() == data
            told = {key.removeprefix("minio.metadata."): value for key, value in member.pax_headers.items()}
            assert {key: value for key, value in told.items() if key != "path"} == own


@pytest.mark.parametrize("length", range(80, 120))
def test_a_record_counts_the_digits_of_its_own_length(length: int) -> None:
    value = "v" * length
    with tarfile.open(fileobj=io.BytesIO(pack([("a", b"", {"x-amz-meta-a": value})])), mode="r:") as archive:
        assert archive.getmembers()[0].pax_headers == {"minio.metadata.x-amz-meta-a": value}


@pytest.mark.parametrize(
    ("path", "holds"),
    [("a/b", True), ("a//b", False), ("/a", False), ("a/", False), ("a/./b", False), ("..", False), (".../a", True)],
)
def test_names_that_are_no_paths_do_not_travel_so(path: str, holds: bool) -> None:
    assert can_name(path) is holds
