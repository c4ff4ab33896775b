"""Protected branches, each change inside a transaction of the committer.

Whoever may change a pattern, or gives a branch its name, keeps `Branch.protected` right in the same transaction: it
is then read with the branch. What it forbids is decided in `pfs.commits.transaction.Transaction.unprotected`.
"""

from __future__ import annotations

from pfs.commits.transaction import Transaction, now_us
from pfs.errors import NoSuchProtection
from pfs.meta import protections, refs
from pfs.model import Protection, Repo


def protect(tx: Transaction, repo: Repo, pattern: str, author: str) -> Protection:
    """The protection, which may have been there before."""
    for known in protections.protections_of_repo(tx.conn, repo.id):
        if known.pattern == pattern:
            return known
    made = Protection(pattern, author, now_us())
    protections.insert_protection(tx.conn, repo.id, made)
    mark_branches(tx, repo.id)
    return made


def unprotect(tx: Transaction, repo: Repo, pattern: str) -> None:
    if not protections.delete_protection(tx.conn, repo.id, pattern):
        raise NoSuchProtection(repo.name, pattern)
    mark_branches(tx, repo.id)


def mark_branches(tx: Transaction, repo_id: int) -> None:
    """Has each of the repo's branches know whether it is protected."""
    patterns = protections.protections_of_repo(tx.conn, repo_id)
    for branch in refs.branches_of_repo(tx.conn, repo_id):
        protected = protections.matching(patterns, branch.name) is not None
        if protected != branch.protected:
            tx.forget(branch.id)
            refs.set_protected(tx.conn, branch.id, protected)
