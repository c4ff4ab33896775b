"""Staged parts and the object that they become."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NoReturn

import pytest
from blake3 import blake3

from pfs import (
    Chosen,
    Commit,
    Completion,
    Entry,
    Extent,
    Guard,
    GuardRefused,
    InvalidName,
    NoSuchBranch,
    NoSuchPart,
    NoSuchUpload,
    Part,
    PartTooSmall,
    StoreConfig,
    Upload,
    inline,
    open_store,
)
from tests.stores import AUTHOR, PROJECT, Checkout, content

MINIMUM = 10


class Refused(GuardRefused):
    pass


def refuse(*_: object) -> NoReturn:
    raise Refused


def begin(main: Checkout, key: str = "key") -> Upload:
    return main.store.create_upload(main.branch, key, '{"a":1}', AUTHOR).result()


def stage(main: Checkout, upload: Upload, number: int, data: bytes, checksum: str = "") -> Part:
    taken = main.store.stage()
    taken.write(data)
    return main.store.put_part(upload, number, taken.finish(), checksum=checksum).result()


def choice(
    *numbers: int, matches: Callable[[Part], bool] = lambda part: True, guard: Guard | None = None
) -> Completion:
    return Completion(
        chosen=[Chosen(number, matches) for number in numbers],
        minimum_part_size=MINIMUM,
        describe=lambda parts, whole: ",".join(part.checksum for part in parts),
        record=lambda entry: f"done: {entry.commit_id}",
        attrs='{"a":2}',
        guard=guard,
        author=AUTHOR,
        message="",
    )


def complete(main: Checkout, upload: Upload, completion: Completion) -> tuple[Commit, Entry]:
    done = main.store.complete_upload(main.branch, upload.key, upload.id, completion).result()
    assert not isinstance(done, str)
    return done


def staged_numbers(main: Checkout, upload: Upload) -> Sequence[int]:
    return [part.number for part in main.store.staged_parts(upload)]


def test_parts_become_one_object_by_one_commit(main: Checkout) -> None:
    before = main.store.resolve(main.branch, "HEAD").seq
    upload = begin(main)
    pieces = [b"a" * 2000, b"b" * 500, b"c"]
    parts = [stage(main, upload, number, piece, f"c{number}") for number, piece in enumerate(pieces, start=1)]
    assert main.keys() == []
    commit, entry = complete(main, upload, choice(1, 2, 3))
    assert (commit.seq, commit.id) == (before + 1, entry.commit_id)
    assert main.get("key") == b"".join(pieces)
    assert (entry.size, entry.attrs, entry.checksums) == (2501, '{"a":2}', "c1,c2,c3")
    assert entry.etag == blake3(b"".join(blake3(piece).digest() for piece in pieces)).hexdigest() + "-3"
    kept = main.store.parts(entry.content)
    assert [(part.number, part.size, part.digest, part.checksum) for part in kept] == [
        (number, part.size, part.digest, part.checksum) for number, part in enumerate(parts, start=1)
    ]
    assert main.store.fsck(verify_data=True).problems == []


def test_a_single_parts_etag_is_its_own(main: Checkout) -> None:
    upload = begin(main)
    stage(main, upload, 7, b"x")
    _, entry = complete(main, upload, choice(7))
    assert entry.etag == blake3(b"x").hexdigest() + "-1"
    assert [part.number for part in main.store.parts(entry.content)] == [1]


def test_ranges_cross_parts(main: Checkout) -> None:
    upload = begin(main)
    pieces = [bytes([number]) * size for number, size in enumerate((1500, 10, 2000, 700, 3))]
    for number, piece in enumerate(pieces, start=1):
        stage(main, upload, number, piece)
    complete(main, upload, choice(1, 2, 3, 4, 5))
    entry, held = main.store.read(main.view(), "key")
    whole = b"".join(pieces)
    assert held is None
    for first in (0, 1499, 1500, 1509, 1510, 3509, 4210, len(whole)):
        for length in (0, 1, 12, 2500, len(whole)):
            assert content(main.store, entry, held, first, length) == whole[first : first + length]


def test_only_the_chosen_parts_count_in_the_order_chosen(main: Checkout) -> None:
    upload = begin(main)
    for number in (10_000, 3, 1, 2):
        stage(main, upload, number, b"%05d-----" % number)
    assert staged_numbers(main, upload) == [1, 2, 3, 10_000]
    complete(main, upload, choice(1, 3, 10_000))
    assert main.get("key") == b"00001-----00003-----10000-----"


def test_a_part_put_again_takes_the_place_of_the_first(main: Checkout) -> None:
    upload = begin(main)
    stage(main, upload, 1, b"old" * 10)
    stage(main, upload, 1, b"new" * 10, "c")
    (part,) = main.store.staged_parts(upload)
    assert (part.digest, part.checksum) == (blake3(b"new" * 10).digest(), "c")
    complete(main, upload, choice(1))
    assert main.get("key") == b"new" * 10


def test_staged_parts_are_paged(main: Checkout) -> None:
    upload = begin(main)
    for number in (2, 4, 6, 8):
        stage(main, upload, number, b"")
    assert [part.number for part in main.store.staged_parts(upload, after=2, limit=2)] == [4, 6]
    assert main.store.staged_parts(upload, after=8) == []


def test_a_small_part_is_refused_but_for_the_last(main: Checkout) -> None:
    upload = begin(main)
    for number, size in enumerate((MINIMUM, MINIMUM - 1, 1), start=1):
        stage(main, upload, number, b"x" * size)
    with pytest.raises(PartTooSmall) as refused:
        complete(main, upload, choice(1, 2, 3))
    assert (refused.value.number, refused.value.size, refused.value.minimum) == (2, MINIMUM - 1, MINIMUM)
    assert staged_numbers(main, upload) == [1, 2, 3]
    complete(main, upload, choice(1, 3))
    assert main.get("key") == b"x" * (MINIMUM + 1)


def test_an_absent_or_another_part_is_refused(main: Checkout) -> None:
    upload = begin(main)
    stage(main, upload, 1, b"x" * 20)
    with pytest.raises(NoSuchPart) as refused:
        complete(main, upload, choice(1, 2))
    assert refused.value.number == 2
    with pytest.raises(NoSuchPart) as refused:
        complete(main, upload, choice(1, matches=lambda part: part.size == 0))
    assert refused.value.number == 1
    assert main.store.resolve(main.branch, "HEAD").seq == 0


@pytest.mark.parametrize("completion", [choice(1, guard=refuse), replace(choice(1), describe=refuse)])
def test_a_refused_completion_leaves_the_upload_as_it_was(main: Checkout, completion: Completion) -> None:
    upload = begin(main)
    stage(main, upload, 1, b"x")
    with pytest.raises(Refused):
        complete(main, upload, completion)
    assert (main.keys(), staged_numbers(main, upload)) == ([], [1])
    complete(main, upload, choice(1))
    assert main.keys() == ["key"]


def test_completing_again_gives_the_kept_result(main: Checkout) -> None:
    upload = begin(main)
    stage(main, upload, 1, b"x")
    commit, _ = complete(main, upload, choice(1))
    main.put("key", b"later")
    for completion in (choice(1), choice(2)):
        again = main.store.complete_upload(main.branch, "key", upload.id, completion).result()
        assert again == f"done: {commit.id}"
    assert main.get("key") == b"later"
    assert main.store.uploads(main.branch) == []
    for refused in (
        main.store.put_part(upload, 2, inline(b"")),
        main.store.abort_upload(main.branch, "key", upload.id),
    ):
        with pytest.raises(NoSuchUpload):
            refused.result()
    with pytest.raises(NoSuchUpload):
        main.store.upload(main.branch, "key", upload.id)


def test_an_aborted_upload_is_no_more(main: Checkout) -> None:
    upload = begin(main)
    stage(main, upload, 1, b"x")
    main.store.abort_upload(main.branch, "key", upload.id).result()
    assert main.store.uploads(main.branch) == []
    assert main.store.staged_parts(upload) == []
    for refused in (
        main.store.abort_upload(main.branch, "key", upload.id),
        main.store.complete_upload(main.branch, "key", upload.id, choice(1)),
    ):
        with pytest.raises(NoSuchUpload):
            refused.result()
    with pytest.raises(NoSuchUpload):
        stage(main, upload, 1, b"x")
    assert main.store.fsck().problems == []


def test_an_upload_belongs_to_its_branch_and_key(main: Checkout) -> None:
    upload, dev = begin(main), main.fork("dev")
    assert main.store.upload(main.branch, "key", upload.id) == upload
    for branch, key in ((dev.branch, "key"), (main.branch, "other")):
        with pytest.raises(NoSuchUpload):
            main.store.upload(branch, key, upload.id)
        with pytest.raises(NoSuchUpload):
            main.store.complete_upload(branch, key, upload.id, choice(1)).result()
        with pytest.raises(NoSuchUpload):
            main.store.abort_upload(branch, key, upload.id).result()
    with pytest.raises(NoSuchUpload):
        main.store.upload(main.branch, "key", "0" * 32)


def test_uploads_are_listed_by_key_and_id(main: Checkout) -> None:
    uploads = [begin(main, key) for key in ("b", "a/2", "a/1", "b", "\U0001f600", "\uffff", "b")]
    main.store.abort_upload(main.branch, "a/2", uploads[1].id).result()
    whole = sorted((upload for upload in uploads if upload != uploads[1]), key=lambda u: (u.key.encode(), u.id))
    assert main.store.uploads(main.branch) == whole
    assert main.store.uploads(main.branch, prefix="b") == [upload for upload in whole if upload.key == "b"]
    assert main.store.uploads(main.branch, prefix="a/") == [whole[0]]
    for limit in range(1, 8):
        found: list[Upload] = []
        after = ("", "")
        while page := main.store.uploads(main.branch, after=after, limit=limit):
            found += page
            after = (page[-1].key, page[-1].id)
        assert found == whole
    assert main.store.uploads(main.fork("dev").branch) == []


def test_parts_outlive_a_restart(config: StoreConfig) -> None:
    store = open_store(config)
    main = Checkout.create(store, "images")
    upload = begin(main)
    pieces = [b"x" * 200_000, b"small but big enough"]
    for number, piece in enumerate(pieces, start=1):
        stage(main, upload, number, piece)
    store.close()
    store = open_store(config)
    main = Checkout(store, store.branch(PROJECT, "images"))
    assert store.uploads(main.branch) == [upload]
    commit, _ = complete(main, upload, choice(1, 2))
    store.close()
    store = open_store(config)
    main = Checkout(store, store.branch(PROJECT, "images"))
    assert main.get("key") == b"".join(pieces)
    assert store.complete_upload(main.branch, "key", upload.id, choice(1, 2)).result() == f"done: {commit.id}"
    store.close()


def test_a_part_can_be_cut_from_what_is_stored(main: Checkout) -> None:
    source = begin(main, "source")
    for number in (1, 2, 3):
        stage(main, source, number, bytes([number]) * 2000)
    _, composed = complete(main, source, choice(1, 2, 3))
    whole = main.put("whole", bytes(range(256)))
    upload = begin(main)
    cuts = [(composed, 1500, 3000), (whole, 10, 100), (composed, 2000, 4000), (whole, 0, 256), (whole, 250, 100)]
    for number, (entry, first, length) in enumerate(cuts, start=1):
        part, extents = main.store.cut(entry.content, first, length)
        staged = main.store.put_part(upload, number, part, extents=extents).result()
        assert staged.size == sum(extent.length for extent in extents) == min(length, entry.size - first)
    complete(main, upload, choice(1, 2, 3, 4, 5))
    assert main.get("key") == b"".join(
        (
            b"\1" * 500 + b"\2" * 2000 + b"\3" * 500,
            bytes(range(10, 110)),
            b"\2" * 2000 + b"\3" * 2000,
            bytes(range(256)),
            bytes(range(250, 256)),
        )
    )
    assert main.store.fsck(verify_data=True).problems == []


def test_a_whole_blob_keeps_its_digest_as_a_part(main: Checkout) -> None:
    for data in (b"small", b"large" * 1000):
        entry = main.put("whole", data)
        part, extents = main.store.cut(entry.content, 0, entry.size)
        assert (part.digest, extents) == (entry.digest, (Extent(entry.digest, 0, len(data)),))
        assert main.store.cut(entry.content, 0, entry.size - 1)[0].digest != entry.digest


def test_an_upload_ends_with_its_branch(main: Checkout) -> None:
    upload = begin(main)
    main.store.delete_branch(main.branch).result()
    with pytest.raises(NoSuchBranch):
        stage(main, upload, 1, b"x")
    with pytest.raises(NoSuchBranch):
        begin(main)


def test_a_key_is_checked_when_its_upload_begins(main: Checkout) -> None:
    with pytest.raises(InvalidName):
        begin(main, "")


def test_a_thousand_parts(main: Checkout) -> None:
    upload = begin(main)
    piece = main.put("piece", b"0123456789")
    futures = [
        main.store.put_part(upload, number, piece.content, extents=[Extent(piece.digest, 0, 10)])
        for number in range(1, 1_001)
    ]
    futures[-1].result()
    _, entry = complete(main, upload, choice(*range(1, 1_001)))
    assert (entry.size, entry.etag[-5:]) == (10_000, "-1000")
    assert content(main.store, entry, None, 9_995, 5) == b"56789"
