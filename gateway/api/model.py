"""The documents of the REST API: an Input per endpoint, and what is answered.

An Input's fields come from the path where its template names them, the others from the query (GET, DELETE) or from
the JSON body. Members that an Input does not know are refused; a reader of answers passes over those it does not know.
Times are RFC 3339 in UTC, sizes bytes. Lists are pages: `next`, where it is not null, is the `after` of the next one.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

RepoName = Annotated[str, Meta(description="A repo's name: a-z, 0-9 and '-'.", examples=["photos"])]
BranchName = Annotated[str, Meta(description="A branch's name: a-z, 0-9 and '-'.", examples=["main"])]
Rev = Annotated[
    str,
    Meta(description="A revision: HEAD, a branch, a tag, a commit id or prefix, with ^, ~N or @time.", min_length=1),
]
CommitId = Annotated[str, Meta(description="64 hex digits.")]
Limit = Annotated[int, Meta(ge=1, le=1000, description="Most items of the page.")]
After = Annotated[str, Meta(description="`next` of the page before.")]
Metadata = Annotated[dict[str, str], Meta(description="Free names and values, part of the commit.", max_length=100)]
Message = Annotated[str, Meta(max_length=65_536)]
Side = Literal["ours", "theirs"]
Strategy = Side | dict[str, Side] | None
Kind = Literal["added", "changed", "removed"]


class Input(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of what an endpoint takes."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """Base of what an endpoint answers."""


# ---------------------------------------------------------------- repos


class Repo(Answer, frozen=True, kw_only=True):
    name: str
    default_branch: str
    created: datetime


class RepoDetail(Repo, frozen=True, kw_only=True):
    """`objects` and `size_bytes` are what the default branch's head holds."""

    branches: int
    tags: int
    commits: int
    objects: int
    size_bytes: int


class Repos(Answer, frozen=True, kw_only=True):
    repos: list[Repo]
    next: str | None = None


class ListRepos(Input, frozen=True, kw_only=True):
    after: After = ""
    limit: Limit = 1000


class CreateRepo(Input, frozen=True, kw_only=True):
    """`bucket` names it for S3; the default branch is listed so."""

    name: RepoName
    default_branch: BranchName = "main"


class OfRepo(Input, frozen=True, kw_only=True):
    repo: RepoName


class RenameRepo(Input, frozen=True, kw_only=True):
    repo: RepoName
    name: RepoName


# ---------------------------------------------------------------- commits


class Commit(Answer, frozen=True, kw_only=True):
    """`changes` counts the keys that it wrote or deleted. The root commit has no parents."""

    id: CommitId
    parents: list[CommitId]
    author: str
    time: datetime
    message: str
    metadata: dict[str, str]
    changes: int


class Version(Answer, frozen=True, kw_only=True):
    """What a key holds; `version_id` is the commit that wrote it."""

    size: int
    etag: str
    version_id: CommitId
    modified: datetime


class Change(Answer, frozen=True, kw_only=True):
    """`before` is null for a key that was added, `after` for one that was removed."""

    key: str
    kind: Kind
    before: Version | None = None
    after: Version | None = None


class Changes(Answer, frozen=True, kw_only=True):
    changes: list[Change]
    next: str | None = None


class Commits(Answer, frozen=True, kw_only=True):
    """Newest first."""

    commits: list[Commit]
    next: str | None = None


class CommitDetail(Answer, frozen=True, kw_only=True):
    """A commit, and a page of what it changed against its first parent."""

    commit: Commit
    changes: list[Change]
    next: str | None = None


class Log(Input, frozen=True, kw_only=True):
    """`branch` is the one whose HEAD is meant; by default the repo's default branch."""

    repo: RepoName
    branch: BranchName | None = None
    rev: Rev = "HEAD"
    key: str | None = None
    all_parents: bool = False
    after: After = ""
    limit: Limit = 100


class ShowCommit(Input, frozen=True, kw_only=True):
    repo: RepoName
    rev: Rev
    branch: BranchName | None = None
    prefix: str = ""
    after: After = ""
    limit: Limit = 1000


class Diff(Input, frozen=True, kw_only=True):
    """What the tree at `after_rev` holds otherwise than that at `before_rev`."""

    repo: RepoName
    before_rev: Rev
    after_rev: Rev = "HEAD"
    branch: BranchName | None = None
    prefix: str = ""
    after: After = ""
    limit: Limit = 1000


# ---------------------------------------------------------------- trees


class Entry(Answer, frozen=True, kw_only=True):
    key: str
    size: int
    etag: str
    version_id: CommitId
    modified: datetime


class ObjectDetail(Entry, frozen=True, kw_only=True):
    """`headers` are the HTTP headers that it is served with, `metadata` what S3 calls x-amz-meta-…."""

    headers: dict[str, str]
    metadata: dict[str, str]
    tags: dict[str, str]
    checksums: dict[str, str]
    parts: int


