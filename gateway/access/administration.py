"""Who may administer whom: the directory as the operator sees it, or as a project's administrator does.

The operator, root, sees and changes everything. An administrator of a project sees that project, whoever has a right
in it, and the keys and sessions there; all else is not there for him. He gives and takes rights in his project, makes
users who have one from the beginning, and decides how people prove themselves, and whether they may, as long as they
have no rights elsewhere: else the keys, passwords and codes that he gives out would open other projects. Whom he does
not see he cannot bring in. Policies and projects are the operator's. Nobody else administers anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.access.directory import Directory
from gateway.access.errors import Forbidden, Unknown
from gateway.access.model import Key, Member, Project, Session, User
from gateway.access.principals import ROOT, Principal
from gateway.access.rights import Right


@dataclass(frozen=True, slots=True)
class Administrator:
    """`project` is all that he administers; None: he is the operator. What is not his to see raises Unknown, what he
    sees and may not do Forbidden."""

    directory: Directory
    project: str | None

    @classmethod
    def of(cls, directory: Directory, caller: Principal) -> Administrator:
        """Raises Forbidden for anybody else. Names do not count: a user may be called root."""
        if not caller.is_admin:
            raise Forbidden("people and projects are for administrators")
        return cls(directory, None if caller.id == ROOT.id else caller.project)

    @property
    def is_operator(self) -> bool:
        return self.project is None

    def audited(self, project: str) -> str | None:
        """Whose records of the audit log he may have: those of the project that he asks for. "" is all that he may,
        and None all that there are, which is the operator's. The operator may ask for projects that are no more."""
        if self.project is None:
            return project or None
        if project not in ("", self.project):
            raise Unknown("project", project)
        return self.project

    def check_operator(self) -> None:
        if not self.is_operator:
            raise Forbidden("this is for the operator, root")

    # ------------------------------------------------------------ projects

    def projects(self) -> Sequence[Project]:
        return self.directory.projects() if self.project is None else [self.directory.project(self.project)]

    def project_named(self, name: str) -> Project:
        if self.project not in (None, name):
            raise Unknown("project", name)
        return self.directory.project(name)

    def members(self, project: str) -> Sequence[Member]:
        return self.directory.members(self.project_named(project).name)

    # ------------------------------------------------------------ people

    def users(self) -> Sequence[User]:
        found = self.directory.users()
        if self.project is None:
            return found
        members = {member.user for member in self.directory.members(self.project)}
        return [user for user in found if user.name in members]

    def user_named(self, name: str) -> User:
        user = self.directory.user(name)
        if self.project is not None and not self.directory.rights(self.project, name):
            raise Unknown("user", name)
        return user

    def memberships(self, user: str) -> Sequence[tuple[str, Right]]:
        """(project, right), as far as they are his to see."""
        found = self.directory.memberships(self.user_named(user).name)
        return [(project, right) for project, right in found if self.project in (None, project)]

    def own_user(self, name: str) -> User:
        """Somebody whose keys, password, codes and standing are this administrator's to decide."""
        user = self.user_named(name)
        if self.project is not None and any(held != self.project for held, _ in self.directory.memberships(name)):
            raise Forbidden(f"{name} has rights in other projects too: this is for the operator, root")
        return user

    # ------------------------------------------------------------ keys and sessions

    def keys(self, *, user: str = "", project: str = "") -> Sequence[Key]:
        return self.directory.keys(user=self._user(user), project=self._project(project))

    def sessions(self, *, user: str = "", project: str = "") -> Sequence[Session]:
        return self.directory.sessions(user=self._user(user), project=self._project(project))

    def disable_key(self, access_key: str) -> None:
        if not any(key.access_key == access_key for key in self.keys()):
            raise Unknown("access key", access_key)
        self.directory.disable_key(access_key)

    def end_session(self, access_key: str) -> None:
        if not any(session.access_key == access_key for session in self.sessions()):
            raise Unknown("session", access_key)
        self.directory.end_session(access_key)

    def _user(self, name: str) -> str:
        return name and self.user_named(name).name

    def _project(self, name: str) -> str:
        return self.project_named(name).name if name else self.project or ""
