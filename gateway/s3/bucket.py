"""The bucket-name grammar: `repo`, `branch.repo`, `revision.branch.repo`.

The only place that knows it; all else in the protocol layer passes bucket names on as text.

    bucket   = [ [ revision "." ] branch "." ] repo      3 to 63 characters in all
    repo     = branch = revision = LABEL
    LABEL    = [a-z0-9] ( [a-z0-9-]* [a-z0-9] )?

Labels hold no dots, so the split is never ambiguous, and `format_bucket` undoes
`parse_bucket` for every legal name. One label names the repo's default branch; three name a
snapshot, a pinned and read-only tree. Its revision is `head-N` (the N-th first-parent
ancestor: `~` and `^` are not legal in bucket names) or else a commit id, a unique prefix of
one, or a tag, which only the store can tell apart.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from gateway.s3.errors import InvalidBucketName

MIN_LENGTH = 3
MAX_LENGTH = 63
_SNAPSHOT_DIGITS, _LEAST_SNAPSHOT_DIGITS = 16, 8  # of a commit id; fewer are no revision in a bucket's name

_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?")
_ANCESTOR = re.compile(r"head-(0|[1-9][0-9]*)")

# What S3 keeps for its own use ("General purpose bucket naming rules"). Its further rule, no
# IP address, follows from the grammar: an address has four labels.
_RESERVED_PREFIXES = ("xn--", "sthree-", "amzn-s3-demo-")
_RESERVED_SUFFIXES = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")


@dataclass(frozen=True, slots=True)
class BucketName:
    """A parsed bucket name. `branch` None: the default branch. `revision` not None: a snapshot."""

    repo: str
    branch: str | None = None
    revision: str | None = None

    def __str__(self) -> str:
        return format_bucket(self)

    @property
    def is_snapshot(self) -> bool:
        """Whether the name pins a revision, and so can only be read."""
        return self.revision is not None

    @property
    def rev(self) -> str | None:
        """The revision in the store's own grammar (`head-3` is `HEAD~3`); None for the branch's head."""
        if self.revision is None:
            return None
        ancestor = _ANCESTOR.fullmatch(self.revision)
        return f"HEAD~{ancestor[1]}" if ancestor else self.revision


@lru_cache(maxsize=4096)
def parse_bucket(name: str) -> BucketName:
    """Raises InvalidBucketName for what no bucket can be called."""
    labels = name.split(".")
    if (
        not MIN_LENGTH <= len(name) <= MAX_LENGTH
        or len(labels) > 3
        or not all(_LABEL.fullmatch(label) for label in labels)
    ):
        raise _invalid(name)
    match labels:
        case [repo]:
            return BucketName(repo)
        case [branch, repo]:
            return BucketName(repo, branch)
        case _:
            revision, branch, repo = labels
            return BucketName(repo, branch, revision)


def format_bucket(name: BucketName) -> str:
    """The text that `parse_bucket` reads as `name`; raises InvalidBucketName where there is none."""
    labels = (name.revision, name.branch, name.repo)
    text = ".".join(label for label in labels if label is not None)
    if parse_bucket(text) != name:
        raise _invalid(text)
    return text


def snapshot_bucket(repo: str, branch: str, commit_id: str) -> str:
    """The bucket that shows a commit for ever, with as many of its digits as fit; "" where that is too few."""
    digits = min(_SNAPSHOT_DIGITS, MAX_LENGTH - len(f".{branch}.{repo}"))
    if digits < _LEAST_SNAPSHOT_DIGITS:
        return ""
    return format_bucket(BucketName(repo, branch, commit_id[:digits]))


def check_new_bucket(name: str) -> BucketName:
    """`parse_bucket` for a bucket that is to be created: S3's reservations hold, snapshots are refused."""
    parsed = parse_bucket(name)
    if parsed.is_snapshot:
        raise _invalid(
            name,
            "A bucket name with three labels (revision.branch.repo) names a snapshot of an existing "
            "bucket. Snapshots are read-only views and cannot be created.",
        )
    if name.startswith(_RESERVED_PREFIXES) or name.endswith(_RESERVED_SUFFIXES):
        raise _invalid(name, "The specified bucket name has a prefix or suffix that S3 reserves.")
    return parsed


def _invalid(name: str, message: str | None = None) -> InvalidBucketName:
    return InvalidBucketName(message, fields={"BucketName": name})