class Tree(Answer, frozen=True, kw_only=True):
    """Entries and prefixes, each in the order of their bytes. `commit_id` is the commit whose tree it is."""

    commit_id: CommitId
    entries: list[Entry]
    prefixes: list[str]
    next: str | None = None


class ListTree(Input, frozen=True, kw_only=True):
    repo: RepoName
    branch: BranchName | None = None
    rev: Rev = "HEAD"
    prefix: str = ""
    delimiter: str = ""
    after: After = ""
    limit: Limit = 1000


class StatObject(Input, frozen=True, kw_only=True):
    repo: RepoName
    key: str
    branch: BranchName | None = None
    rev: Rev = "HEAD"


# ---------------------------------------------------------------- branches


class Branch(Answer, frozen=True, kw_only=True):
    """`bucket` is the name that S3 lists it under."""

    repo: str
    name: str
    bucket: str
    head: Commit
    created: datetime
    protected: bool


class Branches(Answer, frozen=True, kw_only=True):
    branches: list[Branch]
    next: str | None = None


class DeletedBranch(Answer, frozen=True, kw_only=True):
    """It can be restored until `restorable_until`."""

    repo: str
    name: str
    deleted: datetime
    restorable_until: datetime


class DeletedBranches(Answer, frozen=True, kw_only=True):
    branches: list[DeletedBranch]


class ListBranches(Input, frozen=True, kw_only=True):
    repo: RepoName
    after: After = ""
    limit: Limit = 1000


class CreateBranch(Input, frozen=True, kw_only=True):
    """A branch whose head is `rev`, as seen from `branch`."""

    repo: RepoName
    name: BranchName
    rev: Rev = "HEAD"
    branch: BranchName | None = None


class OfBranch(Input, frozen=True, kw_only=True):
    repo: RepoName
    branch: BranchName


class DeleteBranch(Input, frozen=True, kw_only=True):
    repo: RepoName
    branch: BranchName
    expected_head: CommitId | None = None


class ResetBranch(Input, frozen=True, kw_only=True):
    repo: RepoName
    branch: BranchName
    rev: Rev
    expected_head: CommitId | None = None


class Protection(Answer, frozen=True, kw_only=True):
    """Branches whose names match the glob pattern take merges only."""

    pattern: str
    author: str
    created: datetime


class Protections(Answer, frozen=True, kw_only=True):
    protections: list[Protection]


Pattern = Annotated[str, Meta(description="A glob pattern of branch names.", examples=["main", "release-*"])]


class OfProtection(Input, frozen=True, kw_only=True):
    repo: RepoName
    pattern: Pattern


# ---------------------------------------------------------------- merges


class Conflict(Answer, frozen=True, kw_only=True):
    key: str
    base: Version | None = None
    ours: Version | None = None
    theirs: Version | None = None


class Merged(Answer, frozen=True, kw_only=True):
    """What was done, or with `dry_run` would be: nothing, a fast-forward, or a commit. `head` is the branch's
    afterwards; `conflicts` are told by a dry run only, for otherwise they are an error."""

    kind: Literal["nothing", "fast-forward", "commit"]
    head: Commit
    base: CommitId
    changes: list[Change]
    conflicts: list[Conflict] = []
    dry_run: bool = False


class Merge(Input, frozen=True, kw_only=True):
    """`strategy` decides conflicts: one side for all of them, or a side for each of some keys."""

    repo: RepoName
    branch: BranchName
    rev: Rev
    message: Message | None = None
    metadata: Metadata = {}
    strategy: Strategy = None
    fast_forward: bool = True
    squash: bool = False
    dry_run: bool = False
    expected_head: CommitId | None = None


class ApplyCommit(Input, frozen=True, kw_only=True):
    """For revert and cherry-pick."""

    repo: RepoName
    branch: BranchName
    rev: Rev
    message: Message | None = None
    metadata: Metadata = {}
    strategy: Strategy = None
    expected_head: CommitId | None = None


# ---------------------------------------------------------------- tags


class Tag(Answer, frozen=True, kw_only=True):
    name: str
    commit_id: CommitId
    author: str
    time: datetime
    message: str


class Tags(Answer, frozen=True, kw_only=True):
    tags: list[Tag]
    next: str | None = None


class ListTags(Input, frozen=True, kw_only=True):
    repo: RepoName
    after: After = ""
    limit: Limit = 1000


class CreateTag(Input, frozen=True, kw_only=True):
    repo: RepoName
    name: Annotated[str, Meta(description="A tag's name: a-z, 0-9 and '-'.")]
    rev: Rev = "HEAD"
    branch: BranchName | None = None
    message: Message = ""
    expected_head: CommitId | None = None


