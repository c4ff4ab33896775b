"""Each command of `caret` that calls the gateway, as a process, against a live one and beside what REST answers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.client import Client, Credentials, Reach

from .carets import Caret
from .server import REPOSITORY, Server


@pytest.fixture(scope="session")
def caret(gateway: Server) -> Caret:
    return Caret(gateway)


@pytest.fixture(scope="session")
def client(gateway: Server) -> Iterator[Client]:
    credentials = Credentials(gateway.access_key, gateway.secret_key)
    with Client(Reach(gateway.url, credentials, gateway.region)) as found:
        yield found


@pytest.fixture
def repo(client: Client, name: str) -> str:
    """Three commits on `main`, one more on its fork `draft`, and the tag `v1` at `main^`."""
    client.create_repo(name)
    client.write(name, "cats/tom.jpg", b"one", message="Tom")
    client.write(name, "cats/tom.jpg", b"one and two", message="Tom, größer")
    client.write(name, "dogs/rex.jpg", b"three")
    client.create_branch(name, "draft")
    client.write(name, "cats/kitty.jpg", b"four", branch="draft")
    client.create_tag(name, "v1", rev="HEAD^", message="Shown")
    return name


def plain(document: object) -> Any:
    """A document as JSON has it."""
    return json.loads(msgspec.json.encode(document))


def rows(text: str) -> list[list[str]]:
    """A table's cells, without its heads."""
    return [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in text.splitlines()[1:]]


# ---------------------------------------------------------------- repos


def test_repos(caret: Caret, client: Client, name: str) -> None:
    made = caret.json("repo", "create", name, "--default-branch", "trunk")
    assert made == plain(client.get_repo(name))
    assert made["default_branch"] == "trunk"
    assert "default branch  trunk\n" in caret("repo", "show", name)
    assert caret.json("repo", "list") == plain(client.list_repos())
    assert [name, "trunk"] in [row[:2] for row in rows(caret("repo", "list"))]
    assert caret.json("repo", "rename", name, f"{name}-b")["name"] == f"{name}-b"
    assert "already" in caret.error("repo", "create", f"{name}-b")
    assert "--yes" in caret.error("repo", "delete", f"{name}-b", code=2)
    assert caret("repo", "delete", f"{name}-b", "--yes") == f"deleted {name}-b\n"
    assert caret.error("repo", "show", f"{name}-b").splitlines()[0].endswith("(NoSuchRepo)")


# ---------------------------------------------------------------- branches


def test_branches(caret: Caret, client: Client, repo: str) -> None:
    made = caret.json("branch", "create", repo, "fix", "HEAD^")
    assert made == plain(client.get_branch(repo, "fix"))
    assert made["head"]["id"] == client.get_tag(repo, "v1").commit_id
    assert caret.json("branch", "list", repo) == plain(client.list_branches(repo))
    assert [row[0] for row in rows(caret("branch", "list", repo))] == ["draft", "fix", "main"]
    assert f"bucket     fix.{repo}\n" in caret("branch", "show", repo, "fix")
    assert caret.json("branch", "show", repo, "fix") == made

    reset = caret.json("branch", "reset", repo, "fix", "HEAD^", "--expected-head", made["head"]["id"])
    assert reset["head"]["id"] == made["head"]["parents"][0]
    moved = caret.error("branch", "reset", repo, "fix", "v1", "--expected-head", made["head"]["id"], code=5)
    assert f"The head is {reset['head']['id']}." in moved

    assert "--yes" in caret.error("branch", "delete", repo, "fix", code=2)
    caret("branch", "delete", repo, "fix", "--yes")
    assert "NoSuchBranch" in caret.error("branch", "show", repo, "fix")
    assert caret.json("branch", "deleted", repo) == plain(client.list_deleted_branches(repo))
    assert rows(caret("branch", "deleted", repo))[0][0] == "fix"
    assert caret.json("branch", "restore", repo, "fix")["head"] == reset["head"]


def test_a_branch_is_made_of_another_branchs_head(caret: Caret, client: Client, repo: str) -> None:
    head = client.get_branch(repo, "draft").head.id
    assert caret.json("branch", "create", f"draft.{repo}", "a")["head"]["id"] == head
    assert caret.json("branch", "create", repo, "b", "-b", "draft")["head"]["id"] == head
    assert caret.json("branch", "create", repo, "c", "draft")["head"]["id"] == head


