"""`caret credentials` on a terminal and without one, by itself and as aws-cli's credential_process; `caret session`."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from gateway.access.rights import Right

from .awscli import Aws
from .people import Cli, Person, on_terminal, works
from .server import clean_environment, free_port, until

CARET = str(Path(sys.executable).with_name("caret"))


class Caret:
    """`caret` as researcher runs it, on a machine of her own."""

    def __init__(self, researcher: Person, home: Path) -> None:
        self.cache = home / "cache"
        self.environment = clean_environment(**researcher.environment(home), XDG_CACHE_HOME=str(self.cache))

    def __call__(self, *arguments: str, code: str) -> str:
        """Standard output of a command that has a terminal and asks there for the code."""
        return on_terminal([CARET, *arguments], self.environment, code)

    def detached(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Without a terminal."""
        return subprocess.run(
            [CARET, *arguments],
            env={**self.environment, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            start_new_session=True,
        )


@pytest.fixture
def caret(researcher: Person, tmp_path: Path) -> Caret:
    return Caret(researcher, tmp_path)


def session_of(output: str) -> Mapping[str, str]:
    """What a credential_process prints; boto3's Credentials have the same names."""
    document = json.loads(output)
    assert document.pop("Version") == 1
    assert document.keys() == {"AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration"}
    return dict(document)


def test_a_code_is_asked_for_once_per_session(researcher: Person, caret: Caret) -> None:
    made = session_of(caret("credentials", code=researcher.totp.now()))
    works(researcher.client("s3", made))
    again = caret.detached("credentials")
    assert (again.returncode, session_of(again.stdout)) == (0, made)
    (kept,) = caret.cache.rglob("*.json")
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert stat.S_IMODE(kept.parent.stat().st_mode) == 0o700


def test_without_a_terminal_it_says_so(caret: Caret) -> None:
    done = caret.detached("credentials")
    assert (done.returncode, done.stdout) == (1, "")
    assert "there is no terminal to ask for it" in done.stderr


def test_a_role_in_another_project(researcher: Person, caret: Caret) -> None:
    researcher.directory.grant("default", researcher.name, Right.IMPORT)
    done = caret.detached("credentials", "--role", "import", "--project", "1")  # which asks for no second factor
    assert done.returncode == 0, done.stderr
    (session,) = researcher.directory.sessions(user=researcher.name)
    assert (session.project, session.rights) == ("default", frozenset({Right.IMPORT}))
    assert session.assumed.startswith("import/caret-")
    assert caret.detached("credentials").returncode == 1  # another session: it needs a code


def test_a_role_lasts_as_long_as_asked_and_is_made_anew_when_asked(researcher: Person, caret: Caret) -> None:
    caret("credentials", "--role", "export", "--duration", "900", code=researcher.totp.now())
    (session,) = researcher.directory.sessions(user=researcher.name)
    assert session.expires_us - session.created_us == 900 * 1_000_000
    assert caret.detached("credentials", "--role", "export").returncode == 0
    assert caret.detached("credentials", "--role", "export", "--renew").returncode == 1
    too_long = caret.detached("credentials", "--role", "export", "--renew", "--duration", "999999")
    assert (too_long.returncode, "DurationSeconds" in too_long.stderr) == (1, True)


def test_a_shell_takes_the_session(researcher: Person, caret: Caret, aws: Aws) -> None:
    caret("credentials", code=researcher.totp.now())
    line = f'eval "$({CARET} credentials --export)" && {aws.executable} s3 mb s3://by-shell'
    done = subprocess.run(["sh", "-c", line], env=caret.environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "make_bucket: by-shell\n"), done.stderr


def test_of_commands_that_begin_at_once_one_asks(researcher: Person, caret: Caret) -> None:
    with ThreadPoolExecutor(2) as pool:
        asking = pool.submit(caret, "credentials", code=researcher.totp.now())
        until(lambda: list(caret.cache.rglob("*.lock")), 20, "the first command to hold the lock")
        waiting = pool.submit(caret.detached, "credentials")
        made = session_of(asking.result())
    assert session_of(waiting.result().stdout) == made


def test_a_wrong_code_is_told_and_nothing_is_kept(researcher: Person, caret: Caret) -> None:
    with pytest.raises(AssertionError, match="invalid MFA one time pass code"):
        caret("credentials", code=researcher.wrong_code)
    assert list(caret.cache.rglob("*.json")) == []


@pytest.mark.parametrize(
    ("arguments", "environment", "exit_code", "says"),
    [
        ([], {"AWS_ACCESS_KEY_ID": ""}, 2, "CARET_ACCESS_KEY"),
        ([], {"AWS_ENDPOINT_URL": "127.0.0.1:9000"}, 2, "is not an endpoint"),
        ([], {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{free_port()}"}, 3, "nothing answers"),
        ([], {"AWS_SECRET_ACCESS_KEY": "wrong"}, 1, "SignatureDoesNotMatch"),
        (["--project", "7"], {}, 2, "--project needs --role"),
        (["--role", "import", "--project", "p11"], {}, 2, "takes a project's number"),
        (["--role", "import"], {}, 1, "not authorized to perform: sts:AssumeRole"),
        (["--role", "owner"], {}, 2, "'owner' is not one of"),
        (["--profile", "nobody"], {}, 2, "'nobody' has no access key"),
    ],
)
def test_what_is_wrong_is_told(
    caret: Caret, arguments: list[str], environment: dict[str, str], exit_code: int, says: str
) -> None:
    done = caret.detached("credentials", *arguments, **environment)
    assert (done.returncode, done.stdout) == (exit_code, "")
    assert says in done.stderr


def test_a_kept_session_that_is_damaged_is_made_anew(researcher: Person, caret: Caret) -> None:
    researcher.directory.grant("default", researcher.name, Right.IMPORT)
    role = ("credentials", "--role", "import", "--project", "1")
    first = session_of(caret.detached(*role).stdout)
    (kept,) = caret.cache.rglob("*.json")
    kept.write_text(kept.read_text()[:20])
    assert session_of(caret.detached(*role).stdout) != first


def test_as_a_credential_process_of_aws_cli_and_boto3(
    aws: Aws, researcher: Person, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cli = Cli(aws, tmp_path, {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")})
    place = f"region = {researcher.gateway.region}\nendpoint_url = {researcher.gateway.url}\n"
    (tmp_path / "aws-credentials").write_text(
        f"[caret-key]\naws_access_key_id = {researcher.key.key.access_key}\n"
        f"aws_secret_access_key = {researcher.key.secret}\n"
    )
    cli.config.write_text(
        f"[profile caret-key]\n{place}"
        f"[profile caret]\n{place}credential_process = {CARET} credentials --profile caret-key --role member\n"
    )
    cli("s3", "mb", "s3://by-process", "--profile", "caret", code=researcher.totp.now())
    assert "by-process" in cli("s3", "ls", "--profile", "caret")
    for variable, value in cli.environment.items():
        monkeypatch.setenv(variable, value)
    works(boto3.Session(profile_name="caret").client("s3"))  # with the session that is kept


def test_sessions_are_listed_and_ended(researcher: Person, caret: Caret) -> None:
    made = session_of(caret("credentials", "--role", "member", code=researcher.totp.now()))
    s3 = researcher.client("s3", made)
    works(s3)
    data = ("--data", str(researcher.gateway.data))
    listed = caret.detached("session", "list", "--user", researcher.name, *data)
    assert [line.split()[:2] for line in listed.stdout.splitlines()[1:]] == [[made["AccessKeyId"], researcher.name]]
    (document,) = json.loads(caret.detached("session", "list", "--json", "--user", researcher.name, *data).stdout)
    assert (document["rights"], document["assumed"][:12]) == ("member", "member/caret")
    assert caret.detached("session", "end", *data).returncode == 2
    assert caret.detached("session", "end", "CARETTMPNOSUCHSESSIO", *data).returncode == 1
    assert (
        caret.detached("session", "end", "--user", researcher.name, *data).stdout
        == f"{made['AccessKeyId']} has ended\n"
    )
    until(lambda: _is_out(s3), 5, "the session to be over")
    assert caret.detached("session", "list", "--data", str(caret.cache / "nothing")).returncode == 3


def _is_out(s3: Any) -> bool:
    try:
        s3.list_buckets()
    except ClientError as refused:
        return bool(refused.response["Error"]["Code"] == "InvalidAccessKeyId")
    return False
