"""What the documentation shows works: the client's examples, and the example of each command."""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from gateway.cli.calling import Command
from gateway.cli.reference import commands
from gateway.client import Client, Credentials, Reach, Refusal
from pfs import StoreConfig, open_store

from .carets import Caret
from .server import REPOSITORY, Server

_NOT_RUN_HERE = {"serve", "credentials"}  # it serves for ever; asks for a code, see test_credentials


@pytest.fixture(scope="module")
def client(gateway: Server) -> Iterator[Client]:
    with Client(Reach(gateway.url, Credentials(gateway.access_key, gateway.secret_key), gateway.region)) as found:
        yield found


def gone(client: Client, *repos: str) -> None:
    for repo in repos:
        try:
            client.delete_repo(repo)
        except Refusal as refusal:
            if refusal.code != "NoSuchRepo":
                raise


def test_the_clients_examples_run(gateway: Server, client: Client) -> None:
    gone(client, "paintings")
    text = (REPOSITORY / "docs/client.md").read_text(encoding="utf-8")
    program = "\n".join(re.findall(r"```python\n(.*?)```", text, re.DOTALL))
    environment = Caret(gateway).environment()
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "added manet.txt\n"


def prepared(client: Client, words: str) -> str:
    """The repo `photos` as the examples know it; the id that an example says ID for."""
    gone(client, "photos", "pictures")
    if words.split(maxsplit=1)[0] in ("project", "user", "member", "key"):
        return known_person(client)
    if words in ("repo create", "import"):
        return ""
    client.create_repo("photos")
    for content in (b"one", b"two", b"three"):
        client.write("photos", "cats/tom.jpg", content)
    client.create_tag("photos", "v1")
    if words != "branch create":
        client.create_branch("photos", "draft", rev="HEAD^")
        client.write("photos", "cats/kitty.jpg", b"kitty", branch="draft")
    if words == "branch restore":
        client.delete_branch("photos", "draft")
    if words == "branch unprotect":
        client.protect("photos", "release-*")
    if words.startswith("webhook") and words != "webhook create":
        return client.create_webhook("photos", "http://127.0.0.1:1/").id
    if words.startswith("transaction"):
        return client.begin_transaction("photos", "main").id
    return ""


def known_person(client: Client) -> str:
    """The project `p11`, where ann may export; her access key."""
    with contextlib.suppress(Refusal):
        client.create_project("p11")
    with contextlib.suppress(Refusal):
        client.create_user("ann")
    client.grant("p11", "ann", "export")
    return client.create_key("p11", "ann").access_key


def bundle(folder: Path) -> None:
    """A repo `photos` of another store, as a file."""
    with contextlib.closing(open_store(StoreConfig(folder / "elsewhere"))) as store:
        store.create_branch("default", "photos", None, label="photos", author="ann").result()
        with (folder / "photos.bundle").open("wb") as file:
            store.export_repo("default", "photos", file)


@pytest.mark.parametrize(("words", "command"), list(commands()), ids=[words for words, _ in commands()])
def test_every_commands_example_runs(
    gateway: Server, client: Client, words: str, command: click.Command, tmp_path: Path
) -> None:
    assert isinstance(command, Command), "give it cls=Command and an example"
    if words in _NOT_RUN_HERE:
        assert command.example.startswith(f"caret {words} ")
        return
    example = re.sub(r"\bID\b", prepared(client, words), command.example)
    if words == "session end":
        known_person(client)
    if words == "import":
        bundle(tmp_path)
    (tmp_path / "album.py").write_text("import os; assert os.environ['CARET_BUCKET']")
    (tmp_path / "album").mkdir()
    (tmp_path / "album" / "tom.jpg").write_bytes(b"a cat")
    (tmp_path / "data").symlink_to(gateway.data)
    script = f'caret() {{ "{sys.executable}" -m gateway "$@"; }}; python3() {{ "{sys.executable}" "$@"; }}; {example}'
    done = subprocess.run(
        ["sh", "-c", script.replace("-- python3", f"-- {sys.executable}")],
        cwd=tmp_path,
        env=Caret(gateway, {"XDG_CACHE_HOME": str(tmp_path)}).environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, (example, done.stdout, done.stderr)