def test_protections(caret: Caret, client: Client, repo: str) -> None:
    assert caret("branch", "protect", repo) == ""
    assert caret.json("branch", "protect", repo, "m*")["pattern"] == "m*"
    assert caret.json("branch", "protect", repo) == plain(client.list_protections(repo))
    assert rows(caret("branch", "protect", repo))[0][0] == "m*"
    refused = caret.error("branch", "reset", repo, "main", "HEAD^")
    assert "(ProtectedBranch)" in refused
    assert "Hint: write to another branch and merge it" in refused
    caret("merge", repo, "draft")
    caret("branch", "unprotect", repo, "m*")
    assert caret("branch", "protect", repo) == ""
    assert "(NoSuchProtection)" in caret.error("branch", "unprotect", repo, "m*")


# ---------------------------------------------------------------- history


def test_log(caret: Caret, client: Client, repo: str) -> None:
    assert caret.json("log", repo) == plain(client.log(repo))
    assert caret.json("log", f"draft.{repo}") == plain(client.log(repo, branch="draft"))
    assert caret.json("log", repo, "-b", "draft", "--rev", "HEAD^") == plain(client.log(repo))
    assert caret.json("log", repo, "--key", "cats/tom.jpg") == plain(client.log(repo, key="cats/tom.jpg"))
    assert caret.json("log", repo, "-n", "2")["commits"] == plain(client.log(repo))["commits"][:2]
    lines = rows(caret("log", repo))
    assert [line[0] for line in lines] == [commit.id[:12] for commit in client.log(repo).commits]
    assert lines[1][-1] == "Tom, größer"


def test_log_along_all_parents(caret: Caret, client: Client, repo: str) -> None:
    client.merge(repo, "main", "draft", fast_forward=False)
    assert caret.json("log", repo, "--all") == plain(client.log(repo, all_parents=True))
    assert len(rows(caret("log", repo, "--all"))) == 1 + len(rows(caret("log", repo)))


def test_show(caret: Caret, client: Client, repo: str) -> None:
    assert caret.json("show", repo, "v1") == plain(client.show(repo, "v1"))
    assert caret.json("show", repo) == plain(client.show(repo, "HEAD"))
    text = caret("show", repo, "v1")
    assert text.startswith(f"commit  {client.get_tag(repo, 'v1').commit_id}\n")
    assert "\n\n    Tom, größer\n\n" in text
    assert text.endswith("changed     3 B   11 B  cats/tom.jpg\n")


def test_diff(caret: Caret, client: Client, repo: str) -> None:
    changes = plain(client.diff(repo, "HEAD~3", after_rev="draft"))
    assert caret.json("diff", repo, "HEAD~3", "draft") == changes
    assert caret.json("diff", repo, "HEAD~3", "draft", "--prefix", "cats/")["changes"] == changes["changes"][:2]
    assert caret.json("diff", repo, "HEAD^") == plain(client.diff(repo, "HEAD^"))
    assert rows(caret("diff", repo, "HEAD~2", "HEAD")) == [
        ["changed", "3 B", "11 B", "cats/tom.jpg"],
        ["added", "-", "5 B", "dogs/rex.jpg"],
    ]
    assert caret("diff", repo, "HEAD~2", "HEAD", "--stat") == "2 keys: 1 added, 1 changed, 0 removed; +13 B\n"
    assert caret.json("diff", repo, "HEAD~2", "--stat") == {"added": 1, "changed": 1, "removed": 0, "growth_bytes": 13}


def test_an_ambiguous_revision_lists_its_candidates(caret: Caret, client: Client, repo: str, s3: Any) -> None:
    """Prefixes of four digits are taken: the birthday of two ids among 400 comes soon enough."""
    ids: dict[str, str] = {}
    for number in range(3000):
        made = s3.put_object(Bucket=repo, Key="k", Body=str(number).encode())["VersionId"]
        twin = ids.setdefault(made[:4], made)
        if twin != made:
            said = caret.error("show", repo, made[:4])
            assert "(AmbiguousRevision)" in said
            assert made in said
            assert twin in said
            return
    pytest.skip("no two of 3,000 ids began alike")


# ---------------------------------------------------------------- content


