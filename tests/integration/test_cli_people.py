"""`caret project`, `user`, `member` and `key`, from an empty data folder to a second factor that works."""

from __future__ import annotations

import io
import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import boto3
import pyotp
import pytest
import segno
from botocore.config import Config

from gateway.access.directory import Directory
from gateway.client import Client, Credentials, Reach

from .carets import Caret
from .people import drained
from .server import REPOSITORY, Server, clean_environment
from .test_cli import plain, rows


@pytest.fixture
def caret(gateway: Server) -> Caret:
    return Caret(gateway)


@pytest.fixture
def client(gateway: Server) -> Client:
    return Client(Reach(gateway.url, Credentials(gateway.access_key, gateway.secret_key), gateway.region))


@pytest.fixture
def ann(caret: Caret, name: str) -> str:
    """A user of the project NAME."""
    caret("project", "create", name)
    caret("user", "create", f"{name}-ann", "--project", name, "--right", "member")
    return f"{name}-ann"


def fact(text: str, what: str) -> str:
    found = re.search(rf"^{what} {{2,}}(.*)$", text, re.MULTILINE)
    assert found is not None, text
    return found[1]


def test_projects(caret: Caret, client: Client, name: str) -> None:
    made = caret.json("project", "create", name, "--sensitive", "--max-session", "86400")
    assert made == plain(client.get_project(name))
    assert (made["requires_session"], made["export_buckets"], made["audits"]) == (True, ["export-bucket"], "everything")
    assert made["max_session_s"] == 86_400
    shown = caret("project", "show", name)
    assert (fact(shown, "two factors"), fact(shown, "exports from")) == ("yes", "export-bucket")
    changed = caret.json("project", "set", name, "--one-factor", "--export-bucket", "a", "--export-bucket", "b")
    assert (changed["requires_session"], changed["export_buckets"], changed["audits"]) == (
        False,
        ["a", "b"],
        "everything",
    )
    assert caret.json("project", "set", name, "--export-all", "--audits", "refusals")["export_buckets"] == "all"
    assert [name, made["number"], "no", "all buckets", "refusals"] in rows(caret("project", "list"))
    assert caret.json("project", "list") == plain(client.list_projects())
    assert "what to change" in caret.error("project", "set", name, code=2)
    assert "give either" in caret.error("project", "set", name, "--export-all", "--export-bucket", "a", code=2)
    assert caret.error("project", "create", name).splitlines()[0].endswith("(ProjectExists)")
    assert "caret project list" in caret.error("project", "show", f"{name}-none")
    assert "matching" in caret.error("project", "create", "Not A Name", code=2)


def test_users(caret: Caret, client: Client, name: str, ann: str) -> None:
    assert caret.json("user", "create", f"{name}-zoe", "--display-name", "Zoë") == plain(client.get_user(f"{name}-zoe"))
    shown = caret("user", "show", ann)
    assert (fact(shown, "one-time codes"), fact(shown, f"in {name}")) == ("no", "member")
    assert [f"{name}-zoe", "Zoë", "no", "no"] in rows(caret("user", "list"))
    assert caret.json("user", "disable", ann)["disabled"] is not None
    assert fact(caret("user", "show", ann), "disabled")
    assert "disabled" not in caret("user", "enable", ann)
    assert caret.json("user", "list") == plain(client.list_users())
    assert caret.error("user", "create", ann).splitlines()[0].endswith("(UserExists)")


def test_members(caret: Caret, client: Client, name: str, ann: str) -> None:
    caret("member", "grant", name, ann, "import", "export")
    assert rows(caret("member", "list", name)) == [[ann, "export, import, member"]]
    assert caret("member", "revoke", name, ann, "export") == f"{ann} has the right export in {name} no more\n"
    assert caret.json("member", "list", name) == plain(client.list_members(name))
    assert caret.error("member", "revoke", name, ann, "export").splitlines()[0].endswith("(NoSuchMember)")
    caret.error("member", "grant", name, ann, "everything", code=2)


def test_keys(caret: Caret, gateway: Server, client: Client, name: str, ann: str) -> None:
    told = caret("key", "create", name, ann)
    access_key, secret = fact(told, "access key"), fact(told, "secret key")
    gateway.client(access_key=access_key, secret_key=secret).list_buckets()
    assert secret not in caret("key", "list") + caret("key", "list", "--json")
    assert caret.json("key", "list", "--user", ann) == plain(client.list_keys(user=ann))
    assert "--yes" in caret.error("key", "disable", access_key, code=2)
    assert caret("key", "disable", access_key, "--yes") == f"{access_key} is disabled\n"
    assert client.list_keys(user=ann).keys[0].disabled is not None
    assert caret.error("key", "disable", access_key, "--yes").splitlines()[0].endswith("(NoSuchAccessKey)")


# ---------------------------------------------------------------- proofs


def test_a_qr_code_its_uri_and_the_secret_are_shown_once(caret: Caret, directory: Directory, ann: str) -> None:
    told = caret("user", "totp", ann)
    secret, uri = fact(told, "secret"), fact(told, "uri")
    assert secret == pyotp.parse_uri(uri).secret
    assert directory.prove(ann, pyotp.TOTP(secret).now()).name == ann
    drawing = io.StringIO()
    segno.make(uri, micro=False).terminal(drawing, compact=True)
    assert drawing.getvalue() in told
    assert secret not in caret("user", "show", ann) + caret("user", "list", "--json")
    assert "--yes" in caret.error("user", "totp", ann, code=2), "codes of the device at hand would stop working"
    again = caret.json("user", "totp", ann, "--yes")
    assert again["secret"] not in (secret, None)