class OfTag(Input, frozen=True, kw_only=True):
    repo: RepoName
    tag: str


# ---------------------------------------------------------------- transactions


class Transaction(Answer, frozen=True, kw_only=True):
    """Write to `bucket` with any S3 client; it began as `branch` was at `base`. `commit_id` is what it became: null
    where it was committed and had changed nothing."""

    id: str
    repo: str
    branch: str
    bucket: str
    base: CommitId
    author: str
    message: str
    metadata: dict[str, str]
    begun: datetime
    expires: datetime
    state: Literal["open", "committed", "abandoned", "expired"]
    ended: datetime | None = None
    commit_id: CommitId | None = None


class Transactions(Answer, frozen=True, kw_only=True):
    """Open ones, the oldest first."""

    transactions: list[Transaction]
    next: str | None = None


class ListTransactions(Input, frozen=True, kw_only=True):
    repo: RepoName
    after: After = ""
    limit: Limit = 1000


class BeginTransaction(Input, frozen=True, kw_only=True):
    repo: RepoName
    branch: BranchName
    message: Message = ""
    metadata: Metadata = {}
    expires_in_s: Annotated[int, Meta(ge=1, le=30 * 86_400)] = 86_400


class OfTransaction(Input, frozen=True, kw_only=True):
    repo: RepoName
    id: str


class CommitTransaction(Input, frozen=True, kw_only=True):
    """What is given here takes the place of what it was begun with."""

    repo: RepoName
    id: str
    message: Message | None = None
    metadata: Metadata | None = None


# ---------------------------------------------------------------- feed and webhooks


class Feed(Input, frozen=True, kw_only=True):
    """Commits of a branch behind the revision `since`, the oldest first, along first parents.

    Without `since`: from the root commit on. `wait_s` waits so long for a commit where there is none yet.
    """

    repo: RepoName
    branch: BranchName
    since: Rev | None = None
    limit: Limit = 100
    wait_s: Annotated[int, Meta(ge=0, le=60)] = 0


class FeedPage(Answer, frozen=True, kw_only=True):
    """`next` is the `since` of the next page, also where there is nothing yet. `bucket` shows `next` as a whole tree;
    it is empty where the names of branch and repo are too long for one."""

    commits: list[Commit]
    next: CommitId
    bucket: str


class FollowFeed(Input, frozen=True, kw_only=True):
    """The same as server-sent events `commit`, as they are made: `id:` is the commit's, `data:` the Commit. A header
    Last-Event-ID takes the place of `since`; without either only new commits are sent.

    An event `end`, with a code and a message, tells that there is nothing more to wait for: the branch was deleted,
    say. A stream that ends without one may be taken up again.
    """

    repo: RepoName
    branch: BranchName
    since: Rev | None = None
    last_event_id: Rev | None = None


class Webhook(Answer, frozen=True, kw_only=True):
    """`branches` is a glob pattern of names. The secret is told when it is made, and never again. `pending` counts
    commits that are still to be delivered; `last_error` tells of branches whose last attempt failed."""

    id: str
    branches: str
    url: str
    author: str
    created: datetime
    secret: str | None = None
    pending: int = 0
    last_error: str | None = None


class Webhooks(Answer, frozen=True, kw_only=True):
    webhooks: list[Webhook]


class CreateWebhook(Input, frozen=True, kw_only=True):
    """`secret` None: one is made."""

    repo: RepoName
    url: Annotated[str, Meta(max_length=2048)]
    branches: Pattern = "*"
    secret: Annotated[str, Meta(min_length=16, max_length=256)] | None = None


class OfWebhook(Input, frozen=True, kw_only=True):
    repo: RepoName
    id: str


# ---------------------------------------------------------------- upkeep


class CollectGarbage(Input, frozen=True, kw_only=True):
    """For root. `dry_run` says what would go, and changes nothing."""

    dry_run: bool = False


class Collected(Answer, frozen=True, kw_only=True):
    """What went, or with `dry_run` would go. `blobs_condemned` wait for their grace period to end."""

    uploads: int
    transactions: int
    branches: int
    repos: int
    commits: int
    blobs: int
    bytes: int
    blobs_condemned: int
    bytes_condemned: int
    dry_run: bool


# ---------------------------------------------------------------- people

ProjectName = Annotated[
    str,
    Meta(description="A project's name: a-z, 0-9 and '-'.", pattern="^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"),
]
UserName = Annotated[
    str,
    Meta(
        description="A user's name: letters, digits, '.', '_', '@' and '-'.",
        pattern="^[A-Za-z0-9]([A-Za-z0-9._@-]{0,62}[A-Za-z0-9])?$",
    ),
]
AccessKeyName = Annotated[str, Meta(description="An access key.", pattern="^[A-Za-z0-9._-]{3,128}$")]
Right = Literal["member", "import", "export", "admin"]
Audits = Literal["everything", "refusals"]
ExportBucket = Annotated[
    str,
    Meta(description="A bucket as it is listed, or branch.repo.", pattern="^[a-z0-9][a-z0-9.-]{0,190}$"),
]
ExportBuckets = Annotated[list[ExportBucket], Meta(max_length=1000)] | Literal["all"]
SessionSeconds = Annotated[int, Meta(ge=900, le=7 * 86_400)]