def test_ls(caret: Caret, client: Client, repo: str) -> None:
    assert caret.json("ls", repo) == plain(client.ls(repo, delimiter="/"))
    assert caret.json("ls", repo, "-r") == plain(client.ls(repo))
    assert caret.json("ls", repo, "cats/", "--rev", "v1") == plain(client.ls(repo, prefix="cats/", rev="v1"))
    assert [row[-1] for row in rows(caret("ls", repo))] == ["cats/", "dogs/"]
    assert [row[-1] for row in rows(caret("ls", f"draft.{repo}", "-r"))] == [
        "cats/kitty.jpg",
        "cats/tom.jpg",
        "dogs/rex.jpg",
    ]


def test_cat_is_binary_safe(caret: Caret, client: Client, repo: str) -> None:
    content = bytes(range(256)) * 20_000
    client.write(repo, "bytes", content)
    assert caret.run("cat", repo, "bytes").stdout == content
    assert caret.run("cat", repo, "cats/tom.jpg", "--rev", "HEAD~3").stdout == b"one"
    assert caret.run("cat", f"draft.{repo}", "cats/kitty.jpg").stdout == b"four"
    assert "(NoSuchKey)" in caret.error("cat", repo, "nothing")


@pytest.mark.parametrize("command", [["cat", "bytes"], ["ls", "-r"], ["ls", "-r", "--json"]], ids=" ".join)
def test_a_reader_that_has_enough_is_no_traceback(caret: Caret, client: Client, repo: str, command: list[str]) -> None:
    client.write(repo, "bytes", b"x" * 5_000_000)
    for number in range(150 if command[0] == "ls" else 0):  # more than a pipe holds
        client.write(repo, f"{number:03}{'x' * 1000}", b"")
    process = caret.start(command[0], repo, *command[1:])
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.read(10)
    process.stdout.close()
    assert process.wait(30) == 1
    assert process.stderr.read() == b""
    process.stderr.close()


def test_stat(caret: Caret, client: Client, repo: str) -> None:
    client.write(repo, "k", b"text", content_type="text/plain", metadata={"colour": "green"})
    found = caret.json("stat", repo, "k")
    assert found == plain(client.stat(repo, "k"))
    text = caret("stat", repo, "k")
    assert "size      4 B (4 bytes)\n" in text
    assert "metadata  colour: green\n" in text
    assert caret.json("stat", repo, "cats/tom.jpg", "--rev", "HEAD~3")["size"] == 3


# ---------------------------------------------------------------- merges


def test_a_merge(caret: Caret, client: Client, repo: str) -> None:
    said = caret("merge", repo, "draft", "--into", "main", "--dry-run")
    assert said.startswith("would be done: fast-forward\n")
    merged = caret.json("merge", repo, "draft", "--no-ff", "-m", "Kitty", "--metadata", "by=me", "--metadata", "x=a=b")
    head = plain(client.get_branch(repo, "main").head)
    assert merged["head"] == head
    assert (head["message"], head["metadata"], len(head["parents"])) == ("Kitty", {"by": "me", "x": "a=b"}, 2)
    assert caret("merge", repo, "draft").startswith("nothing to do: main is at ")


def test_a_merge_goes_where_repo_says(caret: Caret, client: Client, repo: str) -> None:
    client.write(repo, "new", b"new")
    caret("merge", f"draft.{repo}", "main")
    assert client.stat(repo, "new", branch="draft").size == 3


def test_conflicts_are_listed_and_leave_with_5(caret: Caret, client: Client, repo: str) -> None:
    for branch, content in (("main", b"ours"), ("draft", b"theirs too")):
        client.write(repo, "a", content, branch=branch)
        client.write(repo, "b", content, branch=branch)
    head = client.get_branch(repo, "main").head.id
    said = caret.error("merge", repo, "draft", code=5)
    assert "(MergeConflict)" in said
    assert [row[0] for row in rows(said.partition("\n")[2])][:2] == ["a", "b"]
    assert "Hint: decide with --strategy" in said
    assert client.get_branch(repo, "main").head.id == head
    refused = caret.json("merge", repo, "draft", code=5)
    assert [found["key"] for found in refused["error"]["details"]["conflicts"]] == ["a", "b"]
    dry = caret.json("merge", repo, "draft", "--dry-run", code=5)
    assert [found["key"] for found in dry["conflicts"]] == ["a", "b"]
    caret("merge", repo, "draft", "--ours", "a", code=5)
    caret("merge", repo, "draft", "--ours", "a", "--theirs", "b")
    assert [client.stat(repo, key).size for key in "ab"] == [4, 10]