def test_an_output_that_has_no_blocks_gets_the_text_alone(gateway: Server, ann: str) -> None:
    told = Caret(gateway, {"PYTHONIOENCODING": "ascii"})("user", "totp", ann)
    assert "\\u" not in told
    assert fact(told, "uri").startswith("otpauth://")


def test_a_password_is_read_from_standard_input(caret: Caret, directory: Directory, ann: str) -> None:
    secret = directory.enrol_totp(ann)
    caret.run("user", "password", ann, "--stdin", given="größer als acht\nnot this\n".encode())
    directory.prove(ann, pyotp.TOTP(secret).now(), password="größer als acht")
    assert "--stdin" in caret.error("user", "password", ann, code=2)
    told = caret.run("user", "password", ann, "--stdin", code=2, given=b"short\n").stderr
    assert b"length >= 8" in told
    assert b"short" not in told


@pytest.mark.parametrize(("second", "is_taken"), [("correct horse", True), ("wrong horse", False)])
def test_a_password_is_typed_twice_and_not_shown(
    caret: Caret, directory: Directory, ann: str, second: str, is_taken: bool
) -> None:
    master, slave = pty.openpty()
    with os.fdopen(master, "rb+", buffering=0) as terminal:
        process = subprocess.Popen(
            ["setsid", "--ctty", "--wait", sys.executable, "-m", "gateway", "user", "password", ann],
            cwd=caret.cwd,
            env=caret.environment(),
            stdin=slave,
            stdout=slave,
            stderr=slave,
        )
        os.close(slave)
        shown = b""
        for mark, typed in ((b"for ", "correct horse"), (b"epeat", second)):
            while mark not in shown:
                shown += terminal.read(1024)
            terminal.write(f"{typed}\n".encode())
        if not is_taken:
            while b"match" not in shown:
                shown += terminal.read(1024)
            process.terminate()
        process.wait(60)
        shown += drained(terminal)
    assert b"horse" not in shown
    assert directory.user(ann).has_password == is_taken


# ---------------------------------------------------------------- from nothing


def test_the_first_project_needs_no_configuration(serve: Callable[..., Server], tmp_path: Path) -> None:
    server = serve(data=tmp_path / "data", environment={"CARET_ROOT_ACCESS_KEY": "", "CARET_ROOT_SECRET_KEY": ""})
    environment = clean_environment(CARET_ENDPOINT=server.url)

    def caret(*words: str) -> str:
        command = [sys.executable, "-m", "gateway", *words]
        return subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True, timeout=60
        ).stdout

    number = fact(caret("project", "create", "p11", "--sensitive"), "number")
    caret("user", "create", "ann")
    secret = fact(caret("user", "totp", "ann"), "secret")
    caret("member", "grant", "p11", "ann", "import", "export")
    key = caret("key", "create", "p11", "ann")
    credentials = {"aws_access_key_id": fact(key, "access key"), "aws_secret_access_key": fact(key, "secret key")}
    once = Config(retries={"total_max_attempts": 1})
    sts = boto3.client("sts", endpoint_url=server.url, region_name=server.region, config=once, **credentials)
    made = sts.assume_role(
        RoleArn=f"arn:aws:iam::{number}:role/import",
        RoleSessionName="laptop",
        SerialNumber=f"arn:aws:iam::{number}:mfa/ann",
        TokenCode=pyotp.TOTP(secret).now(),
    )["Credentials"]
    s3 = boto3.client(
        "s3",
        endpoint_url=server.url,
        region_name=server.region,
        aws_access_key_id=made["AccessKeyId"],
        aws_secret_access_key=made["SecretAccessKey"],
        aws_session_token=made["SessionToken"],
        config=once,
    )
    s3.create_bucket(Bucket="arrivals")
    s3.put_object(Bucket="arrivals", Key="k", Body=b"content")


def test_the_first_project_of_the_documentation(serve: Callable[..., Server], tmp_path: Path) -> None:
    server = serve(workers=1)
    page = (REPOSITORY / "docs/access.md").read_text(encoding="utf-8")
    shown = re.search(r"<!-- first project -->\n(.*?)<!-- /first project -->", page, re.DOTALL)
    assert shown is not None
    script = f'set -e; caret() {{ "{sys.executable}" -m gateway "$@"; }}\n{shown[1]}'
    done = subprocess.run(
        ["sh", "-c", script], env=Caret(server).environment(), capture_output=True, text=True, check=True, timeout=60
    )
    assert fact(done.stdout, "two factors") == "yes"
    assert done.stdout.splitlines()[-1].split() == ["ann", "export,", "import"]


def test_a_rotation_seals_what_the_gateway_keeps(serve: Callable[..., Server]) -> None:
    server = serve(workers=1)
    caret = Caret(server)
    caret("user", "create", "ann", "--project", "default", "--right", "member")
    key = caret.json("key", "create", "default", "ann")
    server.stop()
    kept = server.data / "secret-keys"
    newer = "5e" * 32 + "\n"
    kept.write_text(newer + kept.read_text())
    assert caret("key", "rotate", "--data", server.data) == "1 secret sealed anew\n"
    assert caret("key", "rotate", "--data", server.data) == "0 secrets sealed anew\n"
    kept.write_text(newer)
    server.start()
    server.client(access_key=key["access_key"], secret_key=key["secret"]).list_buckets()
    assert "no gateway's directory" in caret.error("key", "rotate", "--data", server.data / "none", code=3)
