"""Whatever a form says: STS reads it as it was meant, or refuses it as STS refuses."""

from __future__ import annotations

from urllib.parse import quote_plus, urlencode

from hypothesis import given
from hypothesis import strategies as st

from gateway.s3.address import build_request
from gateway.sts.errors import StsError
from gateway.sts.parse import parameters, parse
from gateway.sts.render import render_error

REQUEST = build_request("POST", "/", [(b"content-type", b"application/x-www-form-urlencoded")])
NAMES = st.sampled_from(
    ["Action", "Version", "RoleArn", "RoleSessionName", "DurationSeconds", "SerialNumber", "TokenCode", "Policy"]
)
VALUES = st.one_of(
    st.sampled_from(
        [
            *("2011-06-15", "GetSessionToken", "AssumeRole", "GetCallerIdentity", "900", "ann", "123456", "", "me"),
            *("arn:aws:iam::000000000001:role/import", "arn:aws:iam::000000000001:mfa/ann"),
        ]
    ),
    st.text(max_size=20),
)


@given(st.dictionaries(st.text(min_size=1), st.text(), max_size=20))
def test_a_form_is_read_as_it_was_written(pairs: dict[str, str]) -> None:
    assert parameters(REQUEST, urlencode(pairs).encode()) == pairs


def outcome(body: bytes) -> int:
    """The status that the form is answered with; whatever is no refusal fails the test."""
    try:
        parse(parameters(REQUEST, body))
    except StsError as refusal:
        return render_error(refusal, "ID").status
    return 200


@given(st.dictionaries(st.one_of(NAMES, st.text(max_size=8)), VALUES))
def test_parameters_are_an_input_or_a_refusal(pairs: dict[str, str]) -> None:
    assert outcome(urlencode(pairs).encode()) < 500


@given(st.one_of(st.binary(max_size=200), st.text(alphabet="&=%+;aA0ü", max_size=60).map(str.encode)))
def test_any_bytes_are_a_form_or_a_refusal(body: bytes) -> None:
    assert outcome(body) < 500


@given(st.text(max_size=30))
def test_a_plus_is_a_space(text: str) -> None:
    assert parameters(REQUEST, b"a=" + quote_plus(text).encode())["a"] == text
