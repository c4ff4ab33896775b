"""Every endpoint of the REST API, one row each: the server's routes, the client's calls and the OpenAPI document
are made from this table.

`{name}` in a path is a field of the Input, percent-encoded. The other fields come from the query where the method is
GET or DELETE, else from the JSON body.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from gateway.api import model

PREFIX = "/-/api/v1"

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
_FIELD = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Endpoint:
    """`answer` None: 204 without a body. `streams`: server-sent events whose data is the answer.
    `errors`: codes beyond those that any endpoint may refuse with. `headers`: fields of the Input that come from the
    request's headers of these names, and from nowhere else."""

    name: str
    method: Method
    path: str
    summary: str
    input: type[model.Input]
    answer: type[model.Answer] | None = None
    status: int = 200
    errors: tuple[str, ...] = ()
    streams: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def path_fields(self) -> tuple[str, ...]:
        return tuple(_FIELD.findall(self.path))

    @property
    def has_body(self) -> bool:
        return self.method in ("POST", "PUT", "PATCH")

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """Matches the raw path behind `PREFIX`; its groups are still percent-encoded."""
        return re.compile(_FIELD.sub(r"(?P<\1>[^/]+)", self.path))


_REPO = "/repos/{repo}"
_BRANCH = "/repos/{repo}/branches/{branch}"
_REV = ("NoSuchRepo", "NoSuchBranch", "InvalidRevision", "NoSuchRevision", "AmbiguousRevision", "UnrelatedRepo")
_MOVE = (*_REV, "HeadMoved")
_MERGE = (*_MOVE, "MergeConflict")
_PROJECT, _USER = "/projects/{project}", "/users/{user}"
_TX = ("NoSuchRepo", "NoSuchTransaction")