class Project(Answer, frozen=True, kw_only=True):
    """`number` has 12 digits: ARNs name the project by it. `requires_session`: an access key alone is not enough.
    `max_session_s`: the longest session. `export_buckets`: what may be exported from. `audits`: what the audit log
    keeps of it, everything, or refusals and administration."""

    name: str
    number: str
    created: datetime
    requires_session: bool
    max_session_s: int
    export_buckets: list[str] | Literal["all"]
    audits: Audits


class Projects(Answer, frozen=True, kw_only=True):
    """By name."""

    projects: list[Project]


class ListProjects(Input, frozen=True, kw_only=True):
    """All of them for root, his own for an administrator."""


class CreateProject(Input, frozen=True, kw_only=True):
    """For root."""

    name: ProjectName
    requires_session: bool = False
    max_session_s: SessionSeconds = 43_200
    export_buckets: ExportBuckets = "all"
    audits: Audits = "refusals"


class OfProject(Input, frozen=True, kw_only=True):
    project: ProjectName


class ChangeProject(Input, frozen=True, kw_only=True):
    """For root. What is null stays as it is."""

    project: ProjectName
    requires_session: bool | None = None
    max_session_s: SessionSeconds | None = None
    export_buckets: ExportBuckets | None = None
    audits: Audits | None = None


class User(Answer, frozen=True, kw_only=True):
    """`id` is what S3 shows as an owner's. `disabled`: since when keys and sessions do not work."""

    name: str
    id: str
    display_name: str
    has_password: bool
    has_totp: bool
    created: datetime
    disabled: datetime | None = None


class Membership(Answer, frozen=True, kw_only=True):
    project: str
    rights: list[Right]


class UserDetail(User, frozen=True, kw_only=True):
    """With the rights that the caller may see: all for root, those in his project for an administrator."""

    memberships: list[Membership]


class Users(Answer, frozen=True, kw_only=True):
    """By name."""

    users: list[User]


class ListUsers(Input, frozen=True, kw_only=True):
    """All of them for root, those with a right in his project for an administrator."""


class CreateUser(Input, frozen=True, kw_only=True):
    """`rights` in `project` from the beginning. An administrator gives one at least, in his project."""

    name: UserName
    display_name: Annotated[str, Meta(max_length=128)] = ""
    project: ProjectName | None = None
    rights: Annotated[list[Right], Meta(max_length=4)] = []


class OfUser(Input, frozen=True, kw_only=True):
    user: UserName


class SetPassword(Input, frozen=True, kw_only=True):
    user: UserName
    password: Annotated[str, Meta(min_length=8, max_length=1024)]


class Totp(Answer, frozen=True, kw_only=True):
    """What an authenticator app makes codes from, told this once: the secret in base32, and as the URI of a QR code."""

    user: str
    secret: str
    uri: str


class Member(Answer, frozen=True, kw_only=True):
    user: str
    rights: list[Right]


class Members(Answer, frozen=True, kw_only=True):
    """By name."""

    members: list[Member]


class OfMember(Input, frozen=True, kw_only=True):
    project: ProjectName
    user: UserName
    right: Right


class AccessKey(Answer, frozen=True, kw_only=True):
    """`disabled`: since when it does not work."""

    access_key: str
    user: str
    project: str
    created: datetime
    disabled: datetime | None = None


class NewAccessKey(AccessKey, frozen=True, kw_only=True):
    """The secret is told this once."""

    secret: str


class AccessKeys(Answer, frozen=True, kw_only=True):
    """The oldest first."""

    keys: list[AccessKey]


class Held(Input, frozen=True, kw_only=True):
    """Of this user, in this project; null is any."""

    user: UserName | None = None
    project: ProjectName | None = None


class CreateKey(Input, frozen=True, kw_only=True):
    project: ProjectName
    user: UserName


class OfKey(Input, frozen=True, kw_only=True):
    access_key: AccessKeyName


class Session(Answer, frozen=True, kw_only=True):
    """`assumed`: the role and the session's name, where a role was assumed."""

    access_key: str
    user: str
    project: str
    rights: list[Right]
    created: datetime
    expires: datetime
    assumed: str | None = None


class Sessions(Answer, frozen=True, kw_only=True):
    """Those in force, the oldest first."""

    sessions: list[Session]