def test_a_merge_may_be_squashed_and_decided_for_one_side(caret: Caret, client: Client, repo: str) -> None:
    client.write(repo, "cats/kitty.jpg", b"ours")
    merged = caret.json("merge", repo, "draft", "--squash", "--strategy", "theirs")
    assert len(merged["head"]["parents"]) == 1
    assert client.stat(repo, "cats/kitty.jpg").etag == client.stat(repo, "cats/kitty.jpg", branch="draft").etag


def test_revert_and_cherry_pick(caret: Caret, client: Client, repo: str) -> None:
    reverted = caret.json("revert", repo, "HEAD", "-m", "Not Rex")
    assert [(change["key"], change["kind"]) for change in reverted["changes"]] == [("dogs/rex.jpg", "removed")]
    assert client.get_branch(repo, "main").head.message == "Not Rex"
    picked = caret("cherry-pick", repo, "draft")
    assert picked.startswith("commit: main is now at ")
    assert "added" in picked
    assert client.stat(repo, "cats/kitty.jpg").size == 4


# ---------------------------------------------------------------- tags


def test_tags(caret: Caret, client: Client, repo: str) -> None:
    made = caret.json("tag", "create", repo, "v2", "HEAD~2", "-m", "Later", "-b", "draft")
    assert made == plain(client.get_tag(repo, "v2"))
    assert made["commit_id"] == client.get_tag(repo, "v1").commit_id
    assert caret.json("tag", "list", repo) == plain(client.list_tags(repo))
    assert [row[0] for row in rows(caret("tag", "list", repo))] == ["v1", "v2"]
    assert "message  Later\n" in caret("tag", "show", repo, "v2")
    assert "--yes" in caret.error("tag", "delete", repo, "v2", code=2)
    caret("tag", "delete", repo, "v2", "--yes")
    assert "(NoSuchTag)" in caret.error("tag", "show", repo, "v2")


# ---------------------------------------------------------------- transactions


def test_a_transaction(caret: Caret, client: Client, s3: Any, repo: str) -> None:
    begun = caret.json("transaction", "begin", repo, "-m", "Two", "--metadata", "a=b", "--expires-in", "600")
    assert begun == plain(client.get_transaction(repo, begun["id"]))
    assert (begun["branch"], begun["metadata"]) == ("main", {"a": "b"})
    for key in ("one", "two"):
        s3.put_object(Bucket=begun["bucket"], Key=key, Body=b"x")
    assert caret.json("transaction", "list", repo) == plain(client.list_transactions(repo))
    assert rows(caret("transaction", "list", repo))[0][0] == begun["id"]
    assert f"bucket       {begun['bucket']}\n" in caret("transaction", "show", repo, begun["id"])
    ended = caret.json("transaction", "commit", repo, begun["id"], "-m", "Both")
    head = client.get_branch(repo, "main").head
    assert (ended["state"], ended["commit_id"]) == ("committed", head.id)
    assert (head.message, head.changes, head.metadata) == ("Both", 2, {"a": "b"})


def test_a_transaction_is_abandoned(caret: Caret, client: Client, repo: str) -> None:
    begun = client.begin_transaction(repo, "main")
    assert "--yes" in caret.error("transaction", "abandon", repo, begun.id, code=2)
    caret("transaction", "abandon", repo, begun.id, "--yes")
    assert client.get_transaction(repo, begun.id).state == "abandoned"
    assert "(TransactionEnded)" in caret.error("transaction", "abandon", repo, begun.id, "--yes")


def test_a_transaction_that_lost_a_race_leaves_with_5(caret: Caret, client: Client, s3: Any, repo: str) -> None:
    begun = client.begin_transaction(repo, "main")
    s3.put_object(Bucket=begun.bucket, Key="k", Body=b"in it")
    client.write(repo, "k", b"meanwhile")
    said = caret.error("transaction", "commit", repo, begun.id, code=5)
    assert "(TransactionConflict)" in said
    assert "\nk\n" in said
    assert client.get_transaction(repo, begun.id).state == "open"


