"""Projects, people, members, keys and sessions. Who may do what is `gateway.access.administration`'s to say; here the
documents of the API are made of what it answers, and refusals of its errors.

The directory's calls block, so that each endpoint is one plain function, carried out in a thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from itertools import groupby
from typing import Any

from gateway.access import totp
from gateway.access.administration import Administrator
from gateway.access.chain import Record
from gateway.access.directory import Directory
from gateway.access.errors import DirectoryError, Exists, Forbidden, Unknown
from gateway.access.model import Key, Project, ProjectPolicy, Session, User
from gateway.access.rights import Right, Rights
from gateway.api import model
from gateway.api.errors import ApiError
from gateway.handlers.context import Call
from pfs import to_datetime

Function = Callable[[Administrator, Any], Any]

_UNKNOWN: Mapping[str, str] = {
    "project": "NoSuchProject",
    "user": "NoSuchUser",
    "member": "NoSuchMember",
    "access key": "NoSuchAccessKey",
    "session": "NoSuchSession",
}
_TAKEN: Mapping[str, str] = {"project": "ProjectExists", "user": "UserExists"}


def people_handlers(directory: Directory) -> Mapping[str, Callable[[Call, Any], Any]]:
    return {name: partial(_carry_out, directory, function) for name, function in _FUNCTIONS.items()}


async def _carry_out(directory: Directory, function: Function, call: Call, request: model.Input) -> Any:
    acting = directory.acting_as(
        Record("", who=call.caller.user or call.caller.display_name, session=call.caller.session)
    )
    try:
        return await call.work(lambda: function(Administrator.of(acting, call.caller), request))
    except DirectoryError as exc:
        raise refusal(exc) from exc


def refusal(exc: DirectoryError) -> ApiError:
    """The directory's error as the API tells it."""
    message = f"{str(exc)[:1].upper()}{str(exc)[1:]}."
    match exc:
        case Unknown():
            return ApiError(_UNKNOWN[exc.what], message)
        case Exists():
            return ApiError(_TAKEN[exc.what], message)
        case Forbidden():
            return ApiError("AccessDenied", message)
    return ApiError("InvalidArgument", message)


# ---------------------------------------------------------------- projects


def _list_projects(desk: Administrator, request: model.ListProjects) -> model.Projects:
    return model.Projects(projects=[_project(found) for found in desk.projects()])


def _create_project(desk: Administrator, request: model.CreateProject) -> model.Project:
    desk.check_operator()
    policy = ProjectPolicy(
        requires_session=request.requires_session,
        max_session_s=request.max_session_s,
        export_buckets=_buckets(request.export_buckets),
        audits=request.audits,
    )
    return _project(desk.directory.create_project(request.name, policy))


def _get_project(desk: Administrator, request: model.OfProject) -> model.Project:
    return _project(desk.project_named(request.project))


def _change_project(desk: Administrator, request: model.ChangeProject) -> model.Project:
    project = desk.project_named(request.project)
    desk.check_operator()
    changes: dict[str, Any] = {
        "requires_session": request.requires_session,
        "max_session_s": request.max_session_s,
        "audits": request.audits,
    }
    changes = {name: value for name, value in changes.items() if value is not None}
    if request.export_buckets is not None:
        changes["export_buckets"] = _buckets(request.export_buckets)
    return _project(desk.directory.change_policy(project.name, changes))


def _buckets(names: model.ExportBuckets) -> tuple[str, ...] | None:
    return None if names == "all" else tuple(names)


def _project(found: Project) -> model.Project:
    policy = found.policy
    return model.Project(
        name=found.name,
        number=found.number,
        created=to_datetime(found.created_us),
        requires_session=policy.requires_session,
        max_session_s=policy.max_session_s,
        export_buckets="all" if policy.export_buckets is None else list(policy.export_buckets),
        audits=policy.audits,
    )


# ---------------------------------------------------------------- members


def _list_members(desk: Administrator, request: model.OfProject) -> model.Members:
    pairs = [(member.user, member.right) for member in desk.members(request.project)]
    return model.Members(members=[model.Member(user=user, rights=rights) for user, rights in _grouped(pairs)])


def _grant(desk: Administrator, request: model.OfMember) -> None:
    project, user = desk.project_named(request.project), desk.user_named(request.user)
    desk.directory.grant(project.name, user.name, Right(request.right))


def _revoke(desk: Administrator, request: model.OfMember) -> None:
    project, user = desk.project_named(request.project), desk.user_named(request.user)
    desk.directory.revoke(project.name, user.name, Right(request.right))


def _grouped(pairs: Iterable[tuple[str, Right]]) -> Iterable[tuple[str, list[model.Right]]]:
    """Each name with its rights, of pairs that come by name."""
    for name, found in groupby(pairs, key=lambda pair: pair[0]):
        yield name, _rights(right for _, right in found)


