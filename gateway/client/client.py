"""The typed client: every endpoint, whole lists, a branch followed as it grows, and content.

    with Client.from_environment() as caret:
        for commit in caret.commits("photos", branch="draft"):
            print(commit.id, commit.message)

What a loop reads is one state: revisions are resolved once, before the first page.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, TypeVar

from gateway.api import model
from gateway.client import content
from gateway.client.connection import Connection, Refusal, Unreachable
from gateway.client.content import Content
from gateway.client.endpoints import Endpoints
from gateway.client.environment import Reach, find

_log = logging.getLogger(__name__)

_Page = TypeVar("_Page")
_LONGEST_WAIT_S = 60  # what the feed grants
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 30.0


class Client(Endpoints):
    """A gateway as one user reaches it. Thread-safe; a context manager that closes its connections."""

    def __init__(self, reach: Reach, connection: Connection | None = None) -> None:
        """`connection`: one to share, instead of one of its own. Raises ValueError where the endpoint is no URL
        without a path."""
        super().__init__(connection or reach.connect())
        self.reach = reach

    @classmethod
    def from_environment(
        cls, *, endpoint: str | None = None, access_key: str | None = None, data: Path | None = None
    ) -> Client:
        """As `gateway.client.environment` says. Raises NotConfigured."""
        return cls(find(os.environ, endpoint=endpoint, access_key=access_key, data=data))

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._connection.close()

    # ---------------------------------------------------------------- whole lists

    def repos(self) -> Iterator[model.Repo]:
        for page in _pages(self.list_repos):
            yield from page.repos

    def branches(self, repo: str) -> Iterator[model.Branch]:
        for page in _pages(self.list_branches, repo):
            yield from page.branches

    def tags(self, repo: str) -> Iterator[model.Tag]:
        for page in _pages(self.list_tags, repo):
            yield from page.tags

    def transactions(self, repo: str) -> Iterator[model.Transaction]:
        """Open ones, the oldest first."""
        for page in _pages(self.list_transactions, repo):
            yield from page.transactions

    def commits(
        self,
        repo: str,
        *,
        branch: str | None = None,
        rev: str = "HEAD",
        key: str | None = None,
        all_parents: bool = False,
    ) -> Iterator[model.Commit]:
        """Newest first; pages are asked for as they are needed."""
        start = self.resolve(repo, rev, branch=branch)
        for page in _pages(self.log, repo, branch=branch, rev=start, key=key, all_parents=all_parents, limit=1000):
            yield from page.commits

    def changes(
        self, repo: str, before_rev: str, *, after_rev: str = "HEAD", branch: str | None = None, prefix: str = ""
    ) -> Iterator[model.Change]:
        """In the order of keys."""
        before, after = (self.resolve(repo, rev, branch=branch) for rev in (before_rev, after_rev))
        for page in _pages(self.diff, repo, before, after_rev=after, branch=branch, prefix=prefix):
            yield from page.changes

    def tree(
        self, repo: str, *, branch: str | None = None, rev: str = "HEAD", prefix: str = "", delimiter: str = ""
    ) -> Iterator[model.Entry | str]:
        """Entries in the order of keys; with a delimiter also the prefixes (texts) that keys share up to it."""
        start = self.resolve(repo, rev, branch=branch)
        for page in _pages(self.ls, repo, branch=branch, rev=start, prefix=prefix, delimiter=delimiter):
            items: list[model.Entry | str] = [*page.entries, *page.prefixes]
            yield from sorted(items, key=_name)

    def resolve(self, repo: str, rev: str, *, branch: str | None = None) -> model.CommitId:
        """The id of the commit that a revision names now."""
        return self.log(repo, branch=branch, rev=rev, limit=1).commits[0].id

    def default_branch(self, repo: str) -> str:
        # A page of one that begins just before the name: get_repo counts all that the repo holds.
        found = self.list_repos(after=just_before(repo), limit=1).repos
        if found and found[0].name == repo:
            return found[0].default_branch
        return self.get_repo(repo).default_branch

    # ---------------------------------------------------------------- as it grows

    def follow(self, repo: str, branch: str, *, since: str | None = None) -> Iterator[model.Commit]:
        """Each commit behind the revision `since`, oldest first and none left out, then each new one, without end.

        Without `since`, those made after the first `next()`. Where the connection is lost it is made anew, behind
        the last commit that was given. Raises Refusal, and Unreachable at the first `next()` only.
        """
        last = self._start(repo, branch, since)
        pause_s = _FIRST_PAUSE_S
        while True:
            try:
                for commit in self.follow_feed(repo, branch, since=last):
                    yield commit
                    last, pause_s = commit.id, _FIRST_PAUSE_S
            except Unreachable as exc:
                _log.info("following %s of %s again in %.1f s: %s", branch, repo, pause_s, exc)
            except Refusal as refusal:
                if refusal.status != 503:
                    raise
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    def wait_for_commit(
        self, repo: str, branch: str, *, since: str | None = None, timeout_s: float | None = None
    ) -> model.Commit:
        """The first commit behind the revision `since`, waited for where there is none yet.

        Without `since`, the next one to come. Raises TimeoutError, Refusal, Unreachable.
        """
        start = self._start(repo, branch, since)
        end = None if timeout_s is None else time.monotonic() + timeout_s
        while True:
            left_s = _LONGEST_WAIT_S if end is None else end - time.monotonic()
            wait_s = int(max(0, min(_LONGEST_WAIT_S, left_s)))
            found = self.feed(repo, branch, since=start, limit=1, wait_s=wait_s).commits
            if found:
                return found[0]
            if end is not None and time.monotonic() >= end:
                raise TimeoutError(f"no commit on {branch} of {repo} within {timeout_s} s")
            if wait_s == 0:
                time.sleep(min(left_s, _FIRST_PAUSE_S) if left_s > 0 else 0)

    def _start(self, repo: str, branch: str, since: str | None) -> model.CommitId:
        if since is None:
            return self.get_branch(repo, branch).head.id
        return self.resolve(repo, since, branch=branch)  # once: HEAD^ means another commit later

    # ---------------------------------------------------------------- content

    def read(self, repo: str, key: str, *, branch: str | None = None, rev: str = "HEAD") -> Content:
        """A key's content, to be read and closed: `with caret.read("photos", "cat.jpg") as file: …`"""
        return content.read(self._connection, repo, key, branch, rev)

    def write(
        self,
        repo: str,
        key: str,
        body: bytes | BinaryIO,
        *,
        branch: str | None = None,
        content_type: str | None = None,
        metadata: Mapping[str, str] | None = None,
        message: str | None = None,
        if_match: str | None = None,
        only_new: bool = False,
    ) -> model.CommitId:
        """Writes a key by one commit, whose id is returned once it is durable.

        `body` is read from where it stands, and twice, for its digest is signed; what cannot seek is copied to a
        temporary file first. With `if_match` (an ETag) or `only_new` the write is refused, PreconditionFailed,
        where the key holds something else or anything.
        """
        headers = content.write_headers(content_type, metadata or {}, message, if_match, only_new)
        return content.write(self._connection, repo, key, body, branch, headers)


def just_before(name: str) -> str:
    """What names, of repos and branches, are listed after that are not before this one."""
    return f"{name[:-1]}{chr(ord(name[-1]) - 1)}~" if name else ""


def _pages(call: Callable[..., _Page], /, *arguments: Any, **fields: Any) -> Iterator[_Page]:
    after: str | None = ""
    while after is not None:
        page: Any = call(*arguments, **fields, after=after)
        yield page
        after = page.next


def _name(item: model.Entry | str) -> bytes:
    name = item if isinstance(item, str) else item.key
    return name.encode()
