"""Projects, people, members, keys and sessions over REST: what each endpoint does, and for whom."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pyotp
import pytest
from botocore.exceptions import ClientError

from gateway.access.directory import Directory
from gateway.access.model import SENSITIVE
from gateway.access.rights import Right
from gateway.api.endpoints import PREFIX
from gateway.client.connection import Connection, Refusal

from .refusals import refusal
from .server import Server, until


@pytest.fixture
def project(api: Connection, name: str) -> str:
    """With the administrator NAME-eve and the member NAME-ann."""
    api.call("create_project", name=name)
    api.call("create_user", name=f"{name}-eve", project=name, rights=["admin"])
    api.call("create_user", name=f"{name}-ann", project=name, rights=["member"])
    return name


@pytest.fixture
def eve(gateway: Server, api: Connection, project: str) -> Iterator[Connection]:
    """The project's administrator."""
    with connected(gateway, api.call("create_key", project=project, user=f"{project}-eve")) as connection:
        yield connection


@pytest.fixture
def elsewhere(api: Connection, name: str) -> str:
    """Another project, with the member ELSEWHERE-bob."""
    api.call("create_project", name=f"{name}-b")
    api.call("create_user", name=f"{name}-b-bob", project=f"{name}-b", rights=["member"])
    return f"{name}-b"


def connected(gateway: Server, key: Any) -> Any:
    return closing(gateway.api(access_key=key.access_key, secret_key=key.secret))


def is_wrong(api: Connection, method: str, path: str, fields: dict[str, Any]) -> bool:
    """Whether these fields, which the client's own types would not let pass, are refused as the caller's mistake."""
    with pytest.raises(Refusal) as caught:
        api.send(method, f"{PREFIX}{path}", body=json.dumps(fields).encode())
    return caught.value.code in ("InvalidArgument", "InvalidBody")


# ---------------------------------------------------------------- projects


def test_a_project_is_made_shown_and_listed(api: Connection, name: str) -> None:
    made = api.call("create_project", name=name)
    assert (made.requires_session, made.max_session_s, made.export_buckets, made.audits) == (
        *(False, 43_200, "all", "refusals"),
    )
    assert len(made.number) == 12
    assert api.call("get_project", project=name) == made
    assert made in api.call("list_projects").projects
    with refusal("ProjectExists"):
        api.call("create_project", name=name)
    with refusal("NoSuchProject"):
        api.call("get_project", project=f"{name}-b")


@pytest.mark.parametrize("name", ["", "P11", "a_b", "-", "a" * 64, "a\0"])
def test_a_name_that_a_project_cannot_have(api: Connection, name: str) -> None:
    assert is_wrong(api, "POST", "/projects", {"name": name})


def test_a_policy_is_changed_as_far_as_it_is_named(api: Connection, project: str) -> None:
    api.call("change_project", project=project, export_buckets=["out"], audits="everything")
    changed = api.call("change_project", project=project, requires_session=True, max_session_s=604_800)
    assert (changed.requires_session, changed.max_session_s, changed.export_buckets, changed.audits) == (
        *(True, 604_800, ["out"], "everything"),
    )
    assert api.call("change_project", project=project, export_buckets=[]).export_buckets == []
    assert api.call("change_project", project=project, export_buckets="all").export_buckets == "all"
    assert api.call("get_project", project=project).requires_session
    for wrong in ({"max_session_s": 899}, {"export_buckets": ["UPPER"]}, {"audits": "nothing"}):
        assert is_wrong(api, "PATCH", f"/projects/{project}", wrong)


def test_a_project_is_its_administrators_to_see_and_roots_to_change(
    eve: Connection, project: str, elsewhere: str
) -> None:
    assert [found.name for found in eve.call("list_projects").projects] == [project]
    assert eve.call("get_project", project=project).name == project
    with refusal("AccessDenied"):
        eve.call("change_project", project=project, requires_session=False)
    with refusal("AccessDenied"):
        eve.call("create_project", name=f"{project}-c")
    for name in (elsewhere, "default", f"{project}-none"):
        with refusal("NoSuchProject"):
            eve.call("get_project", project=name)
        with refusal("NoSuchProject"):
            eve.call("change_project", project=name, requires_session=False)


