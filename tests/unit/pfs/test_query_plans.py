"""How SQLite carries out the queries that have to be quick at any size."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pfs import StoreConfig, open_store
from pfs.meta import commits, contents, entries, protections, refs, tags, transactions, uploads
from pfs.meta.database import Connection, Statement
from tests.stores import Checkout


@pytest.fixture
def conn(tmp_path: Path) -> Iterator[Connection]:
    store = open_store(StoreConfig(tmp_path))
    Checkout.create(store, "images").put_all("a", "b")
    with store._database.connection() as connection:
        yield connection
    store.close()


def plan(conn: Connection, statement: Statement) -> list[str]:
    sql, order, _ = statement.on(conn._dialect)
    assert order is not None
    rows = conn.raw.execute(f"EXPLAIN QUERY PLAN {sql}", [1] * len(order)).fetchall()
    return [row[3] for row in rows]


BLOB = "SEARCH blobs USING INDEX blobs_digest (digest=?) LEFT-JOIN"
SETTINGS = "SEARCH entry_settings USING INDEX sqlite_autoindex_entry_settings_1 (key=? AND commit_id=?) LEFT-JOIN"
BRANCH_SETTING = "USING INDEX sqlite_autoindex_branch_settings_1 (branch_id=? AND name=?) LEFT-JOIN"
LIVE = "SEARCH entries USING INDEX entries_live (timeline_id=? AND key=?)"
LATEST = "SEARCH entries USING INDEX entries_key (timeline_id=? AND key=? AND seq<?)"

PLANS: list[tuple[str, Statement, list[str]]] = [
    ("read of a head", entries._LIVE, [LIVE, SETTINGS]),
    ("read of a head, with bytes", entries._LIVE_DATA, [LIVE, SETTINGS, BLOB]),
    ("read at a commit", entries._LATEST, [LATEST, SETTINGS]),
    ("read at a commit, with bytes", entries._LATEST_DATA, [LATEST, SETTINGS, BLOB]),
    (
        "listing of a head",
        entries._PAGE_LIVE.statements[False, False],
        ["SEARCH entries USING INDEX entries_live (timeline_id=? AND key>?)"],
    ),
    (
        "listing of a head, below a prefix's end",
        entries._PAGE_LIVE.statements[True, False],
        ["SEARCH entries USING INDEX entries_live (timeline_id=? AND key>? AND key<?)"],
    ),
    (
        "listing at a commit",
        entries._PAGE_AT.statements[False, False],
        ["SEARCH entries USING INDEX entries_key (timeline_id=? AND key>?)"],
    ),
    (
        "listing at a commit, below a prefix's end",
        entries._PAGE_AT.statements[True, False],
        ["SEARCH entries USING INDEX entries_key (timeline_id=? AND key>? AND key<?)"],
    ),
    (
        "versions",
        entries._VERSIONS.statements[False, False],
        ["SEARCH entries USING INDEX entries_key (timeline_id=? AND key>?)"],
    ),
    (
        "versions below a prefix's end",
        entries._VERSIONS.statements[True, False],
        ["SEARCH entries USING INDEX entries_key (timeline_id=? AND key>? AND key<?)"],
    ),
    (
        "versions of a key",
        entries._VERSIONS_OF_KEY.statements[False, False],
        ["SEARCH entries USING INDEX entries_key (timeline_id=? AND key=? AND seq>? AND seq<?)"],
    ),
    (
        "listing of a head, with settings",
        entries._PAGE_LIVE.statements[False, True],
        ["SEARCH entries USING INDEX entries_live (timeline_id=? AND key>?)", SETTINGS],
    ),
    (
        "versions, with settings",
        entries._VERSIONS.statements[True, True],
        ["SEARCH entries USING INDEX entries_key (timeline_id=? AND key>? AND key<?)", SETTINGS],
    ),
    ("closing a version", entries._CLOSE, [LIVE]),
    (
        "a key's first version",
        entries._FIRST_SEQ,
        ["SEARCH entries USING COVERING INDEX entries_key (timeline_id=? AND key=?)"],
    ),
    ("intervals", entries._INTERVALS, ["SEARCH entries USING INDEX entries_key (timeline_id=?)"]),
    (
        "the changes of a commit",
        entries._CHANGES,
        ["SEARCH entries USING INDEX entries_changes (timeline_id=? AND seq=?)"],
    ),
    (
        "the keys that commits changed",
        entries._KEYS_CHANGED,
        ["SEARCH entries USING INDEX entries_changes (timeline_id=? AND seq>? AND seq<?)"],
    ),
    (
        "a timeline's commits, newest first",
        commits._DOWN,
        ["SEARCH commits USING PRIMARY KEY (timeline_id=? AND seq>? AND seq<?)"],
    ),
    ("a tag", tags._TAG, ["SEARCH tags USING INDEX sqlite_autoindex_tags_1 (repo_id=? AND name=?)"]),
    ("a commit", commits._AT, ["SEARCH commits USING PRIMARY KEY (timeline_id=? AND seq=?)"]),
    ("a timeline's commits", commits._IN_TIMELINE, ["SEARCH commits USING PRIMARY KEY (timeline_id=? AND seq>?)"]),
    (
        "commits by prefix",
        commits._BY_PREFIX,
        [
            "SEARCH commits USING INDEX commits_id (id>? AND id<?)",
            "CORRELATED SCALAR SUBQUERY 1",
            "SEARCH timelines USING INTEGER PRIMARY KEY (rowid=?)",
        ],
    ),
    ("a blob", contents._BLOB, ["SEARCH blobs USING INDEX blobs_digest (digest=?)"]),
    ("a manifest", contents._MANIFEST, ["SEARCH manifests USING INDEX sqlite_autoindex_manifests_1 (digest=?)"]),
    (
        "a branch",
        refs._BRANCH,
        [
            "SEARCH repos USING INDEX repos_name (project=? AND name=?)",
            "SEARCH branches USING INDEX branches_name (repo_id=? AND name=?)",
            *(f"SEARCH {name}_setting {BRANCH_SETTING}" for name in refs.TOLD),
        ],
    ),
    ("a branch's head", refs._HEAD, ["SEARCH branches USING INTEGER PRIMARY KEY (rowid=?)"]),
    ("commits upwards", commits._UP, ["SEARCH commits USING PRIMARY KEY (timeline_id=? AND seq>? AND seq<?)"]),
    (
        "a repo's protections",
        protections._PROTECTIONS,
        ["SEARCH protections USING INDEX sqlite_autoindex_protections_1 (repo_id=?)"],
    ),
    (
        "when a transaction expires",
        transactions._EXPIRY,
        ["SEARCH transactions USING INDEX sqlite_autoindex_transactions_1 (id=?)"],
    ),
    (
        "the last transaction",
        transactions._LAST,
        ["SEARCH transactions USING COVERING INDEX sqlite_autoindex_transactions_1"],
    ),
    (
        "an upload's parts",
        uploads._PARTS,
        ["SEARCH parts USING INDEX sqlite_autoindex_parts_1 (upload_id=? AND number>?)"],
    ),
]


@pytest.mark.parametrize(("statement", "expected"), [row[1:] for row in PLANS], ids=[row[0] for row in PLANS])
def test_a_query_seeks_in_its_index_and_sorts_nothing(
    conn: Connection, statement: Statement, expected: list[str]
) -> None:
    assert plan(conn, statement) == expected


@pytest.mark.parametrize(
    ("statement", "index"),
    [
        (transactions._TRANSACTION, "sqlite_autoindex_transactions_1 (id=?)"),
        (transactions._OPEN_OF_REPO, "transactions_open (repo_id=? AND id>?)"),
        (transactions._UNENDED_OF_REPO, "transactions_open (repo_id=?)"),
        (transactions._EXPIRED, "transactions_expiry (expires_us<?)"),
    ],
)
def test_transactions_are_sought_among_the_open_ones(conn: Connection, statement: Statement, index: str) -> None:
    steps = plan(conn, statement)
    assert f"SEARCH transactions USING INDEX {index}" in steps
    assert not [step for step in steps if step.startswith(("SCAN", "USE TEMP B-TREE"))]


def test_what_was_merged_is_sought_in_indexes(conn: Connection) -> None:
    assert plan(conn, commits._MERGED_INTO)[:2] == [
        "SEARCH merge_parents USING INDEX sqlite_autoindex_merge_parents_1 (timeline_id=? AND seq>? AND seq<?)",
        "SEARCH commits USING COVERING INDEX commits_id (id=?)",
    ]


@pytest.mark.parametrize(
    "statement",
    [
        refs._BRANCHES_BY_LABEL,
        refs._BRANCHES_OF_REPO,
        refs._BRANCH_BY_ID,
        refs._TIMELINES_OF_REPO,
        uploads._OPEN_UPLOADS,
        uploads._DELETE_OF_BRANCH,
        uploads._DELETE_PARTS_OF_BRANCH,
    ],
)
def test_no_table_is_scanned(conn: Connection, statement: Statement) -> None:
    steps = plan(conn, statement)
    assert steps
    assert not [step for step in steps if step.startswith(("SCAN", "USE TEMP B-TREE"))]
