"""Expect: 100-continue is answered once the caller is known, so that strangers send no bodies."""

from __future__ import annotations

from typing import Any

from .raw import Raw

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


def test_a_known_caller_is_told_to_continue(raw: Raw, s3: Any, bucket: str) -> None:
    length = {"Content-Length": "5", "Expect": "100-continue"}
    head, _ = raw.signed("PUT", f"/{bucket}/k", unsigned=length)
    with raw.connect() as connection:
        connection.send(head)
        assert connection.receive() == CONTINUE
        assert connection.is_silent(0.2), "nothing more before the body"
        connection.send(b"hello")
        assert connection.reply().status == 200
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"hello"


def test_a_stranger_is_refused_without_being_told_to(raw: Raw, bucket: str) -> None:
    length = {"Content-Length": "5", "Expect": "100-continue"}
    head, _ = raw.signed("PUT", f"/{bucket}/k", unsigned=length, secret_key="wrong")
    anonymous = raw.head("PUT", f"/{bucket}/k", length)
    for sent in (head, anonymous):
        with raw.connect() as connection:
            connection.send(sent)
            answer = connection.receive()
            assert answer.startswith(b"HTTP/1.1 403 ")
            while more := connection.receive():
                answer += more
            assert b"100 Continue" not in answer
            assert b"<Error>" in answer
            assert connection.is_closed(), "an SDK would send its body, or its next request, into it"


def test_the_connection_serves_another_request_after_it(raw: Raw, s3: Any, bucket: str) -> None:
    with raw.connect() as connection:
        for number in range(2):
            length = {"Content-Length": "1", "Expect": "100-continue"}
            head, _ = raw.signed("PUT", f"/{bucket}/{number}", unsigned=length)
            connection.send(head)
            assert connection.receive() == CONTINUE
            connection.send(b"x")
            assert connection.reply().status == 200
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 2


def test_a_body_that_does_not_wait_is_fine(raw: Raw, s3: Any, bucket: str) -> None:
    assert raw.request("PUT", f"/{bucket}/k", body=b"hello", unsigned={"Expect": "100-continue"}).status == 200
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"hello"


def test_any_other_expectation_is_ignored(raw: Raw, bucket: str) -> None:
    assert raw.request("PUT", f"/{bucket}/k", body=b"hello", unsigned={"Expect": "200"}).status == 200
