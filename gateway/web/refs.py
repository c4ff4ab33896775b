"""What a repo's commits are known by: its branches and tags, which the pages of its history offer and mark."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.api import model
from gateway.client import Client

MOST = 1000
"""So many branches, and so many tags, are offered and marked; of more the first ones by name."""


@dataclass(frozen=True, slots=True)
class Refs:
    """`branch` is the one that revisions are seen from: as it was asked for, or else the default branch, or the first
    one that is the visitor's. `asked` is empty where none was asked for."""

    repo: str
    asked: str
    branch: str
    default: str
    branches: Sequence[model.Branch]
    tags: Sequence[model.Tag]

    @classmethod
    def of(cls, caret: Client, repo: str, asked: str = "") -> Refs:
        """Raises Refusal, NoSuchRepo say; whether the branch exists is left to be seen."""
        branches = caret.list_branches(repo, limit=MOST).branches
        default = caret.default_branch(repo)
        names = [branch.name for branch in branches]
        seen_from = asked or (default if default in names or not names else names[0])
        return cls(repo, asked, seen_from, default, branches, caret.list_tags(repo, limit=MOST).tags)

    @property
    def names(self) -> Sequence[str]:
        """Of the branches on offer, the one that was asked for among them."""
        names = [branch.name for branch in self.branches]
        return names if self.branch in names else [self.branch, *names]

    @property
    def are_all(self) -> bool:
        return max(len(self.branches), len(self.tags)) < MOST

    def heads_at(self, commit_id: str) -> Sequence[model.Branch]:
        return [branch for branch in self.branches if branch.head.id == commit_id]

    def tags_at(self, commit_id: str) -> Sequence[model.Tag]:
        return [tag for tag in self.tags if tag.commit_id == commit_id]


def commit_of(caret: Client, repo: str, rev: str, branch: str) -> model.Commit:
    """The commit that a revision names now."""
    return caret.log(repo, branch=branch, rev=rev, limit=1).commits[0]
