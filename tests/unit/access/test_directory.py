"""Projects, people, rights, keys, proofs and sessions."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pyotp
import pytest

from gateway.access.directory import KEEP_EXPIRED_S, Directory
from gateway.access.errors import DirectoryError, Exists, Illegal, NotProven, TooMany, Unknown
from gateway.access.model import SENSITIVE, ProjectPolicy
from gateway.access.rights import Right
from gateway.access.vault import Vault

from .conftest import KEY, Clock

IMPORT, EXPORT = frozenset({Right.IMPORT}), frozenset({Right.EXPORT})


def code_of(secret: str, clock: Clock) -> str:
    return pyotp.TOTP(secret).at(clock.now_us // 1_000_000)


@pytest.fixture
def ann(directory: Directory) -> str:
    """Ann may import into p11; the secret of her codes."""
    directory.create_project("p11", SENSITIVE)
    directory.create_user("ann", password="correct horse")
    directory.grant("p11", "ann", Right.IMPORT)
    return directory.enrol_totp("ann")


def test_the_default_project_is_there(directory: Directory) -> None:
    assert [(project.name, project.number) for project in directory.projects()] == [("default", "000000000001")]


def test_projects_have_numbers_of_their_own(directory: Directory) -> None:
    made = directory.create_project("p11", SENSITIVE)
    assert made.number == "000000000002"
    assert directory.project_by_number(made.number) == made
    assert made.policy == SENSITIVE
    with pytest.raises(Exists):
        directory.create_project("p11", ProjectPolicy())


@pytest.mark.parametrize("name", ["", "P11", "a b", "-a", "x" * 64, "a\0b", "ä"])
def test_names_that_are_none(directory: Directory, name: str) -> None:
    with pytest.raises(Illegal):
        directory.create_project(name, ProjectPolicy())


def test_rights_come_and_go(directory: Directory, ann: str) -> None:
    directory.grant("p11", "ann", Right.EXPORT)
    directory.grant("p11", "ann", Right.EXPORT)
    assert directory.rights("p11", "ann") == IMPORT | EXPORT
    directory.revoke("p11", "ann", Right.IMPORT)
    assert directory.rights("p11", "ann") == EXPORT
    assert directory.rights("default", "ann") == frozenset()
    with pytest.raises(Unknown):
        directory.revoke("p11", "ann", Right.IMPORT)


def test_keys_are_shown_without_their_secrets(directory: Directory, ann: str) -> None:
    made = directory.create_key("p11", "ann")
    assert directory.keys(user="ann") == [made.key]
    assert directory.keys(project="default") == []
    held = directory.held(made.key.access_key)
    assert held is not None
    assert held[4] == made.secret
    assert made.secret not in repr(made)


def test_the_generation_tells_of_every_change(directory: Directory, ann: str) -> None:
    key = directory.create_key("p11", "ann").key.access_key
    seen = [directory.generation()]
    for change in (
        lambda: directory.disable_key(key),
        lambda: directory.revoke("p11", "ann", Right.IMPORT),
        lambda: directory.disable_user("ann"),
        lambda: directory.set_policy("p11", ProjectPolicy()),
    ):
        change()
        seen.append(directory.generation())
    assert len(set(seen)) == 5


# ---------------------------------------------------------------- proofs


def test_password_and_code_prove_who_one_is(directory: Directory, ann: str, clock: Clock) -> None:
    assert directory.prove("ann", code_of(ann, clock), password="correct horse").name == "ann"


def test_a_code_is_used_up(directory: Directory, ann: str, clock: Clock) -> None:
    code = code_of(ann, clock)
    directory.prove("ann", code)
    with pytest.raises(NotProven):
        directory.prove("ann", code)
    clock.forward(30)
    directory.prove("ann", code_of(ann, clock))


def test_of_two_who_use_one_code_at_once_one_wins(directory: Directory, ann: str, clock: Clock) -> None:
    code, barrier = code_of(ann, clock), threading.Barrier(4)

    def attempt(_: int) -> bool:
        barrier.wait()
        try:
            directory.prove("ann", code)
        except NotProven:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(attempt, range(4))) == [False, False, False, True]


def test_a_policys_members_are_changed_one_by_one(directory: Directory, ann: str) -> None:
    before = directory.project("p11").policy
    directory.change_policy("p11", {"audits": "everything"})
    changed = directory.change_policy("p11", {"max_session_s": 900})
    assert changed.policy == replace(before, audits="everything", max_session_s=900)
    assert directory.project("p11") == changed
    with pytest.raises(Illegal):
        directory.change_policy("p11", {"max_session_s": 1})
    assert directory.project("p11") == changed


@pytest.mark.parametrize("wrong", ["password", "code", "user"])
def test_what_was_wrong_is_not_told(directory: Directory, ann: str, clock: Clock, wrong: str) -> None:
    user = "bob" if wrong == "user" else "ann"
    code = "000000" if wrong == "code" else code_of(ann, clock)
    password = "wrong password" if wrong == "password" else "correct horse"
    with pytest.raises(NotProven) as refused:
        directory.prove(user, code, password=password)
    assert str(refused.value) == str(NotProven())


def test_guessing_is_blocked_and_then_let_go(directory: Directory, ann: str, clock: Clock) -> None:
    for _ in range(5):
        with pytest.raises(NotProven):
            directory.prove("ann", "000000")
    with pytest.raises(TooMany) as blocked:
        directory.prove("ann", code_of(ann, clock))
    assert blocked.value.retry_s == 30
    clock.forward(31)
    directory.prove("ann", code_of(ann, clock))


def test_guessing_at_many_users_blocks_the_address(directory: Directory, ann: str, clock: Clock) -> None:
    for number in range(20):
        if number == 10:  # his own success clears nothing that he did to others
            directory.prove("ann", code_of(ann, clock), address="192.0.2.1")
            clock.forward(30)
        with pytest.raises(NotProven):
            directory.prove(f"user{number}", "000000", address="192.0.2.1")
    with pytest.raises(TooMany):
        directory.prove("ann", code_of(ann, clock), address="192.0.2.1")
    directory.prove("ann", code_of(ann, clock), address="192.0.2.2")


def test_a_disabled_user_proves_nothing(directory: Directory, ann: str, clock: Clock) -> None:
    directory.disable_user("ann")
    with pytest.raises(NotProven):
        directory.prove("ann", code_of(ann, clock))
    directory.enable_user("ann")
    directory.prove("ann", code_of(ann, clock))


# ---------------------------------------------------------------- sessions


def test_a_session_has_the_rights_that_were_asked_for(directory: Directory, ann: str, clock: Clock) -> None:
    directory.grant("p11", "ann", Right.EXPORT)
    made = directory.begin_session("p11", "ann", EXPORT, 3600)
    assert directory.sessions(user="ann") == [made.session]
    assert made.session.rights == EXPORT
    assert made.secret not in repr(made)
    assert made.token not in repr(made)
    clock.forward(3600)
    assert directory.sessions() == []


@pytest.mark.parametrize(("rights", "duration_s"), [(EXPORT, 3600), (frozenset(), 3600), (IMPORT, 0), (IMPORT, 86_400)])
def test_sessions_that_may_not_be(directory: Directory, ann: str, rights: frozenset[Right], duration_s: int) -> None:
    with pytest.raises(DirectoryError):
        directory.begin_session("p11", "ann", rights, duration_s)
    assert directory.sessions() == []


def test_an_ended_session_is_over(directory: Directory, ann: str) -> None:
    made = directory.begin_session("p11", "ann", IMPORT, 3600)
    directory.end_session(made.session.access_key)
    assert directory.sessions() == []
    with pytest.raises(Unknown):
        directory.end_session(made.session.access_key)


def test_a_session_is_forgotten_a_week_after_its_end(directory: Directory, ann: str, clock: Clock) -> None:
    made = directory.begin_session("p11", "ann", IMPORT, 3600)
    clock.forward(3600 + KEEP_EXPIRED_S - 1)
    assert directory.forget_sessions() == 0
    assert directory.held(made.session.access_key) is not None, "it is told expired"
    clock.forward(2)
    assert directory.forget_sessions() == 1
    assert directory.held(made.session.access_key) is None


def test_a_rotation_seals_everything_anew(directory: Directory, ann: str, clock: Clock) -> None:
    key = directory.create_key("p11", "ann")
    directory.begin_session("p11", "ann", IMPORT, 3600)
    newer = bytes(reversed(KEY))
    rotated = Directory(directory.database, Vault([newer, KEY]), clock)
    assert rotated.rotate() == 3
    assert rotated.rotate() == 0
    alone = Directory(directory.database, Vault([newer]), clock)
    held = alone.held(key.key.access_key)
    assert held is not None
    assert held[4] == key.secret
    alone.prove("ann", code_of(ann, clock))
