"""The composition root: builds every object of a worker once, from its settings."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import uvloop

from gateway import metrics
from gateway.access.audit import AuditLog
from gateway.access.destinations import Destinations
from gateway.access.directory import Directory, open_directory
from gateway.access.keyring import Keyring
from gateway.access.principals import Accounts
from gateway.access.vault import open_vault
from gateway.config import Config
from gateway.handlers import (
    acls,
    batches,
    buckets,
    cross_origin,
    listing,
    multipart,
    object_attributes,
    objects,
    policies,
    tagging,
)
from gateway.handlers.absent import absent
from gateway.handlers.api import branches, history, merges, protections, repos, tags, transactions, trees, upkeep
from gateway.handlers.api.feed import FeedHandlers
from gateway.handlers.api.people import people_handlers
from gateway.handlers.api.webhooks import WebhookHandlers
from gateway.handlers.heads import Heads
from gateway.handlers.sts import TokenService
from gateway.handlers.tsd import LoginService
from gateway.s3.route import ABSENT, OPERATIONS
from gateway.server.access_log import AccessLog
from gateway.server.auditing import Auditor
from gateway.server.authenticate import Authenticator
from gateway.server.listener import Listener
from gateway.server.pipeline import Handler, Pipeline
from gateway.server.rest import ApiHandler, RestApi
from gateway.server.service import ServiceEndpoints
from gateway.server.sts_api import StsApi
from gateway.server.tsd_api import TsdApi
from gateway.server.upkeep import Upkeep, collect_garbage, forget_sessions
from gateway.server.webhooks import Deliverer
from pfs import Store, StoreConfig, open_store

_THREADS = 16
# The committing thread asks for the interpreter often and briefly; at the default of 5 ms each time
# it would wait that long for a busy event loop.
_SWITCH_INTERVAL_S = 0.0005

HANDLERS: Mapping[str, Handler] = {
    "ListBuckets": buckets.list_buckets,
    "CreateBucket": buckets.create_bucket,
    "HeadBucket": buckets.head_bucket,
    "DeleteBucket": buckets.delete_bucket,
    "GetBucketLocation": buckets.get_bucket_location,
    "GetBucketVersioning": buckets.get_bucket_versioning,
    "PutBucketVersioning": buckets.put_bucket_versioning,
    "ListObjects": listing.list_objects,
    "ListObjectsV2": listing.list_objects,
    "ListObjectVersions": listing.list_object_versions,
    "GetObject": objects.get_object,
    "HeadObject": objects.get_object,
    "PutObject": objects.put_object,
    "PutObjectExtract": batches.put_object_extract,
    "PostObject": objects.post_object,
    "CopyObject": objects.copy_object,
    "DeleteObject": objects.delete_object,
    "DeleteObjects": objects.delete_objects,
    "GetObjectAttributes": object_attributes.get_object_attributes,
    "GetObjectTagging": tagging.get_object_tagging,
    "PutObjectTagging": tagging.put_object_tagging,
    "DeleteObjectTagging": tagging.delete_object_tagging,
    "GetBucketTagging": tagging.get_bucket_tagging,
    "PutBucketTagging": tagging.put_bucket_tagging,
    "DeleteBucketTagging": tagging.delete_bucket_tagging,
    "GetBucketAcl": acls.get_bucket_acl,
    "PutBucketAcl": acls.put_acl,
    "GetObjectAcl": acls.get_object_acl,
    "PutObjectAcl": acls.put_acl,
    "GetBucketPolicy": policies.get_bucket_policy,
    "PutBucketPolicy": policies.put_bucket_policy,
    "DeleteBucketPolicy": policies.delete_bucket_policy,
    "GetBucketPolicyStatus": policies.get_bucket_policy_status,
    "GetBucketCors": cross_origin.get_bucket_cors,
    "PutBucketCors": cross_origin.put_bucket_cors,
    "DeleteBucketCors": cross_origin.delete_bucket_cors,
    "PreflightRequest": cross_origin.preflight,
    **dict.fromkeys(ABSENT, absent),
    "CreateMultipartUpload": multipart.create_multipart_upload,
    "UploadPart": multipart.upload_part,
    "UploadPartCopy": multipart.upload_part_copy,
    "ListParts": multipart.list_parts,
    "ListMultipartUploads": multipart.list_multipart_uploads,
    "CompleteMultipartUpload": multipart.complete_multipart_upload,
    "AbortMultipartUpload": multipart.abort_multipart_upload,
}
assert HANDLERS.keys() == OPERATIONS.keys()

API_HANDLERS: Mapping[str, ApiHandler] = {
    "list_repos": repos.list_repos,
    "create_repo": repos.create_repo,
    "get_repo": repos.get_repo,
    "list_protections": protections.list_protections,
    "protect": protections.protect,
    "unprotect": protections.unprotect,
    "begin_transaction": transactions.begin_transaction,
    "list_transactions": transactions.list_transactions,
    "get_transaction": transactions.get_transaction,
    "commit_transaction": transactions.commit_transaction,
    "abandon_transaction": transactions.abandon_transaction,
    "rename_repo": repos.rename_repo,
    "delete_repo": repos.delete_repo,
    "list_branches": branches.list_branches,
    "create_branch": branches.create_branch,
    "get_branch": branches.get_branch,
    "delete_branch": branches.delete_branch,
    "reset_branch": branches.reset_branch,
    "restore_branch": branches.restore_branch,
    "log": history.log,
    "show": history.show,
    "diff": history.diff,
    "ls": trees.ls,
    "stat": trees.stat,
    "merge": merges.merge,
    "revert": merges.revert,
    "cherry_pick": merges.cherry_pick,
    "list_tags": tags.list_tags,
    "create_tag": tags.create_tag,
    "get_tag": tags.get_tag,
    "delete_tag": tags.delete_tag,
    "collect_garbage": upkeep.collect_garbage,
}


def api_handlers(
    config: Config, heads: Heads, destinations: Destinations, directory: Directory
) -> Mapping[str, ApiHandler]:
    """Those of all endpoints: of `API_HANDLERS`, and of those that need more than a call brings along."""
    feed, webhooks = FeedHandlers(heads), WebhookHandlers(destinations)
    return {
        **API_HANDLERS,
        "list_deleted_branches": partial(branches.list_deleted_branches, retention_s=config.retention_s),
        "feed": feed.feed,
        "follow_feed": feed.follow_feed,
        "list_webhooks": webhooks.list_webhooks,
        "create_webhook": webhooks.create_webhook,
        "get_webhook": webhooks.get_webhook,
        "delete_webhook": webhooks.delete_webhook,
        **people_handlers(directory),
    }


def store_config(config: Config) -> StoreConfig:
    return StoreConfig(
        data=config.data,
        database_url=config.database_url,
        blob_url=config.blob_url,
        inline_threshold=config.inline_threshold,
        retention_s=config.retention_s,
        upload_expiry_s=config.upload_expiry_s,
        gc_grace_s=config.gc_grace_s,
    )


def directory_of(config: Config) -> Directory:
    """Raises VaultError, StoreError, OSError."""
    return open_directory(config.data, config.database_url, open_vault(config.data, config.secret_keys))


def prepare(config: Config) -> None:
    """Makes or upgrades the store and the directory, once, before there are workers. Raises StoreError, VaultError
    or OSError."""
    open_store(store_config(config)).close()
    directory_of(config).close()


def run_worker(config: Config, listener: socket.socket) -> None:
    """Serves on `listener` until SIGTERM, drains, and returns."""
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    heads = Heads()

    def committed(_: int, commits: int) -> None:
        metrics.group_committed(commits)
        heads.nudge()

    store = open_store(store_config(config), observer=committed)
    directory = directory_of(config)
    try:
        uvloop.run(_serve(config, store, directory, heads, listener))
    finally:
        directory.close()
        store.close()


async def _serve(config: Config, store: Store, directory: Directory, heads: Heads, listener: socket.socket) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    access_log = AccessLog(config.access_log)
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="store") as threads:
        service = ServiceEndpoints(store, threads)
        authenticator = Authenticator(Keyring(Accounts.from_config(config), directory), config.region)
        destinations = Destinations.parse(config.webhook_allow)
        handlers = api_handlers(config, heads, destinations, directory)
        audit = AuditLog(directory.database)
        auditor = Auditor(audit)
        api = RestApi(store, threads, authenticator, handlers, config.body_idle_timeout_s, auditor)
        pipeline = Pipeline(
            config=config,
            store=store,
            threads=threads,
            authenticator=authenticator,
            handlers=HANDLERS,
            service=service,
            api=api,
            sts=StsApi(store, threads, authenticator, TokenService(directory), config.body_idle_timeout_s, auditor),
            tsd=TsdApi(store, threads, LoginService(directory), config.body_idle_timeout_s, auditor),
            access_log=access_log,
            auditor=auditor,
        )
        server = Listener(config, pipeline)
        jobs = Upkeep(store, threads)
        jobs.every("collect-garbage", config.gc_interval_s, collect_garbage)
        jobs.every("forget-sessions", config.gc_interval_s, partial(forget_sessions, directory))
        serving = asyncio.create_task(server.serve(listener))
        delivering = asyncio.create_task(Deliverer(store, threads, destinations).run())
        await stop.wait()
        jobs.stop()
        serving.cancel()
        delivering.cancel()
        service.is_draining = True
        heads.close()
        api.end_streams()
        await server.drain()
        await jobs.ended()
        await asyncio.wait([delivering])
        audit.close()
        access_log.close()