# ---------------------------------------------------------------- members


def test_rights_are_given_and_taken(api: Connection, project: str) -> None:
    ann = f"{project}-ann"
    for _ in range(2):
        api.call("grant", project=project, user=ann, right="import")
    members = {member.user: member.rights for member in api.call("list_members", project=project).members}
    assert members == {ann: ["import", "member"], f"{project}-eve": ["admin"]}
    api.call("revoke", project=project, user=ann, right="import")
    with refusal("NoSuchMember"):
        api.call("revoke", project=project, user=ann, right="import")
    with refusal("NoSuchUser"):
        api.call("grant", project=project, user="nobody-at-all", right="import")
    with refusal("NoSuchProject"):
        api.call("grant", project=f"{project}-b", user=ann, right="import")


def test_an_administrator_gives_and_takes_rights_in_his_project_alone(
    eve: Connection, api: Connection, project: str, elsewhere: str
) -> None:
    eve.call("grant", project=project, user=f"{project}-ann", right="export")
    eve.call("revoke", project=project, user=f"{project}-ann", right="export")
    with refusal("NoSuchProject"):
        eve.call("list_members", project=elsewhere)
    with refusal("NoSuchProject"):
        eve.call("grant", project=elsewhere, user=f"{project}-eve", right="admin")
    with refusal("NoSuchProject"):
        eve.call("revoke", project=elsewhere, user=f"{elsewhere}-bob", right="member")
    with refusal("NoSuchUser"):
        eve.call("grant", project=project, user=f"{elsewhere}-bob", right="member")
    assert [member.user for member in api.call("list_members", project=elsewhere).members] == [f"{elsewhere}-bob"]


def test_a_right_that_was_taken_away_is_gone_within_a_second(gateway: Server, api: Connection, project: str) -> None:
    key = api.call("create_key", project=project, user=f"{project}-ann")
    s3 = gateway.client(access_key=key.access_key, secret_key=key.secret)
    s3.create_bucket(Bucket="of-ann")
    api.call("revoke", project=project, user=f"{project}-ann", right="member")
    until(lambda: refused(s3.list_objects_v2, Bucket="of-ann"), 10, "the right to be gone")


def refused(call: Callable[..., Any], **arguments: Any) -> bool:
    try:
        call(**arguments)
    except ClientError as error:
        return bool(error.response["ResponseMetadata"]["HTTPStatusCode"] == 403)
    return False


# ---------------------------------------------------------------- people


def test_a_user_is_made_shown_and_listed(api: Connection, project: str) -> None:
    made = api.call("create_user", name=f"{project}-zoe", display_name="Zoë")
    assert (made.display_name, made.has_password, made.has_totp, made.memberships) == ("Zoë", False, False, [])
    assert api.call("get_user", user=f"{project}-zoe") == made
    assert f"{project}-zoe" in [user.name for user in api.call("list_users").users]
    (membership,) = api.call("get_user", user=f"{project}-eve").memberships
    assert (membership.project, membership.rights) == (project, ["admin"])
    with refusal("UserExists"):
        api.call("create_user", name=f"{project}-zoe")
    with refusal("NoSuchUser"):
        api.call("get_user", user=f"{project}-none")


@pytest.mark.parametrize(
    "fields",
    [
        {"name": "a b"},
        {"name": "a\0"},
        {"name": "ok", "display_name": "two\nlines"},
        {"name": "ok", "rights": ["import"]},
        {"name": "ok", "project": "default"},
        {"name": "ok", "project": "default", "rights": ["root"]},
    ],
)
def test_a_user_that_cannot_be(api: Connection, fields: dict[str, Any]) -> None:
    assert is_wrong(api, "POST", "/users", fields)
    with refusal("NoSuchUser"):
        api.call("get_user", user="ok")


def test_a_user_and_his_first_rights_are_made_together_or_not_at_all(api: Connection, name: str) -> None:
    with refusal("NoSuchProject"):
        api.call("create_user", name=name, project=f"{name}-none", rights=["member"])
    with refusal("NoSuchUser"):
        api.call("get_user", user=name)


