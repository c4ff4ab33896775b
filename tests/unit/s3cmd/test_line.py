"""Which words of a command line are ours, which is the verb, and which token it needs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.s3cmd.exits import Leave
from gateway.s3cmd.line import EXPORT, IMPORT, kind_of, parse_line


@pytest.mark.parametrize(
    ("words", "verb", "kind"),
    [
        (["put", "ls", "s3://get"], "put", IMPORT),  # the original looks for `ls` or `get` anywhere
        (["--exclude", "get", "sync", "dir", "s3://b"], "sync", IMPORT),
        (["sync", "s3://b/dir/", "dir"], "sync", EXPORT),
        (["--limit-rate", "5k", "get", "s3://b/k"], "get", EXPORT),
        (["-m", "text/plain", "put", "f", "s3://b"], "put", IMPORT),
        (["-mget", "put", "f", "s3://b"], "put", IMPORT),
        (["-rD", "3", "put", "f", "s3://b"], "put", IMPORT),
        (["--excl", "get", "put", "f", "s3://b"], "get", EXPORT),  # ambiguous: s3cmd refuses it
        (["--multipart-chunk", "200", "put", "f", "s3://b"], "put", IMPORT),
        (["--server-side-encryption", "put", "f", "s3://b"], "put", IMPORT),
        (["--", "ls"], "ls", EXPORT),
        (["put", "-", "s3://b/k"], "put", IMPORT),
        (["ls"], "ls", EXPORT),
        (["info", "s3://b"], "info", EXPORT),
        (["cp", "s3://a/k", "s3://b/k"], "cp", IMPORT),
    ],
)
def test_the_verb_decides(words: list[str], verb: str, kind: str) -> None:
    line = parse_line(words)
    assert (line.verb, line.kind) == (verb, kind)
    assert line.arguments == words


@pytest.mark.parametrize(
    "words",
    [
        ["--upload-id", "ID", "--usetest", "put", "f", "s3://b"],
        ["put", "--upload-id=ID", "f", "s3://b", "--usetest"],
        ["put", "f", "--usetest", "--upload", "ID", "s3://b"],
    ],
)
def test_our_options_may_stand_anywhere(words: list[str]) -> None:
    line = parse_line(words)
    assert (line.arguments, line.values, line.flags) == (["put", "f", "s3://b"], {"--upload-id": "ID"}, {"--usetest"})


@pytest.mark.parametrize("words", [["-c", "F"], ["-cF"], ["--config=F"], ["--config", "F"], ["-rcF"]])
def test_other_settings_never_reach_s3cmd(words: list[str]) -> None:
    line = parse_line(["ls", *words])
    assert line.values == {"--config": "F"}
    assert "F" not in "".join(line.arguments)


@pytest.mark.parametrize(
    "word", ["--access_key=A", "--acce=A", "--secret_key", "--host=h", "--host-b=h", "--configure"]
)
def test_what_would_get_round_the_session_is_refused(word: str) -> None:
    with pytest.raises(Leave, match="cannot be given"):
        parse_line(["ls", word])


@pytest.mark.parametrize("word", ["-n", "-rn", "--dry-run", "--dry"])
def test_a_trial_is_seen(word: str) -> None:
    assert parse_line(["put", word, "f", "s3://b"]).is_trial
    assert not parse_line(["put", "-r", "--delete-removed", "f", "s3://b"]).is_trial


@pytest.mark.parametrize("word", ["-e", "-re", "--encrypt", "--encr"])
def test_encryption_is_seen(word: str) -> None:
    assert parse_line(["put", word, "f", "s3://b"]).encrypts
    assert not parse_line(["put", "--encoding", "UTF-8", "f", "s3://b"]).encrypts


@pytest.mark.parametrize("words", [["--upload-id"], ["put", "--exclude"], ["-m"], ["-c"]])
def test_a_value_that_is_missing_is_told(words: list[str]) -> None:
    with pytest.raises(Leave, match="needs a value"):
        parse_line(words)


@given(
    st.lists(
        st.sampled_from(
            ["put", "-", "a b", "--usetest", "-r", "--exclude=*", "ü", "s3://b/--upload-id", "--no-progress"]
        )
    )
)
def test_what_is_not_ours_stays_as_and_where_it_was(words: list[str]) -> None:
    assert parse_line(words).arguments == [word for word in words if word != "--usetest"]


def test_print_token_knows_every_verb() -> None:
    assert [kind_of(verb, []) for verb in ("put", "get", "mb", "ls", "sync")] == [
        IMPORT,
        EXPORT,
        IMPORT,
        EXPORT,
        IMPORT,
    ]
