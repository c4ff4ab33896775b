"""A commit's canonical bytes, spelled out here a second time, and what its id vouches for."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

import pytest
from blake3 import blake3

from pfs import CommitId, Digest, Entry
from pfs.commits.chain import commit_id
from pfs.meta import entries

PARENT = CommitId("ab" * 32)
OBJECT = Entry("é", 0, 0, 5, Digest(b"d" * 32), 1, "tag", '{"a":1}', "", CommitId(""), 0)
MARKER = entries.marker("zz", 0, CommitId(""), 0)
COMMIT: Mapping[str, Any] = {
    "repo_uid": b"r" * 16,
    "timeline_uid": b"t" * 16,
    "seq": 7,
    "parents": (PARENT,),
    "time_us": 1_795_000_000_000_001,
    "author": "ann",
    "message": "ü",
    "metadata": "{}",
    "changes": [("é".encode(), OBJECT), (b"zz", MARKER)],
}


def text(raw: bytes) -> bytes:
    return struct.pack(">I", len(raw)) + raw


def test_the_documented_bytes() -> None:
    described = blake3(text(b'{"a":1}') + text(b"")).digest()
    expected = b"".join(
        (
            b"caret commit 1\n",
            b"r" * 16,
            b"t" * 16,
            struct.pack(">Q", 7),
            b"\1" + b"\xab" * 32,
            struct.pack(">q", 1_795_000_000_000_001),
            text(b"ann") + text(b"\xc3\xbc") + text(b"{}"),
            struct.pack(">I", 2),
            b"\0" + text(b"\xc3\xa9") + struct.pack(">QB", 5, 1) + b"d" * 32 + text(b"tag") + described,
            b"\1" + text(b"zz"),
        )
    )
    assert commit_id(**COMMIT) == blake3(expected).hexdigest()


def changed(**fields: Any) -> dict[str, Any]:
    return {"changes": [("é".encode(), OBJECT._replace(**fields)), (b"zz", MARKER)]}


@pytest.mark.parametrize(
    "difference",
    [
        {"repo_uid": b"R" * 16}, {"timeline_uid": b"T" * 16}, {"seq": 8}, {"parents": ()},
        {"parents": (PARENT, PARENT)}, {"time_us": 1}, {"author": "bob"}, {"message": ""}, {"metadata": ""},
        {"author": "annü", "message": ""}, {"changes": []}, {"changes": [("é".encode(), OBJECT)]},
        {"changes": [(b"e", OBJECT), (b"zz", MARKER)]}, {"changes": [("é".encode(), MARKER), (b"zz", MARKER)]},
        changed(size=6), changed(layout=0), changed(digest=Digest(b"D" * 32)), changed(etag="x"),
        changed(attrs=""), changed(checksums="x"), changed(attrs='{"a":1', checksums="}"),
    ],
)  # fmt: skip
def test_an_id_vouches_for_every_part(difference: dict[str, Any]) -> None:
    assert commit_id(**{**COMMIT, **difference}) != commit_id(**COMMIT)


@pytest.mark.parametrize(
    "difference", [changed(seq=9), changed(commit_id=PARENT), changed(time_us=9), changed(settings={"a": "b"})]
)
def test_what_is_beside_the_history_is_not_vouched_for(difference: dict[str, Any]) -> None:
    assert commit_id(**{**COMMIT, **difference}) == commit_id(**COMMIT)
