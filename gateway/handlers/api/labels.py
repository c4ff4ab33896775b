"""The names under which S3 lists branches, for repos and branches that are made or renamed."""

from __future__ import annotations

from gateway.s3.bucket import BucketName, check_new_bucket, format_bucket
from gateway.s3.errors import InvalidBucketName
from pfs import Branch, InvalidName, is_name


def label_of(repo: str, branch: str | None) -> str:
    """The bucket that a new branch is; None is a new repo's default branch. Raises InvalidName for what is no legal
    name, and where S3 could not reach the branch under the bucket's."""
    if not is_name(repo):
        raise InvalidName("repo", repo)
    if branch is not None and not is_name(branch):
        raise InvalidName("branch", branch)
    try:
        label = format_bucket(BucketName(repo, branch))
        check_new_bucket(label)
    except InvalidBucketName as exc:
        raise InvalidName("bucket", repo if branch is None else f"{branch}.{repo}") from exc
    return label


def relabelled(branch: Branch) -> str:
    """The bucket of a branch whose repo has got another name, in the spelling that it had: the repo's name alone, or
    the branch's before it. Raises InvalidName."""
    return label_of(branch.repo, branch.name if "." in branch.label else None)