def _rights(rights: Iterable[Right]) -> list[model.Right]:
    return sorted(right.value for right in rights)


# ---------------------------------------------------------------- people


def _list_users(desk: Administrator, request: model.ListUsers) -> model.Users:
    return model.Users(users=[model.User(**_facts(user)) for user in desk.users()])


def _create_user(desk: Administrator, request: model.CreateUser) -> model.UserDetail:
    project = desk.project if request.project is None else desk.project_named(request.project).name
    rights: Rights = frozenset(map(Right, request.rights))
    if rights and project is None:
        raise ApiError("InvalidArgument", "Say in which project these rights are.", at="project")
    if not rights and project is not None:
        raise ApiError("InvalidArgument", "Give the user a right in the project.", at="rights")
    user = desk.directory.create_user(
        request.name, display_name=request.display_name, project=project or "", rights=rights
    )
    return _detail(desk, user)


def _get_user(desk: Administrator, request: model.OfUser) -> model.UserDetail:
    return _detail(desk, desk.user_named(request.user))


def _disable_user(desk: Administrator, request: model.OfUser) -> model.UserDetail:
    desk.directory.disable_user(desk.own_user(request.user).name)
    return _get_user(desk, request)


def _enable_user(desk: Administrator, request: model.OfUser) -> model.UserDetail:
    desk.directory.enable_user(desk.own_user(request.user).name)
    return _get_user(desk, request)


def _set_password(desk: Administrator, request: model.SetPassword) -> None:
    desk.directory.set_password(desk.own_user(request.user).name, request.password)


def _enrol_totp(desk: Administrator, request: model.OfUser) -> model.Totp:
    user = desk.own_user(request.user).name
    secret = desk.directory.enrol_totp(user)
    return model.Totp(user=user, secret=secret, uri=totp.provisioning_uri(secret, user))


def _detail(desk: Administrator, user: User) -> model.UserDetail:
    memberships = [
        model.Membership(project=project, rights=rights) for project, rights in _grouped(desk.memberships(user.name))
    ]
    return model.UserDetail(**_facts(user), memberships=memberships)


def _facts(user: User) -> dict[str, Any]:
    return {
        "name": user.name,
        "id": user.canonical_id,
        "display_name": user.display_name,
        "has_password": user.has_password,
        "has_totp": user.has_totp,
        "created": to_datetime(user.created_us),
        "disabled": None if user.disabled_us is None else to_datetime(user.disabled_us),
    }


# ---------------------------------------------------------------- keys and sessions


def _list_keys(desk: Administrator, request: model.Held) -> model.AccessKeys:
    found = desk.keys(user=request.user or "", project=request.project or "")
    return model.AccessKeys(keys=[model.AccessKey(**_key(key)) for key in found])


def _create_key(desk: Administrator, request: model.CreateKey) -> model.NewAccessKey:
    project, user = desk.project_named(request.project), desk.own_user(request.user)
    made = desk.directory.create_key(project.name, user.name)
    return model.NewAccessKey(**_key(made.key), secret=made.secret)


def _disable_key(desk: Administrator, request: model.OfKey) -> None:
    desk.disable_key(request.access_key)


def _key(key: Key) -> dict[str, Any]:
    return {
        "access_key": key.access_key,
        "user": key.user,
        "project": key.project,
        "created": to_datetime(key.created_us),
        "disabled": None if key.disabled_us is None else to_datetime(key.disabled_us),
    }


def _list_sessions(desk: Administrator, request: model.Held) -> model.Sessions:
    found = desk.sessions(user=request.user or "", project=request.project or "")
    return model.Sessions(sessions=[session_document(session) for session in found])


def _end_session(desk: Administrator, request: model.OfKey) -> None:
    desk.end_session(request.access_key)


def session_document(session: Session) -> model.Session:
    return model.Session(
        access_key=session.access_key,
        user=session.user,
        project=session.project,
        rights=_rights(session.rights),
        created=to_datetime(session.created_us),
        expires=to_datetime(session.expires_us),
        assumed=session.assumed or None,
    )


_FUNCTIONS: Mapping[str, Function] = {
    "list_projects": _list_projects,
    "create_project": _create_project,
    "get_project": _get_project,
    "change_project": _change_project,
    "list_members": _list_members,
    "grant": _grant,
    "revoke": _revoke,
    "list_users": _list_users,
    "create_user": _create_user,
    "get_user": _get_user,
    "disable_user": _disable_user,
    "enable_user": _enable_user,
    "set_password": _set_password,
    "enrol_totp": _enrol_totp,
    "list_keys": _list_keys,
    "create_key": _create_key,
    "disable_key": _disable_key,
    "list_sessions": _list_sessions,
    "end_session": _end_session,
}
