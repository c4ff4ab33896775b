"""Transactions: begin, list, show, commit, abandon.

A transaction's bucket belongs to the owner of the branch that it is meant for, whoever began it: what is written there
gets the same owner as if it had been written to that branch, and it is that owner's, or an administrator's, to end.
"""

from __future__ import annotations

from gateway.access.policy import is_master
from gateway.api import model
from gateway.handlers.api import documents
from gateway.handlers.api.locate import branch_of, repo_of
from gateway.handlers.attributes import OWNER
from gateway.handlers.context import Call
from gateway.handlers.ownership import bucket_owner
from gateway.s3.bucket import BucketName, format_bucket
from gateway.s3.errors import InvalidBucketName
from pfs import InvalidName, NoSuchBranch, NoSuchTransaction, TransactionInfo, canonical_json


async def begin_transaction(call: Call, request: model.BeginTransaction) -> model.Transaction:
    branch = await branch_of(call, request.repo, request.branch)
    owner = branch.settings.get(OWNER)
    begun = await call.durable(
        call.store.begin_transaction(
            branch,
            author=call.caller.display_name,
            message=request.message,
            metadata=canonical_json(request.metadata),
            expires_in_s=request.expires_in_s,
            settings={} if owner is None else {OWNER: owner},
            label=lambda name: _bucket(branch.repo, name),
        )
    )
    return documents.transaction(begun)


def _bucket(repo: str, name: str) -> str:
    """Raises InvalidName where the repo's name leaves no room for a transaction's bucket."""
    try:
        return format_bucket(BucketName(repo, name))
    except InvalidBucketName as exc:
        raise InvalidName("bucket", f"{name}.{repo}") from exc


async def list_transactions(call: Call, request: model.ListTransactions) -> model.Transactions:
    repo = await repo_of(call, request.repo)
    found = await call.read(call.store.transactions, repo, after=request.after, limit=request.limit + 1)
    page = [documents.transaction(one) for one in found[: request.limit]]
    return model.Transactions(transactions=page, next=page[-1].id if len(found) > request.limit else None)


async def get_transaction(call: Call, request: model.OfTransaction) -> model.Transaction:
    return documents.transaction(await _found(call, request.repo, request.id))


async def commit_transaction(call: Call, request: model.CommitTransaction) -> model.Transaction:
    transaction = await _governed(call, request.repo, request.id)
    metadata = None if request.metadata is None else canonical_json(request.metadata)
    ended = await call.durable(
        call.store.commit_transaction(
            transaction, author=call.caller.display_name, message=request.message, metadata=metadata
        )
    )
    return documents.transaction(ended)


async def abandon_transaction(call: Call, request: model.OfTransaction) -> None:
    transaction = await _governed(call, request.repo, request.id)
    await call.durable(call.store.abandon_transaction(transaction))


async def _found(call: Call, repo: str, transaction_id: str) -> TransactionInfo:
    await repo_of(call, repo)
    return await call.read(call.store.transaction, call.caller.project, repo, transaction_id)


async def _governed(call: Call, repo: str, transaction_id: str) -> TransactionInfo:
    """One that is the caller's to end, by its bucket's owner. Of one that has ended the store tells how."""
    found = await _found(call, repo, transaction_id)
    try:
        branch = await call.read(call.store.branch, call.caller.project, repo, found.id)
    except NoSuchBranch:
        return found
    if not is_master(call.caller, bucket_owner(branch).id):
        raise NoSuchTransaction(repo, transaction_id)
    return found