STEP = """
import os, sys
from gateway.client import Client
with Client.from_environment() as caret:
    branch, _, repo = os.environ["CARET_BUCKET"].partition(".")
    caret.write(repo, "one", b"1", branch=branch)
    caret.write(repo, "two", b"2", branch=branch)
"""


def test_a_command_runs_inside_a_transaction(caret: Caret, client: Client, repo: str) -> None:
    program = [sys.executable, "-c", STEP]
    said = caret.error("transaction", "run", repo, "-m", "A step", "--metadata", "n=1", "--", *program, code=0)
    head = client.get_branch(repo, "main").head
    assert (head.message, head.changes, head.metadata) == ("A step", 2, {"n": "1"})
    assert said == f"committed {head.id[:12]} to main of {repo}\n"


def test_a_command_finds_all_it_needs_in_the_variables_of_aws(caret: Caret, client: Client, repo: str) -> None:
    program = "import boto3, os; boto3.client('s3').put_object(Bucket=os.environ['CARET_BUCKET'], Key='k', Body=b'x')"
    caret.run("transaction", "run", repo, "--", sys.executable, "-c", program)
    assert client.stat(repo, "k").size == 1


@pytest.mark.parametrize(
    ("program", "code"),
    [("import sys; sys.exit(7)", 7), ("import os; os.kill(os.getpid(), 9)", 137)],
)
def test_a_command_that_fails_leaves_nothing_behind(
    caret: Caret, client: Client, repo: str, program: str, code: int
) -> None:
    head = client.get_branch(repo, "main").head.id
    caret.run("transaction", "run", repo, "--", sys.executable, "-c", STEP + program, code=code)
    assert client.get_branch(repo, "main").head.id == head
    assert client.list_transactions(repo).transactions == []


def test_a_command_that_cannot_run_leaves_as_in_a_shell(
    caret: Caret, client: Client, repo: str, tmp_path: Path
) -> None:
    assert "cannot be run" in caret.error("transaction", "run", repo, "--", tmp_path / "none", code=127)
    (tmp_path / "text").write_text("no program")
    assert "cannot be run" in caret.error("transaction", "run", repo, "--", tmp_path / "text", code=126)
    assert client.list_transactions(repo).transactions == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_an_interrupted_command_leaves_nothing_behind(
    caret: Caret, client: Client, repo: str, number: signal.Signals, tmp_path: Path
) -> None:
    ready = tmp_path / "ready"
    program = f"import signal, time; signal.signal(2, signal.SIG_DFL); open({str(ready)!r}, 'w'); time.sleep(60)"
    process = subprocess.Popen(
        [sys.executable, "-m", "gateway", "transaction", "run", repo, "--", sys.executable, "-c", program],
        cwd=REPOSITORY,
        env=caret.environment(),
        stdin=subprocess.DEVNULL,
        start_new_session=True,  # a terminal's Ctrl-C goes to the whole group
    )
    while not ready.exists():
        assert process.poll() is None
    if number == signal.SIGINT:
        os.killpg(process.pid, number)
    else:
        process.send_signal(number)
    assert process.wait(30) == 128 + number
    assert client.list_transactions(repo).transactions == []


# ---------------------------------------------------------------- feed


def test_the_feed_so_far(caret: Caret, client: Client, repo: str) -> None:
    commits = plain(client.feed(repo, "main").commits)
    assert [json.loads(line) for line in caret("feed", repo, "--json").splitlines()] == commits
    assert caret("feed", repo, "--since", "HEAD^").split()[0] == commits[-1]["id"][:12]
    assert len(caret("feed", repo, "-n", "2").splitlines()) == 2
    assert caret("feed", f"draft.{repo}", "--since", "HEAD") == ""


def test_the_feed_goes_on_until_it_is_interrupted(caret: Caret, client: Client, repo: str) -> None:
    process = caret.start("feed", repo, "--follow", "--since", "HEAD^", "--json")
    assert process.stdout is not None
    assert process.stderr is not None
    first = json.loads(process.stdout.readline())
    assert first["id"] == client.get_branch(repo, "main").head.id
    made = client.write(repo, "k", b"new")
    assert json.loads(process.stdout.readline())["id"] == made
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 130
    assert (process.stdout.read(), process.stderr.read()) == (b"", b"")
    process.stdout.close()
    process.stderr.close()


