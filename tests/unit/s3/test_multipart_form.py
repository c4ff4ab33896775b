"""multipart/form-data bodies: as clients send them, and broken."""

from __future__ import annotations

import pytest

from gateway.s3.errors import (
    InvalidArgument,
    MalformedPOSTRequest,
    MaxPostPreDataLengthExceededError,
    PreconditionFailed,
    S3Error,
)
from gateway.s3.multipart_form import MAX_HEAD_BYTES, FileContent, FormHead, form_boundary
from tests.forms import BOUNDARY, CONTENT_TYPE, form_body
from tests.unit.s3.asking import ask

FIELDS = {"key": "k", "Policy": "cG9s", "x-amz-meta-note": "grüße\r\n--and\r\n\r\nmore"}


def parse(body: bytes, boundary: str = BOUNDARY) -> tuple[dict[str, str], str, bytes]:
    """Fields, file name and content of a whole body."""
    head = FormHead(boundary.encode())
    assert head.feed(body)
    file = FileContent(boundary.encode())
    content = b"".join(file.feed(head.rest))
    file.finish()
    return head.fields, head.file_name, content


def test_fields_and_file() -> None:
    fields, file_name, content = parse(form_body(FIELDS, b"\x00\r\n--\xff", file_name="ü.txt"))
    assert fields == {"key": "k", "policy": "cG9s", "x-amz-meta-note": FIELDS["x-amz-meta-note"]}
    assert (file_name, content) == ("ü.txt", b"\x00\r\n--\xff")


def test_an_empty_file_and_empty_fields() -> None:
    assert parse(form_body({"key": ""}, b"")) == ({"key": ""}, "notes.txt", b"")


def test_what_surrounds_the_parts_is_read_over() -> None:
    body = b"preamble\r\n" + form_body(FIELDS, b"content") + b"epilogue"
    assert parse(body) == parse(form_body(FIELDS, b"content"))


def test_what_follows_the_file_is_read_over() -> None:
    body = form_body({"key": "k"}, b"content", after=[("submit", "Upload"), ("key", "other")])
    assert parse(body) == ({"key": "k"}, "notes.txt", b"content")


def test_content_may_look_like_a_delimiter() -> None:
    content = f"\r\n-{BOUNDARY}\r\n--{BOUNDARY[:-1]}\r\n\r\n--".encode()
    assert parse(form_body({"key": "k"}, content))[2] == content


@pytest.mark.parametrize(
    ("disposition", "file_name"),
    [
        ('form-data; name="file"; filename="a b.txt"', "a b.txt"),
        ("form-data; name=file; filename=a.txt", "a.txt"),
        ("Form-Data;name=FILE", ""),
        (r'form-data; name="file"; filename="say \"hi\".txt"', 'say "hi".txt'),
        (r'form-data; name="file"; filename="C:\dir\new.txt"', r"C:\dir\new.txt"),
        ('form-data; name="file"; filename="a;b=c.txt"; size=3', "a;b=c.txt"),
        ('form-data; filename="name=key"; name="file"', "name=key"),
    ],
)
def test_dispositions(disposition: str, file_name: str) -> None:
    usual = b'form-data; name="file"; filename="notes.txt"'
    assert parse(form_body({}, b"x").replace(usual, disposition.encode())) == ({}, file_name, b"x")


def test_a_file_name_does_not_make_a_file() -> None:
    """The requests library sends one with every field."""
    body = form_body({"key": "k"}, b"x").replace(b'name="key"', b'name="key"; filename="key"')
    assert parse(body) == ({"key": "k"}, "notes.txt", b"x")


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (form_body(FIELDS, None), InvalidArgument),
        (f"--{BOUNDARY}--\r\n".encode(), InvalidArgument),
        (form_body([("key", "a"), ("KEY", "b")]), InvalidArgument),
        (form_body({}).replace(b"form-data", b"attachment"), MalformedPOSTRequest),
        (form_body({}).replace(b'name="file"', b'title="file"'), MalformedPOSTRequest),
        (form_body({"key": "k"}).replace(b"\r\n\r\nk", b"\r\n\r\n\xff"), MalformedPOSTRequest),
        (f"--{BOUNDARY}\r\n\r\ncontent\r\n--{BOUNDARY}--".encode(), MalformedPOSTRequest),
        (form_body({"key": "k" * MAX_HEAD_BYTES}), MaxPostPreDataLengthExceededError),
        (b"no form at all" * 10_000, MaxPostPreDataLengthExceededError),
    ],
)
def test_what_is_no_form_with_one_file_is_refused(body: bytes, error: type[S3Error]) -> None:
    with pytest.raises(error):
        FormHead(BOUNDARY.encode()).feed(body)


def test_an_endless_field_is_refused_in_time() -> None:
    head = FormHead(BOUNDARY.encode())
    head.feed(form_body({"key": ""}, None)[: -len(BOUNDARY) - 8])
    kept = MAX_HEAD_BYTES // 1000
    with pytest.raises(MaxPostPreDataLengthExceededError):
        [head.feed(b"x" * 1000) for _ in range(kept + 1)]


def test_a_file_without_an_end_is_refused() -> None:
    file = FileContent(b"boundary")
    assert b"".join(file.feed(b"content\r\n--bound")) == b"conte"
    with pytest.raises(MalformedPOSTRequest):
        file.finish()


# ---------------------------------------------------------------- the request's Content-Type


@pytest.mark.parametrize(
    ("content_type", "boundary"),
    [
        (CONTENT_TYPE, BOUNDARY),
        ('multipart/form-data; boundary="a b:c"', "a b:c"),
        ("Multipart/Form-Data;charset=utf-8;Boundary=abc ; x=y", "abc"),
    ],
)
def test_boundaries(content_type: str, boundary: str) -> None:
    assert form_boundary(ask("POST", "/b", {"Content-Type": content_type})) == boundary.encode()


def test_another_kind_of_body_is_no_form() -> None:
    for headers in ({}, {"Content-Type": "application/x-www-form-urlencoded"}):
        with pytest.raises(PreconditionFailed) as raised:
            form_boundary(ask("POST", "/b", headers))
        assert "multipart/form-data" in raised.value.fields["Condition"]


@pytest.mark.parametrize("parameters", ["", ";", "; boundary=", "; boundary=" + "x" * 71, '; boundary="'])
def test_a_form_without_a_boundary_is_refused(parameters: str) -> None:
    with pytest.raises(MalformedPOSTRequest):
        form_boundary(ask("POST", "/b", {"Content-Type": "multipart/form-data" + parameters}))
