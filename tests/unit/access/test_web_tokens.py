"""Web tokens under keys that are rotated, and API keys."""

from __future__ import annotations

import base64

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.access.directory import Directory
from gateway.access.errors import NotProven, Unknown
from gateway.access.model import ProjectPolicy, Session
from gateway.access.rights import Right
from gateway.access.vault import Vault
from gateway.access.web_tokens import BadToken, TokenHasExpired, WebTokens

from .conftest import Clock

OLD, NEW = bytes(range(32)), bytes(range(1, 33))
FOREVER_US = 4_000_000_000 * 1_000_000
SESSION = Session("CARETTMPABCDEFGHIJKL", "ann", "p11", frozenset({Right.IMPORT}), 1_000_000, FOREVER_US)
TOKENS = WebTokens(Vault([OLD]))
TOKEN = TOKENS.issue(SESSION, "s3import")


def test_a_token_names_its_session() -> None:
    assert TOKENS.session_of(TOKEN) == SESSION.access_key


def test_a_token_is_good_for_as_long_as_the_key_that_signed_it_is_kept() -> None:
    assert WebTokens(Vault([NEW, OLD])).session_of(TOKEN) == SESSION.access_key
    with pytest.raises(BadToken):
        WebTokens(Vault([NEW])).session_of(TOKEN)


def test_the_newest_key_signs() -> None:
    token = WebTokens(Vault([NEW, OLD])).issue(SESSION, "s3import")
    with pytest.raises(BadToken):
        TOKENS.session_of(token)


def test_a_token_s_time_is_looked_at() -> None:
    over = Session("CARETTMPABCDEFGHIJKL", "ann", "p11", frozenset({Right.IMPORT}), 1_000_000, 2_000_000)
    with pytest.raises(TokenHasExpired):
        TOKENS.session_of(TOKENS.issue(over, "s3import"))


@pytest.mark.parametrize("claim", ["exp", "iat", "jti", "user", "project"])
def test_all_claims_are_asked_for(claim: str) -> None:
    (key_id, key), *_ = Vault([OLD]).derived("caret 2026-11-21 web tokens").items()
    claims = jwt.decode(TOKEN, key, ["HS256"])
    del claims[claim]
    with pytest.raises(BadToken):
        TOKENS.session_of(jwt.encode(claims, key, "HS256", headers={"kid": key_id}))


@given(
    st.text(max_size=200)
    | st.lists(st.binary(max_size=60), min_size=3, max_size=3).map(
        lambda parts: ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)
    )
)
def test_no_other_text_is_a_token(text: str) -> None:
    with pytest.raises(BadToken):
        TOKENS.session_of(text)


@given(st.integers(0, len(TOKEN.rpartition(".")[0]) - 1), st.sampled_from("Aaz0_-."))
def test_an_altered_token_is_none(at: int, letter: str) -> None:
    altered = TOKEN[:at] + letter + TOKEN[at + 1 :]
    if altered != TOKEN:
        with pytest.raises(BadToken):
            TOKENS.session_of(altered)


# ---------------------------------------------------------------- API keys


@pytest.fixture
def api_key(directory: Directory) -> str:
    directory.create_project("p11", ProjectPolicy())
    directory.create_user("ann")
    return directory.create_api_key("p11", "ann").text


def test_an_api_key_says_whose_it_is(directory: Directory, api_key: str) -> None:
    assert directory.check_api_key(api_key) == ("ann", "p11")
    assert api_key not in repr(directory.create_api_key("p11", "ann"))


def test_an_api_key_expires(directory: Directory, api_key: str, clock: Clock) -> None:
    clock.forward(365 * 86_400)
    with pytest.raises(NotProven, match="expired"):
        directory.check_api_key(api_key)


@pytest.mark.parametrize("text", ["", "caret-", "caret-unknown", "\0", "ü"])
def test_another_text_is_no_api_key(directory: Directory, api_key: str, text: str) -> None:
    with pytest.raises(NotProven, match="unknown"):
        directory.check_api_key(text)


def test_there_are_no_api_keys_for_nobody(directory: Directory, api_key: str) -> None:
    for project, user in (("p11", "nobody"), ("p12", "ann")):
        with pytest.raises(Unknown):
            directory.create_api_key(project, user)
