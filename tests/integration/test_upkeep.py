"""Collecting garbage in a gateway: asked for, and on its schedule."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable

import pytest

from gateway.access.directory import Directory, open_directory
from gateway.access.rights import Right
from gateway.access.vault import open_vault
from gateway.client.connection import Connection, Refusal

from .server import Server, until

RIGHTS = frozenset({Right.MEMBER})
MONTH_US = 30 * 86_400 * 1_000_000
EAGER = ("--retention-s", "0", "--gc-grace-s", "0")


def deleted_bucket(server: Server) -> None:
    client = server.client()
    client.create_bucket(Bucket="gone")
    client.put_object(Bucket="gone", Key="k", Body=os.urandom(200_000))
    client.delete_bucket(Bucket="gone")


def test_an_administrator_collects_garbage(serve: Callable[..., Server]) -> None:
    server = serve(options=EAGER)
    deleted_bucket(server)
    api = server.api()
    foretold = api.call("collect_garbage", dry_run=True)
    assert (foretold.repos, foretold.branches, foretold.commits, foretold.blobs_condemned) == (1, 1, 2, 1)
    assert foretold.dry_run
    collected = api.call("collect_garbage")
    assert (collected.repos, collected.bytes_condemned, collected.dry_run) == (1, 200_000, False)
    assert api.call("collect_garbage").bytes == 200_000
    assert server.files("blobs") == set()
    assert b'caret_collected_total{kind="blobs"} 1.0' in server.get("/-/metrics")[2]


def test_nobody_else_collects_garbage(serve: Callable[..., Server], tmp_path_factory: pytest.TempPathFactory) -> None:
    file = tmp_path_factory.mktemp("config") / "caret.toml"
    file.write_text(
        '[[accounts]]\naccess_key = "other-access"\nsecret_key = "other-secret"\nid = "other"\ndisplay_name = "Other"\n'
    )
    server = serve(options=("--config", str(file)))
    with pytest.raises(Refusal) as refused:
        server.api(access_key="other-access", secret_key="other-secret").call("collect_garbage")
    assert (refused.value.status, refused.value.code) == (403, "AccessDenied")


def test_garbage_goes_on_schedule(serve: Callable[..., Server]) -> None:
    server = serve(options=(*EAGER, "--gc-interval-s", "0.5"), workers=2)
    deleted_bucket(server)
    until(lambda: not server.files("blobs"), 20, "the deleted bucket's bytes to be collected")
    metrics = server.get("/-/metrics")[2]
    assert b'caret_upkeep_runs_total{job="collect-garbage",outcome="done"}' in metrics
    assert b'outcome="failed"' not in metrics


def test_sessions_that_ran_out_long_ago_go_on_schedule(serve: Callable[..., Server]) -> None:
    server = serve(options=("--gc-interval-s", "0.5"), workers=1)
    with contextlib.closing(open_directory(server.data, None, open_vault(server.data))) as directory:
        directory.create_user("ann", project="default", rights=RIGHTS)
        past = Directory(directory.database, open_vault(server.data), lambda: time.time_ns() // 1000 - MONTH_US)
        old = past.begin_session("default", "ann", RIGHTS, 3600).session.access_key
        new = directory.begin_session("default", "ann", RIGHTS, 3600).session.access_key
        until(lambda: directory.held(old) is None, 20, "the old session to be removed")
        assert directory.held(new) is not None


def test_an_interval_of_0_is_never(api: Connection, serve: Callable[..., Server]) -> None:
    server = serve(options=(*EAGER, "--gc-interval-s", "0"))
    assert b"caret_upkeep_runs_total{" not in server.get("/-/metrics")[2]
