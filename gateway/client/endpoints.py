"""A typed method per endpoint of the REST API, with the endpoint's name.

What an Input requires may come by position; the rest comes by name and has the Input's defaults. A test walks
`ENDPOINTS` and holds each method against its row. All raise Refusal and Unreachable, and msgspec.ValidationError for
values that the endpoint does not take.
"""

from __future__ import annotations

from collections.abc import Iterator

from gateway.api import model
from gateway.client.connection import Connection

_NOTHING: dict[str, str] = {}  # a default, never written to
_NO_RIGHTS: list[model.Right] = []  # the same


class Endpoints:
    """The REST API, call by call."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list_repos(self, *, after: str = "", limit: int = 1000) -> model.Repos:
        """Repos, by name."""
        answer: model.Repos = self._connection.call("list_repos", after=after, limit=limit)
        return answer

    def create_repo(self, name: str, *, default_branch: str = "main") -> model.RepoDetail:
        """Make a repo with its default branch."""
        answer: model.RepoDetail = self._connection.call("create_repo", name=name, default_branch=default_branch)
        return answer

    def get_repo(self, repo: str) -> model.RepoDetail:
        """A repo and what it holds."""
        answer: model.RepoDetail = self._connection.call("get_repo", repo=repo)
        return answer

    def rename_repo(self, repo: str, name: str) -> model.RepoDetail:
        """Give a repo another name; its buckets' names change too."""
        answer: model.RepoDetail = self._connection.call("rename_repo", repo=repo, name=name)
        return answer

    def delete_repo(self, repo: str) -> None:
        """Delete a repo with all its branches; they can be restored for a while."""
        self._connection.call("delete_repo", repo=repo)

    def list_branches(self, repo: str, *, after: str = "", limit: int = 1000) -> model.Branches:
        """A repo's branches with their heads, by name."""
        answer: model.Branches = self._connection.call("list_branches", repo=repo, after=after, limit=limit)
        return answer

    def create_branch(self, repo: str, name: str, *, rev: str = "HEAD", branch: str | None = None) -> model.Branch:
        """Make a branch whose head is any revision, in O(1)."""
        answer: model.Branch = self._connection.call("create_branch", repo=repo, name=name, rev=rev, branch=branch)
        return answer

    def get_branch(self, repo: str, branch: str) -> model.Branch:
        """A branch and its head."""
        answer: model.Branch = self._connection.call("get_branch", repo=repo, branch=branch)
        return answer

    def delete_branch(self, repo: str, branch: str, *, expected_head: str | None = None) -> None:
        """Delete a branch; it can be restored for a while. With the last one goes its repo."""
        self._connection.call("delete_branch", repo=repo, branch=branch, expected_head=expected_head)

    def reset_branch(self, repo: str, branch: str, rev: str, *, expected_head: str | None = None) -> model.Branch:
        """Move a branch's head to a revision; the old head stays reachable by its id."""
        answer: model.Branch = self._connection.call(
            "reset_branch", repo=repo, branch=branch, rev=rev, expected_head=expected_head
        )
        return answer

    def restore_branch(self, repo: str, branch: str) -> model.Branch:
        """Bring back a deleted branch, and its repo with it."""
        answer: model.Branch = self._connection.call("restore_branch", repo=repo, branch=branch)
        return answer

    def list_deleted_branches(self, repo: str) -> model.DeletedBranches:
        """Branches that can be restored, the latest deleted first."""
        answer: model.DeletedBranches = self._connection.call("list_deleted_branches", repo=repo)
        return answer

    def list_protections(self, repo: str) -> model.Protections:
        """Patterns of the branches that take merges only."""
        answer: model.Protections = self._connection.call("list_protections", repo=repo)
        return answer

    def protect(self, repo: str, pattern: str) -> model.Protection:
        """Have branches of these names take merges only."""
        answer: model.Protection = self._connection.call("protect", repo=repo, pattern=pattern)
        return answer

    def unprotect(self, repo: str, pattern: str) -> None:
        """Lift a protection."""
        self._connection.call("unprotect", repo=repo, pattern=pattern)

    def log(
        self,
        repo: str,
        *,
        branch: str | None = None,
        rev: str = "HEAD",
        key: str | None = None,
        all_parents: bool = False,
        after: str = "",
        limit: int = 100,
    ) -> model.Commits:
        """The commits that led to a revision, newest first."""
        answer: model.Commits = self._connection.call(
            "log", repo=repo, branch=branch, rev=rev, key=key, all_parents=all_parents, after=after, limit=limit
        )
        return answer

    def show(
        self, repo: str, rev: str, *, branch: str | None = None, prefix: str = "", after: str = "", limit: int = 1000
    ) -> model.CommitDetail:
        """A commit and what it changed."""
        answer: model.CommitDetail = self._connection.call(
            "show", repo=repo, rev=rev, branch=branch, prefix=prefix, after=after, limit=limit
        )
        return answer

    def diff(
        self,
        repo: str,
        before_rev: str,
        *,
        after_rev: str = "HEAD",
        branch: str | None = None,
        prefix: str = "",
        after: str = "",
        limit: int = 1000,
    ) -> model.Changes:
        """What one revision holds otherwise than another."""
        answer: model.Changes = self._connection.call(
            "diff",
            repo=repo,
            before_rev=before_rev,
            after_rev=after_rev,
            branch=branch,
            prefix=prefix,
            after=after,
            limit=limit,
        )
        return answer

    def ls(
        self,
        repo: str,
        *,
        branch: str | None = None,
        rev: str = "HEAD",
        prefix: str = "",
        delimiter: str = "",
        after: str = "",
        limit: int = 1000,
    ) -> model.Tree:
        """A tree at a revision."""
        answer: model.Tree = self._connection.call(
            "ls", repo=repo, branch=branch, rev=rev, prefix=prefix, delimiter=delimiter, after=after, limit=limit
        )
        return answer

    def stat(self, repo: str, key: str, *, branch: str | None = None, rev: str = "HEAD") -> model.ObjectDetail:
        """All about a key at a revision. Its content is S3's to serve."""
        answer: model.ObjectDetail = self._connection.call("stat", repo=repo, key=key, branch=branch, rev=rev)
        return answer

    def merge(
        self,
        repo: str,
        branch: str,
        rev: str,
        *,
        message: str | None = None,
        metadata: dict[str, str] = _NOTHING,
        strategy: model.Strategy = None,
        fast_forward: bool = True,
        squash: bool = False,
        dry_run: bool = False,
        expected_head: str | None = None,
    ) -> model.Merged:
        """Take into a branch what a revision has changed since their merge base."""
        answer: model.Merged = self._connection.call(
            "merge",
            repo=repo,
            branch=branch,
            rev=rev,
            message=message,
            metadata=metadata,
            strategy=strategy,
            fast_forward=fast_forward,
            squash=squash,
            dry_run=dry_run,
            expected_head=expected_head,
        )
        return answer

    def revert(
        self,
        repo: str,
        branch: str,
        rev: str,
        *,
        message: str | None = None,
        metadata: dict[str, str] = _NOTHING,
        strategy: model.Strategy = None,
        expected_head: str | None = None,
    ) -> model.Merged:
        """Undo what a commit changed, by a new commit."""
        answer: model.Merged = self._connection.call(
            "revert",
            repo=repo,
            branch=branch,
            rev=rev,
            message=message,
            metadata=metadata,
            strategy=strategy,
            expected_head=expected_head,
        )
        return answer

    def cherry_pick(
        self,
        repo: str,
        branch: str,
        rev: str,
        *,
        message: str | None = None,
        metadata: dict[str, str] = _NOTHING,
        strategy: model.Strategy = None,
        expected_head: str | None = None,
    ) -> model.Merged:
        """Make what a commit changed once more, by a new commit."""
        answer: model.Merged = self._connection.call(
            "cherry_pick",
            repo=repo,
            branch=branch,
            rev=rev,
            message=message,
            metadata=metadata,
            strategy=strategy,
            expected_head=expected_head,
        )
        return answer

    def list_tags(self, repo: str, *, after: str = "", limit: int = 1000) -> model.Tags:
        """Tags, by name."""
        answer: model.Tags = self._connection.call("list_tags", repo=repo, after=after, limit=limit)
        return answer

    def create_tag(
        self,
        repo: str,
        name: str,
        *,
        rev: str = "HEAD",
        branch: str | None = None,
        message: str = "",
        expected_head: str | None = None,
    ) -> model.Tag:
        """Name a commit, for ever."""
        answer: model.Tag = self._connection.call(
            "create_tag", repo=repo, name=name, rev=rev, branch=branch, message=message, expected_head=expected_head
        )
        return answer

    def get_tag(self, repo: str, tag: str) -> model.Tag:
        """A tag."""
        answer: model.Tag = self._connection.call("get_tag", repo=repo, tag=tag)
        return answer

    def delete_tag(self, repo: str, tag: str) -> None:
        """Forget a tag; its commit stays."""
        self._connection.call("delete_tag", repo=repo, tag=tag)

    def begin_transaction(
        self,
        repo: str,
        branch: str,
        *,
        message: str = "",
        metadata: dict[str, str] = _NOTHING,
        expires_in_s: int = 86400,
    ) -> model.Transaction:
        """Get a bucket to write to; committing makes one commit of all that was written."""
        answer: model.Transaction = self._connection.call(
            "begin_transaction", repo=repo, branch=branch, message=message, metadata=metadata, expires_in_s=expires_in_s
        )
        return answer

    def list_transactions(self, repo: str, *, after: str = "", limit: int = 1000) -> model.Transactions:
        """Open transactions."""
        answer: model.Transactions = self._connection.call("list_transactions", repo=repo, after=after, limit=limit)
        return answer

    def get_transaction(self, repo: str, id: str) -> model.Transaction:
        """A transaction, open or ended."""
        answer: model.Transaction = self._connection.call("get_transaction", repo=repo, id=id)
        return answer

    def commit_transaction(
        self, repo: str, id: str, *, message: str | None = None, metadata: dict[str, str] | None = None
    ) -> model.Transaction:
        """Make one commit of it. Where a key that it touched has moved meanwhile: 409, and it stays open."""
        answer: model.Transaction = self._connection.call(
            "commit_transaction", repo=repo, id=id, message=message, metadata=metadata
        )
        return answer

    def abandon_transaction(self, repo: str, id: str) -> None:
        """Forget it and all that was written to it."""
        self._connection.call("abandon_transaction", repo=repo, id=id)

    def feed(
        self, repo: str, branch: str, *, since: str | None = None, limit: int = 100, wait_s: int = 0
    ) -> model.FeedPage:
        """A branch's commits since a revision, oldest first."""
        answer: model.FeedPage = self._connection.call(
            "feed", repo=repo, branch=branch, since=since, limit=limit, wait_s=wait_s
        )
        return answer

    def follow_feed(
        self, repo: str, branch: str, *, since: str | None = None, last_event_id: str | None = None
    ) -> Iterator[model.Commit]:
        """A branch's commits as they are made."""
        return self._connection.follow(
            "follow_feed", repo=repo, branch=branch, since=since, last_event_id=last_event_id
        )

    def list_webhooks(self, repo: str) -> model.Webhooks:
        """Who is told of commits, and how far that has come."""
        answer: model.Webhooks = self._connection.call("list_webhooks", repo=repo)
        return answer

    def create_webhook(self, repo: str, url: str, *, branches: str = "*", secret: str | None = None) -> model.Webhook:
        """Have each new commit of some branches POSTed to a URL, signed."""
        answer: model.Webhook = self._connection.call(
            "create_webhook", repo=repo, url=url, branches=branches, secret=secret
        )
        return answer

    def get_webhook(self, repo: str, id: str) -> model.Webhook:
        """A webhook."""
        answer: model.Webhook = self._connection.call("get_webhook", repo=repo, id=id)
        return answer

    def delete_webhook(self, repo: str, id: str) -> None:
        """Stop telling."""
        self._connection.call("delete_webhook", repo=repo, id=id)

    def collect_garbage(self, *, dry_run: bool = False) -> model.Collected:
        """Remove what nothing refers to any more."""
        answer: model.Collected = self._connection.call("collect_garbage", dry_run=dry_run)
        return answer

    def list_projects(self) -> model.Projects:
        """Projects, by name."""
        answer: model.Projects = self._connection.call("list_projects")
        return answer

    def create_project(
        self,
        name: str,
        *,
        requires_session: bool = False,
        max_session_s: int = 43200,
        export_buckets: model.ExportBuckets = "all",
        audits: model.Audits = "refusals",
    ) -> model.Project:
        """Make a project: a namespace of buckets, people with rights in it, a policy."""
        answer: model.Project = self._connection.call(
            "create_project",
            name=name,
            requires_session=requires_session,
            max_session_s=max_session_s,
            export_buckets=export_buckets,
            audits=audits,
        )
        return answer

    def get_project(self, project: str) -> model.Project:
        """A project and its policy."""
        answer: model.Project = self._connection.call("get_project", project=project)
        return answer

    def change_project(
        self,
        project: str,
        *,
        requires_session: bool | None = None,
        max_session_s: int | None = None,
        export_buckets: model.ExportBuckets | None = None,
        audits: model.Audits | None = None,
    ) -> model.Project:
        """Change a project's policy."""
        answer: model.Project = self._connection.call(
            "change_project",
            project=project,
            requires_session=requires_session,
            max_session_s=max_session_s,
            export_buckets=export_buckets,
            audits=audits,
        )
        return answer

    def list_members(self, project: str) -> model.Members:
        """Who has rights in a project, and which."""
        answer: model.Members = self._connection.call("list_members", project=project)
        return answer

    def grant(self, project: str, user: str, right: model.Right) -> None:
        """Give a user a right in a project. Again is no error."""
        self._connection.call("grant", project=project, user=user, right=right)

    def revoke(self, project: str, user: str, right: model.Right) -> None:
        """Take a right away, from sessions in force as well."""
        self._connection.call("revoke", project=project, user=user, right=right)

    def list_users(self) -> model.Users:
        """Users, by name."""
        answer: model.Users = self._connection.call("list_users")
        return answer

    def create_user(
        self, name: str, *, display_name: str = "", project: str | None = None, rights: list[model.Right] = _NO_RIGHTS
    ) -> model.UserDetail:
        """Make a user."""
        answer: model.UserDetail = self._connection.call(
            "create_user", name=name, display_name=display_name, project=project, rights=rights
        )
        return answer

    def get_user(self, user: str) -> model.UserDetail:
        """A user and his rights."""
        answer: model.UserDetail = self._connection.call("get_user", user=user)
        return answer

    def disable_user(self, user: str) -> model.UserDetail:
        """Have a user's keys and sessions work no more; what he wrote stays."""
        answer: model.UserDetail = self._connection.call("disable_user", user=user)
        return answer

    def enable_user(self, user: str) -> model.UserDetail:
        """Have them work again."""
        answer: model.UserDetail = self._connection.call("enable_user", user=user)
        return answer

    def set_password(self, user: str, password: str) -> None:
        """Give a user another password."""
        self._connection.call("set_password", user=user, password=password)

    def enrol_totp(self, user: str) -> model.Totp:
        """Give a user a new secret for one-time codes; codes of the old one count no more."""
        answer: model.Totp = self._connection.call("enrol_totp", user=user)
        return answer

    def list_keys(self, *, user: str | None = None, project: str | None = None) -> model.AccessKeys:
        """Access keys, without their secrets, the oldest first."""
        answer: model.AccessKeys = self._connection.call("list_keys", user=user, project=project)
        return answer

    def create_key(self, project: str, user: str) -> model.NewAccessKey:
        """Give a user an access key for a project; its secret is told this once."""
        answer: model.NewAccessKey = self._connection.call("create_key", project=project, user=user)
        return answer

    def disable_key(self, access_key: str) -> None:
        """Have an access key work no more, for ever."""
        self._connection.call("disable_key", access_key=access_key)

    def list_sessions(self, *, user: str | None = None, project: str | None = None) -> model.Sessions:
        """Sessions in force, the oldest first."""
        answer: model.Sessions = self._connection.call("list_sessions", user=user, project=project)
        return answer

    def end_session(self, access_key: str) -> None:
        """End a session."""
        self._connection.call("end_session", access_key=access_key)