def test_an_administrator_makes_users_of_his_project(
    eve: Connection, api: Connection, project: str, elsewhere: str
) -> None:
    made = eve.call("create_user", name=f"{project}-kim", rights=["import", "export"])
    assert [(it.project, it.rights) for it in made.memberships] == [(project, ["export", "import"])]
    with refusal("InvalidArgument"):
        eve.call("create_user", name=f"{project}-kai")
    with refusal("NoSuchProject"):
        eve.call("create_user", name=f"{project}-kai", project=elsewhere, rights=["member"])
    with refusal("NoSuchUser"):
        api.call("get_user", user=f"{project}-kai")
    assert [user.name for user in eve.call("list_users").users] == [f"{project}-{it}" for it in ("ann", "eve", "kim")]


PERSONAL: list[tuple[str, dict[str, Any]]] = [
    ("disable_user", {}),
    ("enable_user", {}),
    ("set_password", {"password": "correct horse"}),
    ("enrol_totp", {}),
]


@pytest.mark.parametrize(("endpoint", "fields"), PERSONAL)
def test_an_administrator_decides_over_those_who_are_in_his_project_alone(
    eve: Connection, api: Connection, project: str, elsewhere: str, endpoint: str, fields: dict[str, Any]
) -> None:
    ann = f"{project}-ann"
    eve.call(endpoint, user=ann, **fields)
    with refusal("NoSuchUser"):
        eve.call(endpoint, user=f"{elsewhere}-bob", **fields)
    api.call("grant", project=elsewhere, user=ann, right="member")
    before = api.call("get_user", user=ann)
    with refusal("AccessDenied"):
        eve.call(endpoint, user=ann, **fields)
    assert api.call("get_user", user=ann) == before
    assert [it.project for it in eve.call("get_user", user=ann).memberships] == [project], "others are not told"


def test_a_disabled_user_gets_no_further_until_enabled(api: Connection, eve: Connection, project: str) -> None:
    user = f"{project}-eve"
    assert api.call("disable_user", user=user).disabled is not None
    until(lambda: status(eve, "list_projects") == 403, 10, "the key to be good for nothing")
    assert api.call("enable_user", user=user).disabled is None
    until(lambda: status(eve, "list_projects") == 200, 10, "the key to work again")


def status(connection: Connection, endpoint: str, **fields: Any) -> int:
    try:
        connection.call(endpoint, **fields)
    except Refusal as error:
        return error.status
    return 200


def test_password_and_codes_prove_who_one_is(api: Connection, directory: Directory, project: str) -> None:
    ann = f"{project}-ann"
    api.call("set_password", user=ann, password="correct horse")
    made = api.call("enrol_totp", user=ann)
    assert made.secret in made.uri
    assert made.uri.startswith("otpauth://totp/Caret:")
    assert directory.prove(ann, pyotp.TOTP(made.secret).now(), password="correct horse").name == ann
    shown = api.call("get_user", user=ann)
    assert (shown.has_password, shown.has_totp) == (True, True)
    assert is_wrong(api, "PUT", f"/users/{ann}/password", {"password": "short"})


# ---------------------------------------------------------------- keys and sessions


def test_a_key_is_told_once_works_and_is_disabled(gateway: Server, api: Connection, project: str) -> None:
    key = api.call("create_key", project=project, user=f"{project}-ann")
    s3 = gateway.client(access_key=key.access_key, secret_key=key.secret)
    s3.create_bucket(Bucket="of-ann")
    (listed,) = api.call("list_keys", project=project, user=f"{project}-ann").keys
    assert (listed.access_key, listed.disabled) == (key.access_key, None)
    assert not hasattr(listed, "secret")
    api.call("disable_key", access_key=key.access_key)
    until(lambda: refused(s3.list_buckets), 10, "the key to be disabled")
    assert api.call("list_keys", user=f"{project}-ann").keys[0].disabled is not None
    with refusal("NoSuchAccessKey"):
        api.call("disable_key", access_key=key.access_key)
    with refusal("NoSuchUser"):
        api.call("create_key", project=project, user=f"{project}-none")


