"""Somebody with a key of a project that asks for two factors, and what he has at hand."""

from __future__ import annotations

import contextlib
import os
import pty
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pyotp
from botocore.config import Config

from gateway.access.directory import Directory
from gateway.access.model import NewKey, ProjectPolicy
from gateway.access.rights import Right

from .awscli import Aws
from .server import Server

ONCE = Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"})


@dataclass
class Person:
    """Somebody with a key of a project that asks for two factors, where he has the rights member and export."""

    gateway: Server
    directory: Directory
    name: str
    number: str
    key: NewKey
    totp: pyotp.TOTP

    @property
    def serial(self) -> str:
        return f"arn:aws:iam::{self.number}:mfa/{self.name}"

    @property
    def factor(self) -> dict[str, str]:
        """Good for one session: a code is used up."""
        return {"SerialNumber": self.serial, "TokenCode": self.totp.now()}

    @property
    def wrong_code(self) -> str:
        return f"{(int(self.totp.now()) + 500_000) % 1_000_000:06d}"

    def role(self, right: str) -> str:
        return f"arn:aws:iam::{self.number}:role/{right}"

    def client(self, service: str, credentials: Mapping[str, Any] | None = None) -> Any:
        """With the key alone, or as boto3 users put an answer's Credentials to use."""
        with_key = {"AccessKeyId": self.key.key.access_key, "SecretAccessKey": self.key.secret}
        given = credentials or with_key
        return boto3.client(
            service,
            endpoint_url=self.gateway.url,
            region_name=self.gateway.region,
            aws_access_key_id=given["AccessKeyId"],
            aws_secret_access_key=given["SecretAccessKey"],
            aws_session_token=given.get("SessionToken"),
            config=ONCE,
        )

    def environment(self, home: Path) -> dict[str, str]:
        """For commands: the key in the environment."""
        return {
            "HOME": str(home),
            "AWS_ACCESS_KEY_ID": self.key.key.access_key,
            "AWS_SECRET_ACCESS_KEY": self.key.secret,
            "AWS_ENDPOINT_URL": self.gateway.url,
            "AWS_REGION": self.gateway.region,
            "AWS_DEFAULT_REGION": self.gateway.region,  # aws-cli v1 knows this one only
        }


def person(gateway: Server, directory: Directory, project: str) -> Person:
    number = directory.create_project(project, ProjectPolicy(requires_session=True)).number
    user = directory.create_user(f"{project}-ann").name
    for right in (Right.MEMBER, Right.EXPORT):
        directory.grant(project, user, right)
    totp = pyotp.TOTP(directory.enrol_totp(user))
    return Person(gateway, directory, user, number, directory.create_key(project, user), totp)


def works(s3: Any) -> None:
    """A bucket of the session's own project is made, written to and read."""
    with contextlib.suppress(s3.exceptions.BucketAlreadyOwnedByYou):
        s3.create_bucket(Bucket="of-the-project")
    s3.put_object(Bucket="of-the-project", Key="k", Body=b"content")
    assert s3.get_object(Bucket="of-the-project", Key="k")["Body"].read() == b"content"


# ---------------------------------------------------------------- commands


def on_terminal(command: list[str], environment: Mapping[str, str], typed: str) -> str:
    """Runs a command that has a terminal, where `typed` is the answer to its one question; its standard output."""
    master, slave = pty.openpty()
    with os.fdopen(master, "rb+", buffering=0) as terminal:
        process = subprocess.Popen(
            ["setsid", "--ctty", "--wait", *command],
            env=dict(environment),
            stdin=slave,
            stdout=subprocess.PIPE,
            stderr=slave,
        )
        os.close(slave)
        asked = b""
        while b"code" not in asked:
            asked += terminal.read(1024)
        terminal.write(f"{typed}\n".encode())
        output, _ = process.communicate(timeout=60)
        assert process.returncode == 0, asked + drained(terminal)
    assert b"code" not in output
    return output.decode()


def drained(terminal: Any) -> bytes:
    told = b""
    with contextlib.suppress(OSError):  # EIO: nobody has it open any more
        while piece := terminal.read(1024):
            told += piece
    return told


class Cli:
    """aws-cli with a config file of its own."""

    def __init__(self, aws: Aws, home: Path, environment: Mapping[str, str]) -> None:
        self.aws, self.config = aws, home / "aws-config"
        self.config.touch()
        kept = {name: value for name, value in aws.environment.items() if not name.startswith("AWS_")}
        self.environment = {**kept, "AWS_CONFIG_FILE": str(self.config), "AWS_MAX_ATTEMPTS": "1", **environment}
        self.environment["AWS_EC2_METADATA_DISABLED"] = "true"
        self.environment["AWS_SHARED_CREDENTIALS_FILE"] = str(home / "aws-credentials")

    def __call__(self, *arguments: str, code: str | None = None) -> str:
        """Standard output. `code`: typed when the terminal asks for it."""
        command = [str(self.aws.executable), *arguments]
        if code is None:
            done = subprocess.run(command, env=self.environment, capture_output=True, timeout=60, check=False)
            assert done.returncode == 0, done.stderr.decode()
            return done.stdout.decode()
        return on_terminal(command, self.environment, code)
