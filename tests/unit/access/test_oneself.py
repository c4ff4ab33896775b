"""What people do for themselves, and what a session of theirs is not enough for."""

from __future__ import annotations

import json
import time

import pyotp
import pytest

from gateway.access.audit import AuditLog
from gateway.access.chain import Query, Record
from gateway.access.directory import Directory
from gateway.access.errors import Forbidden, Illegal, NotProven, TooMany, Unknown
from gateway.access.model import HOUR_S, OPEN, SENSITIVE
from gateway.access.oneself import Oneself
from gateway.access.rights import Right

from .conftest import Clock

pytestmark = pytest.mark.parametrize("directory", ["sqlite"], indirect=True)  # its SQL is the directory's

PASSWORD = "correct horse battery"


class Ann:
    """With rights in two projects: p11 and p12, which asks for two factors and for short sessions."""

    def __init__(self, directory: Directory, clock: Clock) -> None:
        clock.now_us = time.time_ns() // 1000
        self.directory, self.clock = directory, clock
        directory.create_project("p11", OPEN)
        directory.create_project("p12", SENSITIVE)
        directory.create_user("ann", password=PASSWORD, project="p11", rights=frozenset({Right.MEMBER}))
        directory.grant("p12", "ann", Right.EXPORT)
        directory.create_user("ben", project="p11", rights=frozenset({Right.MEMBER}))
        self.totp = pyotp.TOTP(directory.enrol_totp("ann"))
        self.self = Oneself(directory.acting_as(Record("", who="ann")), "ann", "192.0.2.1")

    def code(self) -> str:
        """One that was not used yet."""
        self.clock.forward(30)
        return self.totp.at(self.clock.now_us // 1_000_000)

    def session(self, user: str = "ann", *, proven: bool = True) -> str:
        made = self.directory.begin_session("p11", user, frozenset({Right.MEMBER}), HOUR_S, proven=proven)
        return made.session.access_key


@pytest.fixture
def ann(directory: Directory, clock: Clock) -> Ann:
    return Ann(directory, clock)


def test_a_password_is_changed_by_whoever_knows_the_present_one_and_a_code(ann: Ann) -> None:
    ann.self.change_password(PASSWORD, ann.code(), "another secret")
    ann.directory.prove("ann", ann.code(), password="another secret")
    log = AuditLog(ann.directory.database)
    last = json.loads(log.newest(Query()).entries[0].record)
    log.close()
    assert (last["operation"], last["who"], last["about"]) == ("set_password", "ann", {"user": "ann"})


def test_a_wrong_password_or_code_changes_nothing_and_counts(ann: Ann) -> None:
    for present, code in (("wrong", ann.code()), (PASSWORD, "000000"), ("", "")):
        with pytest.raises(NotProven):
            ann.self.change_password(present, code, "another secret")
        with pytest.raises(NotProven):
            ann.self.enrol_device(present, code)
    with pytest.raises(TooMany):
        ann.self.change_password(PASSWORD, ann.totp.at(ann.clock.now_us // 1_000_000), "another secret")
    ann.clock.forward(HOUR_S)
    ann.directory.prove("ann", ann.code(), password=PASSWORD)


def test_what_can_be_no_password_uses_up_no_code(ann: Ann) -> None:
    code = ann.code()
    with pytest.raises(Illegal):
        ann.self.change_password(PASSWORD, code, "short")
    ann.self.change_password(PASSWORD, code, "long enough")


def test_a_new_device_takes_the_place_of_the_old_one(ann: Ann) -> None:
    old = ann.totp
    ann.totp = pyotp.TOTP(ann.self.enrol_device(PASSWORD, ann.code()))
    with pytest.raises(NotProven):
        ann.directory.prove("ann", old.at(ann.clock.now_us // 1_000_000))
    ann.directory.prove("ann", ann.code())


def test_another_project_comes_in_place_of_the_present_one(ann: Ann) -> None:
    before = ann.session()
    (present,) = ann.directory.sessions(user="ann")
    made = ann.self.switch(before, "p12").session
    assert (made.project, made.rights) == ("p12", frozenset({Right.EXPORT}))
    assert made.expires_us == present.expires_us
    assert [session.access_key for session in ann.directory.sessions(user="ann")] == [made.access_key]
    back = ann.self.switch(made.access_key, "p11").session
    assert (back.project, back.expires_us) == ("p11", present.expires_us)


def test_a_project_of_short_sessions_shortens_it(ann: Ann) -> None:
    ann.directory.change_policy("p12", {"max_session_s": 900})
    made = ann.self.switch(ann.session(), "p12").session
    assert made.expires_us == ann.clock.now_us + 900_000_000


def test_a_project_of_two_factors_takes_both_at_the_log_in(ann: Ann) -> None:
    session = ann.session(proven=False)
    with pytest.raises(Forbidden):
        ann.self.switch(session, "p12")
    ann.directory.change_policy("p12", {"requires_session": False})
    made = ann.self.switch(session, "p12").session
    ann.directory.change_policy("p11", {"requires_session": True})
    with pytest.raises(Forbidden):
        ann.self.switch(made.access_key, "p11")


@pytest.mark.parametrize("project", ["default", "nowhere", ""])
def test_projects_without_a_right_of_his_are_not_there(ann: Ann, project: str) -> None:
    session = ann.session()
    with pytest.raises(Unknown):
        ann.self.switch(session, project)
    assert [found.access_key for found in ann.directory.sessions(user="ann")] == [session]


def test_a_session_that_is_over_or_anothers_begins_none(ann: Ann) -> None:
    ended, bens, key = ann.session(), ann.session("ben"), ann.directory.create_key("p11", "ann").key.access_key
    ann.directory.end_session(ended)
    ann.clock.forward(-2 * HOUR_S)
    expired = ann.session()
    for access_key in (ended, bens, key, expired, "nobody's"):
        with pytest.raises(NotProven):
            ann.self.switch(access_key, "p12")


def test_sessions_of_ones_own_are_ended_and_no_others(ann: Ann) -> None:
    own, bens = ann.session(), ann.session("ben")
    assert [session.access_key for session in ann.self.sessions()] == [own]
    for access_key in (bens, "nobody's"):
        with pytest.raises(Unknown):
            ann.self.end_session(access_key)
    ann.self.end_session(own)
    assert ann.self.sessions() == []
    assert len(ann.directory.sessions(user="ben")) == 1


def test_nobody_disabled_goes_anywhere(ann: Ann) -> None:
    session = ann.session()
    ann.directory.disable_user("ann")
    with pytest.raises(NotProven):
        ann.self.switch(session, "p12")


def test_guesses_at_keys_are_counted_by_address_alone(ann: Ann) -> None:
    for _ in range(20):
        with pytest.raises(NotProven):
            ann.directory.count_guess("192.0.2.7", is_right=False)
    with pytest.raises(TooMany):
        ann.directory.count_guess("192.0.2.7", is_right=True)
    ann.directory.count_guess("192.0.2.8", is_right=True)
    ann.clock.forward(31)
    ann.directory.count_guess("192.0.2.7", is_right=True)
    with pytest.raises(NotProven):
        ann.directory.count_guess("192.0.2.7", is_right=False)
    with pytest.raises(TooMany):
        ann.directory.count_guess("192.0.2.7", is_right=True)