def test_an_administrator_has_the_keys_of_his_project(
    eve: Connection, api: Connection, project: str, elsewhere: str
) -> None:
    eve.call("create_key", project=project, user=f"{project}-ann")
    assert {key.project for key in eve.call("list_keys").keys} == {project}
    foreign = api.call("create_key", project=elsewhere, user=f"{elsewhere}-bob").access_key
    with refusal("NoSuchAccessKey"):
        eve.call("disable_key", access_key=foreign)
    with refusal("NoSuchProject"):
        eve.call("list_keys", project=elsewhere)
    with refusal("NoSuchUser"):
        eve.call("list_keys", user=f"{elsewhere}-bob")
    assert api.call("list_keys", project=elsewhere).keys[0].disabled is None


def test_no_key_is_given_for_those_who_have_rights_elsewhere(
    eve: Connection, api: Connection, project: str, elsewhere: str
) -> None:
    """A role of the other project could be assumed with it."""
    with refusal("NoSuchUser"):
        eve.call("create_key", project=project, user=f"{elsewhere}-bob")
    api.call("grant", project=project, user=f"{elsewhere}-bob", right="member")
    with refusal("AccessDenied"):
        eve.call("create_key", project=project, user=f"{elsewhere}-bob")


def test_sessions_are_seen_and_ended(
    eve: Connection, api: Connection, directory: Directory, project: str, elsewhere: str
) -> None:
    rights = frozenset({Right.MEMBER})
    own = directory.begin_session(project, f"{project}-ann", rights, 3600).session.access_key
    other = directory.begin_session(elsewhere, f"{elsewhere}-bob", rights, 3600).session.access_key
    assert [found.access_key for found in eve.call("list_sessions").sessions] == [own]
    assert {own, other} <= {found.access_key for found in api.call("list_sessions").sessions}
    with refusal("NoSuchSession"):
        eve.call("end_session", access_key=other)
    eve.call("end_session", access_key=own)
    with refusal("NoSuchSession"):
        eve.call("end_session", access_key=own)
    assert api.call("list_sessions", project=project).sessions == []
    (left,) = api.call("list_sessions", user=f"{elsewhere}-bob").sessions
    assert (left.rights, left.project) == (["member"], elsewhere)


# ---------------------------------------------------------------- others


CALLS: list[tuple[str, dict[str, Any]]] = [
    ("list_projects", {}),
    ("create_project", {"name": "of-nobody"}),
    ("get_project", {"project": "default"}),
    ("change_project", {"project": "default", "requires_session": True}),
    ("list_members", {"project": "default"}),
    ("grant", {"project": "default", "user": "ann", "right": "admin"}),
    ("revoke", {"project": "default", "user": "ann", "right": "admin"}),
    ("list_users", {}),
    ("create_user", {"name": "of-nobody"}),
    ("get_user", {"user": "ann"}),
    ("create_key", {"project": "default", "user": "ann"}),
    ("list_keys", {}),
    ("disable_key", {"access_key": "KEY"}),
    ("list_sessions", {}),
    ("end_session", {"access_key": "KEY"}),
    *((endpoint, {"user": "ann", **fields}) for endpoint, fields in PERSONAL),
]


def test_nobody_else_administers_anything(gateway: Server, api: Connection, project: str) -> None:
    for right in ("import", "export"):
        api.call("grant", project=project, user=f"{project}-ann", right=right)
    with connected(gateway, api.call("create_key", project=project, user=f"{project}-ann")) as ann:
        for endpoint, fields in CALLS:
            with refusal("AccessDenied"):
                ann.call(endpoint, **fields)


def test_an_administrator_of_the_default_project_is_no_operator(gateway: Server, api: Connection, name: str) -> None:
    api.call("create_user", name=name, project="default", rights=["admin"])
    with connected(gateway, api.call("create_key", project="default", user=name)) as connection:
        with refusal("AccessDenied"):
            connection.call("create_project", name=name)
        assert [found.name for found in connection.call("list_projects").projects] == ["default"]


def test_an_administrator_has_two_factors_to_show_where_his_project_asks(api: Connection, eve: Connection) -> None:
    (project,) = eve.call("list_projects").projects
    api.call("change_project", project=project.name, requires_session=SENSITIVE.requires_session)
    until(lambda: status(eve, "list_users") == 403, 10, "the key alone to be refused")