def test_the_feed_outlives_its_gateway(serve: Any, name: str) -> None:
    server = serve(workers=1)
    caret = Caret(server)
    reach = Reach(server.url, Credentials(server.access_key, server.secret_key))
    with Client(reach) as client:
        client.create_repo(name)
        root = client.get_branch(name, "main").head.id
        process = caret.start("feed", name, "--follow", "--since", root, "--json")
        assert process.stdout is not None
        assert process.stderr is not None
        first = client.write(name, "k", b"1")
        assert json.loads(process.stdout.readline())["id"] == first
        server.kill()
        server.start()
        later = [client.write(name, "k", text) for text in (b"2", b"3")]
        assert [json.loads(process.stdout.readline())["id"] for _ in later] == later
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
        process.stdout.close()
        process.stderr.close()


# ---------------------------------------------------------------- webhooks


def test_webhooks(caret: Caret, client: Client, repo: str) -> None:
    made = caret.json("webhook", "create", repo, "http://127.0.0.1:1/hook", "--branches", "release-*")
    assert made["secret"]
    assert caret.json("webhook", "show", repo, made["id"]) == plain(client.get_webhook(repo, made["id"]))
    assert made["secret"] not in caret("webhook", "show", repo, made["id"])
    assert caret.json("webhook", "list", repo) == plain(client.list_webhooks(repo))
    assert rows(caret("webhook", "list", repo))[0][0] == made["id"]
    assert "--yes" in caret.error("webhook", "delete", repo, made["id"], code=2)
    caret("webhook", "delete", repo, made["id"], "--yes")
    assert "(NoSuchWebhook)" in caret.error("webhook", "show", repo, made["id"])


# ---------------------------------------------------------------- what goes wrong


def test_no_gateway_leaves_with_3(gateway: Server) -> None:
    nowhere = Caret(gateway, {"CARET_ENDPOINT": "http://127.0.0.1:1"})
    assert "no gateway answers at http://127.0.0.1:1" in nowhere.error("repo", "list", code=3)


def test_a_wrong_secret_is_told_with_a_hint(gateway: Server) -> None:
    said = Caret(gateway, {"CARET_SECRET_KEY": "wrong-secret"}).error("repo", "list")
    assert "(SignatureDoesNotMatch)" in said
    assert "Hint: the secret key does not belong to the access key." in said


def test_what_is_missing_is_told(gateway: Server, tmp_path: Path) -> None:
    said = Caret(gateway, {"CARET_ENDPOINT": "", "CARET_ACCESS_KEY": ""}, cwd=tmp_path).error("repo", "list", code=2)
    assert "CARET_SECRET_KEY is set without CARET_ACCESS_KEY" in said
    unset = {"CARET_ENDPOINT": "", "CARET_ACCESS_KEY": "", "CARET_SECRET_KEY": ""}
    assert "set CARET_ENDPOINT" in Caret(gateway, unset, cwd=tmp_path).error("repo", "list", code=2)


def test_flags_come_first(gateway: Server, repo: str) -> None:
    elsewhere = Caret(gateway, {"CARET_ENDPOINT": "http://127.0.0.1:1", "CARET_ACCESS_KEY": "another"})
    elsewhere("log", repo, "--endpoint", gateway.url, "--access-key", gateway.access_key)


def test_a_list_longer_than_a_page_is_whole(caret: Caret, client: Client, s3: Any, repo: str) -> None:
    for number in range(1050):
        s3.put_object(Bucket=repo, Key=f"{number:05}", Body=b"")
    listed = caret.json("ls", repo, "-r")
    assert len(listed["entries"]) == 1052
    assert listed["next"] is None
    assert len(caret("log", repo).splitlines()) == 1 + 1054
    assert len(caret.json("show", repo)["changes"]) == 1


def test_over_tls_with_an_authority_of_ones_own(tls_gateway: Server, name: str) -> None:
    assert tls_gateway.certificate is not None
    caret = Caret(tls_gateway, {"AWS_CA_BUNDLE": str(tls_gateway.certificate.path)})
    caret("repo", "create", name)
    assert "CERTIFICATE_VERIFY_FAILED" in Caret(tls_gateway).error("repo", "list", code=3)
