"""However a form is cut into pieces, it reads alike; nothing that is fed breaks the parser."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from hypothesis import assume, given
from hypothesis import strategies as st

from gateway.s3.errors import S3Error
from gateway.s3.multipart_form import FileContent, FormHead
from tests.forms import form_body

BOUNDARY = "xX-"  # short, so that contents often nearly hold it
NAMES = st.text(alphabet="abkey-:$", min_size=1, max_size=8).filter(lambda name: name != "file")
# Text and bytes that are mostly made of what delimits.
VALUES = st.text(alphabet='a\r\n-xXü "', max_size=30)
CONTENTS = st.lists(st.sampled_from([b"\r", b"\n", b"-", b"x", b"X", b"--", b"\r\n--xX", b"\xff"])).map(b"".join)
CUTS = st.lists(st.integers(0, 1000), max_size=12)
DELIMITER = f"\r\n--{BOUNDARY}"


def pieces(body: bytes, cuts: Sequence[int]) -> Iterator[bytes]:
    edges = [0, *sorted(cut for cut in cuts if cut < len(body)), len(body)]
    return (body[start:end] for start, end in pairwise(edges))


def outcome(body: bytes, cuts: Sequence[int]) -> tuple[dict[str, str], str, bytes] | type:
    """Fields, file name and content, or the kind of refusal."""
    head, file = FormHead(BOUNDARY.encode()), FileContent(BOUNDARY.encode())
    content, in_file = bytearray(), False
    try:
        for piece in pieces(body, cuts):
            if not in_file:
                in_file = head.feed(piece)
                piece = head.rest
            if in_file:
                content += b"".join(file.feed(piece))
        file.finish()
    except S3Error as refusal:
        return type(refusal)
    return head.fields, head.file_name, bytes(content)


@given(fields=st.dictionaries(NAMES, VALUES, max_size=4), content=CONTENTS, cuts=CUTS)
def test_any_split_of_a_form_reads_alike(fields: dict[str, str], content: bytes, cuts: list[int]) -> None:
    assume(DELIMITER.encode() not in b"\r\n" + content)
    assume(all(DELIMITER not in "\r\n" + value for value in fields.values()))
    body = form_body(fields, content, boundary=BOUNDARY)
    expected = (fields, "notes.txt", content)
    assert outcome(body, cuts) == expected
    assert outcome(body, range(len(body))) == expected


@given(
    fields=st.dictionaries(NAMES, VALUES, max_size=2),
    position=st.integers(0, 400),
    inserted=st.binary(max_size=8),
    removed=st.integers(0, 8),
    cuts=CUTS,
)
def test_a_damaged_form_reads_alike_or_is_refused(
    fields: dict[str, str], position: int, inserted: bytes, removed: int, cuts: list[int]
) -> None:
    body = form_body(fields, b"content", boundary=BOUNDARY)
    damaged = body[:position] + inserted + body[position + removed :]
    assert outcome(damaged, cuts) == outcome(damaged, [])