_TABLE = (
    Endpoint("list_repos", "GET", "/repos", "Repos, by name.", model.ListRepos, model.Repos),
    Endpoint(
        "create_repo",
        "POST",
        "/repos",
        "Make a repo with its default branch.",
        model.CreateRepo,
        model.RepoDetail,
        201,
        ("InvalidName", "RepoExists"),
    ),
    Endpoint(
        "get_repo", "GET", _REPO, "A repo and what it holds.", model.OfRepo, model.RepoDetail, errors=("NoSuchRepo",)
    ),
    Endpoint(
        "rename_repo",
        "PATCH",
        _REPO,
        "Give a repo another name; its buckets' names change too.",
        model.RenameRepo,
        model.RepoDetail,
        errors=("InvalidName", "NoSuchRepo", "RepoExists"),
    ),
    Endpoint(
        "delete_repo",
        "DELETE",
        _REPO,
        "Delete a repo with all its branches; they can be restored for a while.",
        model.OfRepo,
        None,
        204,
        ("NoSuchRepo", "ProtectedBranch"),
    ),
    # ------------------------------------------------------------ branches
    Endpoint(
        "list_branches",
        "GET",
        _REPO + "/branches",
        "A repo's branches with their heads, by name.",
        model.ListBranches,
        model.Branches,
        errors=("NoSuchRepo",),
    ),
    Endpoint(
        "create_branch",
        "POST",
        _REPO + "/branches",
        "Make a branch whose head is any revision, in O(1).",
        model.CreateBranch,
        model.Branch,
        201,
        (*_REV, "InvalidName", "BranchExists", "TagExists"),
    ),
    Endpoint(
        "get_branch",
        "GET",
        _BRANCH,
        "A branch and its head.",
        model.OfBranch,
        model.Branch,
        errors=("NoSuchRepo", "NoSuchBranch"),
    ),
    Endpoint(
        "delete_branch",
        "DELETE",
        _BRANCH,
        "Delete a branch; it can be restored for a while. With the last one goes its repo.",
        model.DeleteBranch,
        None,
        204,
        ("NoSuchRepo", "NoSuchBranch", "ProtectedBranch", "HeadMoved"),
    ),
    Endpoint(
        "reset_branch",
        "POST",
        _BRANCH + "/reset",
        "Move a branch's head to a revision; the old head stays reachable by its id.",
        model.ResetBranch,
        model.Branch,
        errors=(*_MOVE, "ProtectedBranch"),
    ),
    Endpoint(
        "restore_branch",
        "POST",
        _BRANCH + "/restore",
        "Bring back a deleted branch, and its repo with it.",
        model.OfBranch,
        model.Branch,
        errors=("NoSuchRepo", "NoSuchBranch", "BranchExists", "TagExists"),
    ),
    Endpoint(
        "list_deleted_branches",
        "GET",
        _REPO + "/deleted-branches",
        "Branches that can be restored, the latest deleted first.",
        model.OfRepo,
        model.DeletedBranches,
        errors=("NoSuchRepo",),
    ),
    Endpoint(
        "list_protections",
        "GET",
        _REPO + "/protections",
        "Patterns of the branches that take merges only.",
        model.OfRepo,
        model.Protections,
        errors=("NoSuchRepo",),
    ),
    Endpoint(
        "protect",
        "PUT",
        _REPO + "/protections/{pattern}",
        "Have branches of these names take merges only.",
        model.OfProtection,
        model.Protection,
        errors=("InvalidName", "NoSuchRepo"),
    ),
    Endpoint(
        "unprotect",
        "DELETE",
        _REPO + "/protections/{pattern}",
        "Lift a protection.",
        model.OfProtection,
        None,
        204,
        ("InvalidName", "NoSuchRepo", "NoSuchProtection"),
    ),
    # ------------------------------------------------------------ history
    Endpoint(
        "log",
        "GET",
        _REPO + "/commits",
        "The commits that led to a revision, newest first.",
        model.Log,
        model.Commits,
        errors=(*_REV, "InvalidName"),
    ),
    Endpoint(
        "show",
        "GET",
        _REPO + "/commits/{rev}",
        "A commit and what it changed.",
        model.ShowCommit,
        model.CommitDetail,
        errors=_REV,
    ),
    Endpoint(
        "diff",
        "GET",
        _REPO + "/diff",
        "What one revision holds otherwise than another.",
        model.Diff,
        model.Changes,
        errors=_REV,
    ),
    Endpoint("ls", "GET", _REPO + "/tree", "A tree at a revision.", model.ListTree, model.Tree, errors=_REV),
    Endpoint(
        "stat",
        "GET",
        _REPO + "/object",
        "All about a key at a revision. Its content is S3's to serve.",
        model.StatObject,
        model.ObjectDetail,
        errors=(*_REV, "InvalidName", "NoSuchKey"),
    ),
    # ------------------------------------------------------------ merges
    Endpoint(
        "merge",
        "POST",
        _BRANCH + "/merge",
        "Take into a branch what a revision has changed since their merge base.",
        model.Merge,
        model.Merged,
        errors=_MERGE,
    ),
    Endpoint(
        "revert",
        "POST",
        _BRANCH + "/revert",
        "Undo what a commit changed, by a new commit.",
        model.ApplyCommit,
        model.Merged,
        errors=(*_MERGE, "ProtectedBranch"),
    ),
    Endpoint(
        "cherry_pick",
        "POST",
        _BRANCH + "/cherry-pick",
        "Make what a commit changed once more, by a new commit.",
        model.ApplyCommit,
        model.Merged,
        errors=(*_MERGE, "ProtectedBranch"),
    ),
    # ------------------------------------------------------------ tags
    Endpoint("list_tags", "GET", _REPO + "/tags", "Tags, by name.", model.ListTags, model.Tags, errors=("NoSuchRepo",)),
    Endpoint(
        "create_tag",
        "POST",
        _REPO + "/tags",
        "Name a commit, for ever.",
        model.CreateTag,
        model.Tag,
        201,
        (*_MOVE, "InvalidName", "TagExists", "BranchExists"),
    ),
    Endpoint(
        "get_tag",
        "GET",
        _REPO + "/tags/{tag}",
        "A tag.",
        model.OfTag,
        model.Tag,
        errors=("NoSuchRepo", "NoSuchTag"),
    ),
    Endpoint(
        "delete_tag",
        "DELETE",
        _REPO + "/tags/{tag}",
        "Forget a tag; its commit stays.",
        model.OfTag,
        None,
        204,
        ("NoSuchRepo", "NoSuchTag"),
    ),
    # ------------------------------------------------------------ transactions
    Endpoint(
        "begin_transaction",
        "POST",
        _BRANCH + "/transactions",
        "Get a bucket to write to; committing makes one commit of all that was written.",
        model.BeginTransaction,
        model.Transaction,
        201,
        ("NoSuchRepo", "NoSuchBranch", "InvalidName", "ProtectedBranch"),
    ),
    Endpoint(
        "list_transactions",
        "GET",
        _REPO + "/transactions",
        "Open transactions.",
        model.ListTransactions,
        model.Transactions,
        errors=("NoSuchRepo",),
    ),
    Endpoint(
        "get_transaction",
        "GET",
        _REPO + "/transactions/{id}",
        "A transaction, open or ended.",
        model.OfTransaction,
        model.Transaction,
        errors=_TX,
    ),
    Endpoint(
        "commit_transaction",
        "POST",
        _REPO + "/transactions/{id}/commit",
        "Make one commit of it. Where a key that it touched has moved meanwhile: 409, and it stays open.",
        model.CommitTransaction,
        model.Transaction,
        errors=(*_TX, "NoSuchBranch", "TransactionConflict", "TransactionEnded", "ProtectedBranch"),
    ),
    Endpoint(
        "abandon_transaction",
        "DELETE",
        _REPO + "/transactions/{id}",
        "Forget it and all that was written to it.",
        model.OfTransaction,
        None,
        204,
        (*_TX, "TransactionEnded"),
    ),
    # ------------------------------------------------------------ feed and webhooks
    Endpoint(
        "feed",
        "GET",
        _BRANCH + "/feed",
        "A branch's commits since a revision, oldest first.",
        model.Feed,
        model.FeedPage,
        errors=_REV,
    ),
    Endpoint(
        "follow_feed",
        "GET",
        _BRANCH + "/events",
        "A branch's commits as they are made.",
        model.FollowFeed,
        model.Commit,
        errors=_REV,
        streams=True,
        headers={"last_event_id": "Last-Event-ID"},
    ),
    Endpoint(
        "list_webhooks",
        "GET",
        _REPO + "/webhooks",
        "Who is told of commits, and how far that has come.",
        model.OfRepo,
        model.Webhooks,
        errors=("NoSuchRepo",),
    ),
    Endpoint(
        "create_webhook",
        "POST",
        _REPO + "/webhooks",
        "Have each new commit of some branches POSTed to a URL, signed.",
        model.CreateWebhook,
        model.Webhook,
        201,
        ("NoSuchRepo",),
    ),
    Endpoint(
        "get_webhook",
        "GET",
        _REPO + "/webhooks/{id}",
        "A webhook.",
        model.OfWebhook,
        model.Webhook,
        errors=("NoSuchRepo", "NoSuchWebhook"),
    ),
    Endpoint(
        "delete_webhook",
        "DELETE",
        _REPO + "/webhooks/{id}",
        "Stop telling.",
        model.OfWebhook,
        None,
        204,
        ("NoSuchRepo", "NoSuchWebhook"),
    ),
    # ------------------------------------------------------------ upkeep
    Endpoint(
        "collect_garbage",
        "POST",
        "/gc",
        "Remove what nothing refers to any more.",
        model.CollectGarbage,
        model.Collected,
    ),
    # ------------------------------------------------------------ people
    Endpoint(
        "list_projects",
        "GET",
        "/projects",
        "Projects, by name.",
        model.ListProjects,
        model.Projects,
    ),
    Endpoint(
        "create_project",
        "POST",
        "/projects",
        "Make a project: a namespace of buckets, people with rights in it, a policy.",
        model.CreateProject,
        model.Project,
        201,
        ("ProjectExists",),
    ),
    Endpoint(
        "get_project",
        "GET",
        _PROJECT,
        "A project and its policy.",
        model.OfProject,
        model.Project,
        errors=("NoSuchProject",),
    ),
    Endpoint(
        "change_project",
        "PATCH",
        _PROJECT,
        "Change a project's policy.",
        model.ChangeProject,
        model.Project,
        errors=("NoSuchProject",),
    ),
    Endpoint(
        "list_members",
        "GET",
        _PROJECT + "/members",
        "Who has rights in a project, and which.",
        model.OfProject,
        model.Members,
        errors=("NoSuchProject",),
    ),
    Endpoint(
        "grant",
        "PUT",
        _PROJECT + "/members/{user}/{right}",
        "Give a user a right in a project. Again is no error.",
        model.OfMember,
        None,
        204,
        ("NoSuchProject", "NoSuchUser"),
    ),
    Endpoint(
        "revoke",
        "DELETE",
        _PROJECT + "/members/{user}/{right}",
        "Take a right away, from sessions in force as well.",
        model.OfMember,
        None,
        204,
        ("NoSuchProject", "NoSuchUser", "NoSuchMember"),
    ),
    Endpoint(
        "list_users",
        "GET",
        "/users",
        "Users, by name.",
        model.ListUsers,
        model.Users,
    ),
    Endpoint(
        "create_user",
        "POST",
        "/users",
        "Make a user.",
        model.CreateUser,
        model.UserDetail,
        201,
        ("NoSuchProject", "UserExists"),
    ),
    Endpoint(
        "get_user",
        "GET",
        _USER,
        "A user and his rights.",
        model.OfUser,
        model.UserDetail,
        errors=("NoSuchUser",),
    ),
    Endpoint(
        "disable_user",
        "POST",
        _USER + "/disable",
        "Have a user's keys and sessions work no more; what he wrote stays.",
        model.OfUser,
        model.UserDetail,
        errors=("NoSuchUser",),
    ),
    Endpoint(
        "enable_user",
        "POST",
        _USER + "/enable",
        "Have them work again.",
        model.OfUser,
        model.UserDetail,
        errors=("NoSuchUser",),
    ),
    Endpoint(
        "set_password",
        "PUT",
        _USER + "/password",
        "Give a user another password.",
        model.SetPassword,
        None,
        204,
        ("NoSuchUser",),
    ),
    Endpoint(
        "enrol_totp",
        "POST",
        _USER + "/totp",
        "Give a user a new secret for one-time codes; codes of the old one count no more.",
        model.OfUser,
        model.Totp,
        201,
        ("NoSuchUser",),
    ),
    Endpoint(
        "list_keys",
        "GET",
        "/keys",
        "Access keys, without their secrets, the oldest first.",
        model.Held,
        model.AccessKeys,
        errors=("NoSuchProject", "NoSuchUser"),
    ),
    Endpoint(
        "create_key",
        "POST",
        _PROJECT + "/keys",
        "Give a user an access key for a project; its secret is told this once.",
        model.CreateKey,
        model.NewAccessKey,
        201,
        ("NoSuchProject", "NoSuchUser"),
    ),
    Endpoint(
        "disable_key",
        "POST",
        "/keys/{access_key}/disable",
        "Have an access key work no more, for ever.",
        model.OfKey,
        None,
        204,
        ("NoSuchAccessKey",),
    ),
    Endpoint(
        "list_sessions",
        "GET",
        "/sessions",
        "Sessions in force, the oldest first.",
        model.Held,
        model.Sessions,
        errors=("NoSuchProject", "NoSuchUser"),
    ),
    Endpoint(
        "end_session",
        "DELETE",
        "/sessions/{access_key}",
        "End a session.",
        model.OfKey,
        None,
        204,
        ("NoSuchSession",),
    ),
)

ENDPOINTS: Mapping[str, Endpoint] = {endpoint.name: endpoint for endpoint in _TABLE}
