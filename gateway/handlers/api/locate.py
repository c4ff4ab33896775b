"""Which repo and branch a call is about, and whether they are the caller's to work with.

What is somebody else's is answered as what is not there: nobody learns of it. The rights to import and to export open
nothing here: repos and their history are for those who govern them, as members or as administrators.
"""

from __future__ import annotations

from gateway.access.policy import is_master
from gateway.api.errors import ApiError
from gateway.handlers.context import Call
from gateway.handlers.ownership import bucket_owner
from pfs import AmbiguousRevision, Branch, NoSuchBranch, NoSuchCommit, NoSuchRepo, Repo, is_name


def is_own(call: Call, branch: Branch) -> bool:
    return is_master(call.caller, bucket_owner(branch).id)


async def repo_of(call: Call, repo: str) -> Repo:
    """A repo that is the caller's: one of its branches is, or all the project's are. Raises NoSuchRepo."""
    if not is_name(repo):
        raise NoSuchRepo(repo)
    found = await call.read(call.store.repo, call.caller.project, repo)
    if not await governs(call, found):
        raise NoSuchRepo(repo)
    return found


async def governs(call: Call, repo: Repo) -> bool:
    if call.caller.is_admin:
        return True
    return any(is_own(call, branch) for branch in await call.read(call.store.repo_branches, repo))


async def branch_of(call: Call, repo: str, branch: str | None) -> Branch:
    """A branch that is the caller's; None is the repo's default branch. Raises NoSuchRepo, NoSuchBranch."""
    await repo_of(call, repo)
    if branch is not None and not is_name(branch):
        raise NoSuchBranch(repo, branch)
    found = await call.read(call.store.branch, call.caller.project, repo, branch)
    if not is_own(call, found):
        raise NoSuchBranch(repo, found.name)
    return found


async def refuse_unrelated(call: Call, repo: str, missing: NoSuchCommit) -> None:
    """UnrelatedRepo where the revision that `repo` does not have is a commit of another repo of the caller's."""
    if isinstance(missing, AmbiguousRevision):
        return
    found = await call.read(call.store.repos_with_commit, call.caller.project, missing.rev)
    own = [other for other in found if await governs(call, other)]
    if len(own) == 1 and own[0].name != repo:
        other = own[0].name
        raise ApiError(
            "UnrelatedRepo",
            f"{missing.rev!r} is a commit of repo {other!r}, which shares no history with {repo!r}.",
            rev=missing.rev,
            repo=other,
        ) from missing


def behind(after: str) -> str:
    """Where a page of names begins that are not to be up to `after`. Names hold no NUL, nor do databases' texts."""
    return after.partition("\0")[0]
