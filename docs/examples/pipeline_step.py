"""A pipeline step: counts the words of each text in the repo `raw`, and keeps the counts in the repo `derived`.

It waits for commits, looks at what each changed, and answers each with one commit of its own, which names its input in
its metadata. Killed at any time and started again, it goes on where it was, and does nothing twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3

from gateway.api.model import Commit
from gateway.client import Client

RAW, DERIVED, BRANCH = "raw", "derived", "main"


def last_input(caret: Client) -> str | None:
    """The commit of `raw` that the newest output was made of; None before the first."""
    return next(
        (commit.metadata["input"] for commit in caret.commits(DERIVED, branch=BRANCH) if "input" in commit.metadata),
        None,
    )


def inputs(caret: Client) -> Iterator[tuple[Commit, str]]:
    """Each commit of `raw` that is not answered yet, the oldest first, with the bucket that shows its tree."""
    since = last_input(caret)
    while True:
        page = caret.feed(RAW, BRANCH, since=since, limit=1, wait_s=30)
        since = page.next
        for commit in page.commits:
            yield commit, page.bucket


def answer(caret: Client, s3: Any, commit: Commit, snapshot: str) -> None:
    """All of the step's output for one commit becomes visible at once, or none of it."""
    changes = list(caret.changes(RAW, f"{commit.id}^", after_rev=commit.id)) if commit.parents else []
    if not changes:
        return
    begun = caret.begin_transaction(
        DERIVED, BRANCH, message=f"Words of {commit.id[:12]}", metadata={"input": commit.id}
    )
    for change in changes:
        if change.kind == "removed":
            s3.delete_object(Bucket=begun.bucket, Key=change.key)
        else:
            text = s3.get_object(Bucket=snapshot, Key=change.key)["Body"].read()
            s3.put_object(Bucket=begun.bucket, Key=change.key, Body=str(len(text.split())).encode())
    caret.commit_transaction(DERIVED, begun.id)


def main() -> None:
    s3 = boto3.client("s3")
    with Client.from_environment() as caret:
        for commit, snapshot in inputs(caret):
            answer(caret, s3, commit, snapshot)
            print(f"answered {commit.id}", flush=True)


if __name__ == "__main__":
    main()
