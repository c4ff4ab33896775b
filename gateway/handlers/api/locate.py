"""Which repo and branch a call is about, and whether they are the caller's to work with.

What is somebody else's is answered as what is not there: nobody learns of it. The rights to import and to export open
nothing here: repos and their history are for those who govern them, as members or as administrators.
"""

from __future__ import annotations

from gateway.access.policy import is_master
from gateway.handlers.context import Call
from gateway.handlers.ownership import bucket_owner
from pfs import Branch, NoSuchBranch, NoSuchRepo, Repo


async def repo_of(call: Call, repo: str) -> Repo:
    """A repo that is the caller's: one of its branches is, or all the project's are. Raises NoSuchRepo."""
    found = await call.read(call.store.repo, call.caller.project, repo)
    if not await governs(call, found):
        raise NoSuchRepo(repo)
    return found


async def governs(call: Call, repo: Repo) -> bool:
    if call.caller.is_admin:
        return True
    branches = await call.read(call.store.repo_branches, repo)
    return any(is_master(call.caller, bucket_owner(branch).id) for branch in branches)


async def branch_of(call: Call, repo: str, branch: str | None) -> Branch:
    """A branch that is the caller's; None is the repo's default branch. Raises NoSuchRepo, NoSuchBranch."""
    await repo_of(call, repo)
    found = await call.read(call.store.branch, call.caller.project, repo, branch)
    if not is_master(call.caller, bucket_owner(found).id):
        raise NoSuchBranch(repo, found.name)
    return found
