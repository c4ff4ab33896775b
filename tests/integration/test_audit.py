"""The audit log of a running gateway: what is in it, and that it is there before an answer is."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError

from gateway.access.audit import AuditLog
from gateway.access.chain import Query
from gateway.access.directory import Directory, open_directory
from gateway.access.model import NewSession, ProjectPolicy
from gateway.access.rights import Right
from gateway.access.vault import open_vault
from gateway.client.connection import Connection, Credentials, Refusal
from tests.archives import tar_of

from .enrolled import enrol
from .people import Person
from .server import REPOSITORY, Server, clean_environment, until

EVERYTHING = ProjectPolicy(requires_session=True, audits="everything")


def records(directory: Directory, **query: Any) -> list[Mapping[str, Any]]:
    with contextlib.closing(AuditLog(directory.database)) as log:
        assert log.verify().is_whole
        return [json.loads(entry.record) for entry in log.search(Query(**query))]


def client_of(gateway: Server, made: NewSession) -> Any:
    client = gateway.client(access_key=made.session.access_key, secret_key=made.secret)
    client._request_signer._credentials.token = made.token
    return client


def sensitive(directory: Directory, name: str, *rights: Right) -> NewSession:
    """A session in a new project that audits everything."""
    directory.create_project(name, EVERYTHING)
    directory.create_user(f"{name}-ann")
    for right in rights:
        directory.grant(name, f"{name}-ann", right)
    return directory.begin_session(name, f"{name}-ann", frozenset(rights), 3600)


def test_everything_is_recorded_where_the_project_asks_for_it(gateway: Server, directory: Directory, name: str) -> None:
    made = sensitive(directory, name, Right.MEMBER)
    s3 = client_of(gateway, made)
    s3.create_bucket(Bucket=name)
    version = s3.put_object(Bucket=name, Key="k/ø", Body=b"0123456789")["VersionId"]
    s3.get_object(Bucket=name, Key="k/ø")["Body"].read()
    s3.get_object(Bucket=name, Key="k/ø", Range="bytes=2-4", VersionId=version)["Body"].read()
    s3.head_object(Bucket=name, Key="k/ø")
    listed = s3.list_objects_v2(Bucket=name)
    s3.copy_object(Bucket=name, Key="copy", CopySource={"Bucket": name, "Key": "k/ø"})
    archive = tar_of({"one": b"1", "two": b"2"})
    s3.put_object(Bucket=name, Key="batch.tar", Body=archive, Metadata={"snowball-auto-extract": "true"})
    with pytest.raises(ClientError):
        s3.get_object(Bucket=name, Key="absent")

    found = records(directory, project=name, who=f"{name}-ann")
    assert [(record["operation"], record["outcome"]) for record in found] == [
        ("CreateBucket", "allowed"),
        ("PutObject", "allowed"),
        ("GetObject", "allowed"),
        ("GetObject", "allowed"),
        ("HeadObject", "allowed"),
        ("ListObjectsV2", "allowed"),
        ("CopyObject", "allowed"),
        ("PutObjectExtract", "allowed"),
        ("GetObject", "failed"),
    ]
    assert [record["bytes"] for record in found[2:5]] == [10, 3, 0]
    assert {record["version_id"] for record in found[1:5]} == {version}
    assert found[2]["key"] == "k/ø"
    assert found[5]["bytes"] == int(listed["ResponseMetadata"]["HTTPHeaders"]["content-length"])
    assert found[6]["source"].startswith(name)
    assert (found[7]["key"], bool(found[7]["version_id"])) == ("batch.tar", True)
    assert found[8]["code"] == "NoSuchKey"
    for record in found:
        assert record["session"] == record["access_key"] == made.session.access_key
        assert (record["bucket"], record["address"]) == (name, "127.0.0.1")
        assert len(record["request_id"]) == 16
    text = json.dumps(found)
    assert made.secret not in text
    assert made.token not in text


def test_presigned_reads_are_those_of_whoever_signed(gateway: Server, directory: Directory, name: str) -> None:
    s3 = client_of(gateway, sensitive(directory, name, Right.MEMBER))
    s3.create_bucket(Bucket=name)
    s3.put_object(Bucket=name, Key="k", Body=b"content")
    link = urlsplit(s3.generate_presigned_url("get_object", Params={"Bucket": name, "Key": "k"}))
    assert gateway.get(f"{link.path}?{link.query}")[2] == b"content"
    record = records(directory, project=name, operation="GetObject")[0]
    assert (record["who"], record["bytes"]) == (f"{name}-ann", 7)


def test_an_import_and_what_it_is_refused_are_recorded(gateway: Server, directory: Directory, name: str) -> None:
    s3 = client_of(gateway, sensitive(directory, name, Right.IMPORT))
    s3.create_bucket(Bucket=name)
    s3.put_object(Bucket=name, Key="k", Body=b"content")
    with pytest.raises(ClientError):
        s3.get_object(Bucket=name, Key="k")
    found = [
        (record["operation"], record["outcome"], record.get("code")) for record in records(directory, project=name)
    ]
    assert ("PutObject", "allowed", None) in found
    assert found[-1] == ("GetObject", "refused", "AccessDenied")


def test_reads_over_the_rest_api_are_recorded(gateway: Server, directory: Directory, name: str) -> None:
    made = sensitive(directory, name, Right.MEMBER)
    client_of(gateway, made).create_bucket(Bucket=name)
    credentials = Credentials(made.session.access_key, made.secret, made.token)
    with contextlib.closing(Connection(gateway.url, credentials, region=gateway.region)) as api:
        api.call("ls", repo=name, rev="main")
    record = records(directory, project=name, operation="ls")[0]
    assert record["about"] == {"repo": name, "rev": "main"}
    assert record["bytes"] > 0


def test_the_default_project_records_no_reads_and_writes(
    gateway: Server, s3: Any, directory: Directory, bucket: str
) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"content")
    s3.get_object(Bucket=bucket, Key="k")["Body"].read()
    s3.put_bucket_acl(Bucket=bucket, ACL="public-read")
    found = [record["operation"] for record in records(directory) if record.get("bucket") == bucket]
    assert found == ["PutBucketAcl"]


def test_changes_over_the_rest_api_are_recorded(api: Connection, directory: Directory, name: str) -> None:
    api.call("create_repo", name=name)
    api.call("get_repo", repo=name)
    api.call("create_branch", repo=name, name="dev")
    found = [record for record in records(directory, who="root") if record.get("about") == {"repo": name}]
    assert [record["operation"] for record in found] == ["create_branch"]


def test_refusals_are_recorded_in_every_project(
    gateway: Server, s3: Any, directory: Directory, bucket: str, name: str
) -> None:
    before = len(records(directory))
    assert gateway.get(f"/{bucket}/k")[0] == 403
    stranger = gateway.client(access_key="NOBODYSKEY", secret_key="none")
    forger = gateway.client(secret_key="wrong")
    for client in (stranger, forger):
        with pytest.raises(ClientError):
            client.get_object(Bucket=bucket, Key="k")
    found = records(directory, after=before)
    assert [(record["code"], record.get("who"), record.get("access_key")) for record in found] == [
        ("AccessDenied", None, None),
        ("InvalidAccessKeyId", None, "NOBODYSKEY"),
        ("SignatureDoesNotMatch", "root", gateway.access_key),
    ]
    assert {record["outcome"] for record in found} == {"refused"}


def test_a_key_without_its_second_factor_is_refused_and_recorded(researcher: Person) -> None:
    with pytest.raises(ClientError):
        researcher.client("s3").list_buckets()
    record = records(researcher.directory, who=researcher.name)[-1]
    assert (record["operation"], record["code"]) == ("ListBuckets", "AccessDenied")


def test_log_ins_and_wrong_codes_are_recorded(researcher: Person) -> None:
    sts = researcher.client("sts")
    with pytest.raises(ClientError):
        sts.get_session_token(SerialNumber=researcher.serial, TokenCode=researcher.wrong_code)
    given = sts.assume_role(RoleArn=researcher.role("export"), RoleSessionName="laptop", **researcher.factor)
    issued = given["Credentials"]
    wrong, right = records(researcher.directory, who=researcher.name)
    assert (wrong["operation"], wrong["outcome"], wrong["code"]) == ("GetSessionToken", "refused", "AccessDenied")
    assert (right["operation"], right["outcome"]) == ("AssumeRole", "allowed")
    assert right["about"]["issued"] == issued["AccessKeyId"]
    assert right["about"]["second_factor"] is True
    text = json.dumps([wrong, right])
    assert researcher.wrong_code not in text
    assert issued["SessionToken"] not in text


def test_log_ins_as_the_original_has_them_are_recorded(gateway: Server, directory: Directory, name: str) -> None:
    ann = enrol(gateway, directory, name, f"{name}-eve")
    api_key = ann.register()
    assert ann.ask_for_token(otp="no-such-code").status == 401
    assert ann.ask_for_token(user_name="typed-a-password-here").status in (401, 403)
    token = ann.token("s3import")
    found = [record for record in records(directory, project=name) if record["operation"].startswith("Tsd")]
    assert [(record["operation"], record["outcome"], record.get("who")) for record in found] == [
        ("TsdApiKey", "allowed", ann.name),
        ("TsdToken", "refused", ann.name),
        ("TsdToken", "refused", None),
        ("TsdToken", "allowed", ann.name),
    ]
    text = json.dumps(found)
    assert not [secret for secret in (api_key, token, "typed-a-password-here", "no-such-code") if secret in text]


# ---------------------------------------------------------------- before the first byte


@pytest.fixture
def alone(serve: Callable[..., Server], name: str) -> Iterator[tuple[Server, Directory, Any]]:
    """A gateway of the test's own with a project that audits everything, its directory, and a client of an exporter
    and member."""
    server = serve(workers=1)
    with contextlib.closing(open_directory(server.data, None, open_vault(server.data))) as directory:
        s3 = client_of(server, sensitive(directory, name, Right.MEMBER))
        s3.create_bucket(Bucket=name)
        s3.put_object(Bucket=name, Key="large", Body=os.urandom(32 << 20))
        s3.put_object(Bucket=name, Key="small", Body=b"content")
        yield server, directory, s3


def test_the_record_is_there_when_the_first_byte_is(alone: tuple[Server, Directory, Any], name: str) -> None:
    server, directory, s3 = alone
    link = urlsplit(s3.generate_presigned_url("get_object", Params={"Bucket": name, "Key": "large"}))
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(f"GET {link.path}?{link.query} HTTP/1.1\r\nHost: {link.netloc}\r\n\r\n".encode())
        assert connection.recv(1) == b"H"
        server.kill()
    record = records(directory, project=name, operation="GetObject")[-1]
    assert (record["key"], record["bytes"]) == ("large", 32 << 20)


def test_what_can_not_be_recorded_is_not_read(alone: tuple[Server, Directory, Any], name: str) -> None:
    server, _, s3 = alone
    s3.get_object(Bucket=name, Key="small")["Body"].read()
    with (server.data / "gateway.lock").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another writer that does not come to an end
        for call in (s3.get_object, s3.head_object):
            with pytest.raises(ClientError) as refused:
                call(Bucket=name, Key="small")
            assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503
        root = server.client()
        root.create_bucket(Bucket="elsewhere")
        root.put_object(Bucket="elsewhere", Key="k", Body=b"content")
        assert root.get_object(Bucket="elsewhere", Key="k")["Body"].read() == b"content", "which records no reads"
        with contextlib.closing(server.api()) as api, pytest.raises(Refusal) as busy:
            api.call("create_branch", repo="elsewhere", name="dev")
        assert (busy.value.status, busy.value.code) == (503, "Busy")
    until(lambda: _reads(s3, name), 5, "reads to be recorded again")
    assert "caret_audit_failures_total 3.0" in server.get("/-/metrics")[2].decode()


def _reads(s3: Any, name: str) -> bool:
    try:
        return bool(s3.get_object(Bucket=name, Key="small")["Body"].read() == b"content")
    except ClientError:
        return False


# ---------------------------------------------------------------- the command


def caret(*arguments: str, data: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "gateway", *arguments, "--data", str(data)]
    return subprocess.run(
        command, cwd=REPOSITORY, env=clean_environment(), capture_output=True, text=True, timeout=60, check=False
    )


def test_the_command_searches_and_verifies(gateway: Server, directory: Directory, name: str) -> None:
    made = sensitive(directory, name, Right.MEMBER)
    ended = caret("session", "end", made.session.access_key, data=gateway.data)
    assert ended.returncode == 0
    found = caret("audit", "search", "--operation", "end_session", "-n", "1", "--json", data=gateway.data)
    record = json.loads(found.stdout)
    assert record["about"] == {"access_key": made.session.access_key, "user": f"{name}-ann"}
    assert record["who"].startswith("os:")
    lines = caret("audit", "search", "--project", name, data=gateway.data).stdout.splitlines()
    assert lines[0].split() == ["SEQ", "TIME", "PROJECT", "WHO", "OPERATION", "OUTCOME", "WHAT", "ADDRESS"]
    assert [line.split()[4] for line in lines[1:]] == ["create_project", "grant", "end_session"]
    head = json.loads(caret("audit", "verify", "--json", data=gateway.data).stdout)["head"]
    directory.create_user(f"{name}-ben")
    assert caret("audit", "verify", "--head", head, data=gateway.data).returncode == 0
    assert caret("audit", "verify", "--head", "00" * 31 + "01", data=gateway.data).returncode == 1


def test_a_broken_chain_is_told_with_an_exit_code(tmp_path: Path) -> None:
    with contextlib.closing(open_directory(tmp_path, None, open_vault(tmp_path))) as directory:
        for user in ("ann", "ben", "eve"):
            directory.create_user(user)
        with directory.database.transaction() as conn:
            conn.script("DROP TRIGGER audit_no_delete")
            conn.script("DELETE FROM audit WHERE seq = 2")
    verified = caret("audit", "verify", data=tmp_path)
    assert verified.returncode == 1
    assert "broken at record 2: missing" in verified.stderr
