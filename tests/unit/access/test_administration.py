"""Who is the operator, who an administrator; and what the API says to the directory's refusals."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

import gateway.access
from gateway.access.administration import Administrator
from gateway.access.directory import Directory
from gateway.access.errors import DirectoryError, Exists, Forbidden, Illegal, NotProven, TooMany, Unknown
from gateway.access.model import OPEN
from gateway.access.principals import ROOT
from gateway.access.rights import Right
from gateway.api.errors import CODES
from gateway.handlers.api.people import refusal


def test_root_is_the_operator_and_a_user_of_this_name_is_not(directory: Directory) -> None:
    assert Administrator.of(directory, ROOT).is_operator
    user = directory.create_user("root", project="default", rights=frozenset({Right.ADMIN}))
    impostor = Administrator.of(directory, replace(ROOT, id=user.canonical_id))
    assert impostor.project == "default"
    with pytest.raises(Forbidden):
        impostor.check_operator()


@pytest.mark.parametrize("right", [Right.MEMBER, Right.IMPORT, Right.EXPORT])
def test_other_rights_than_admin_administer_nothing(directory: Directory, right: Right) -> None:
    caller = replace(ROOT, id="ann", project="p11", is_admin=False, rights=frozenset({right}))
    with pytest.raises(Forbidden):
        Administrator.of(directory, caller)


def test_whoever_has_lost_his_last_right_is_out_of_an_administrators_sight(directory: Directory) -> None:
    directory.create_project("p11", OPEN)
    directory.create_user("ann", project="p11", rights=frozenset({Right.IMPORT}))
    eve = Administrator(directory, "p11")
    assert eve.own_user("ann").name == "ann"
    directory.revoke("p11", "ann", Right.IMPORT)
    with pytest.raises(Unknown):
        eve.user_named("ann")
    assert eve.users() == []


def test_root_may_read_all_of_the_audit_log_and_an_administrator_what_is_of_his_project(directory: Directory) -> None:
    operator, eve = Administrator(directory, None), Administrator(directory, "p11")
    assert operator.audited("") is None
    assert operator.audited("gone") == "gone"
    assert (eve.audited(""), eve.audited("p11")) == ("p11", "p11")
    with pytest.raises(Unknown):
        eve.audited("p12")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Unknown("project", "p11"), "NoSuchProject"),
        (Exists("user", "ann"), "UserExists"),
        (Illegal("a name"), "InvalidArgument"),
        (Forbidden("no"), "AccessDenied"),
        (NotProven(), "InvalidArgument"),
        (TooMany(30), "InvalidArgument"),
    ],
)
def test_a_refusal_of_the_directory_has_its_code(error: DirectoryError, code: str) -> None:
    assert (refusal(error).code, refusal(error).status) == (code, CODES[code])


def test_all_that_can_be_unknown_or_taken_has_a_code_of_its_own() -> None:
    (folder,) = gateway.access.__path__
    source = "".join(path.read_text(encoding="utf-8") for path in Path(folder).glob("*.py"))
    for kind, spelled in ((Unknown, "Unknown"), (Exists, "Exists")):
        found = set(re.findall(rf"raise {spelled}\(\"([a-z ]+)\"", source))
        assert found
        for what in found:
            assert refusal(kind(what, "x")).code in CODES
