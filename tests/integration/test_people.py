"""Access keys and sessions of the directory, as S3 clients use them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from gateway.access.directory import Directory, open_directory
from gateway.access.model import NewSession, ProjectPolicy
from gateway.access.rights import Right
from gateway.access.vault import open_vault

from .server import Server, until, wait_for_news


@pytest.fixture(scope="module")
def directory(gateway: Server) -> Iterator[Directory]:
    """The running gateway's, in which this process changes things beside it."""
    opened = open_directory(gateway.data, None, open_vault(gateway.data))
    yield opened
    opened.close()


@pytest.fixture
def project(directory: Directory, name: str) -> str:
    """A project of two factors with the member `NAME-ann`."""
    directory.create_project(name, ProjectPolicy(requires_session=True))
    directory.create_user(f"{name}-ann")
    directory.grant(name, f"{name}-ann", Right.MEMBER)
    return name


def client_of(gateway: Server, made: NewSession) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=gateway.url,
        region_name=gateway.region,
        aws_access_key_id=made.session.access_key,
        aws_secret_access_key=made.secret,
        aws_session_token=made.token,
        config=Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}),
    )


def code(call: Any, **arguments: Any) -> tuple[int, str]:
    with pytest.raises(ClientError) as refused:
        call(**arguments)
    answer = refused.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]


def test_a_key_alone_is_not_enough_where_the_project_says_so(
    gateway: Server, directory: Directory, project: str
) -> None:
    made = directory.create_key(project, f"{project}-ann")
    s3 = gateway.client(access_key=made.key.access_key, secret_key=made.secret)
    assert code(s3.list_buckets) == (403, "AccessDenied")
    directory.set_policy(project, ProjectPolicy())
    until(lambda: _answers(s3), 5, "the key to be enough")


def _answers(s3: Any) -> bool:
    try:
        s3.list_buckets()
    except ClientError:
        return False
    return True


def test_a_session_is_good_for_its_own_project_only(
    gateway: Server, directory: Directory, project: str, bucket: str
) -> None:
    s3 = client_of(gateway, directory.begin_session(project, f"{project}-ann", frozenset({Right.MEMBER}), 3600))
    s3.create_bucket(Bucket="same-name")
    s3.put_object(Bucket="same-name", Key="k", Body=b"of the project")
    assert [found["Name"] for found in s3.list_buckets()["Buckets"]] == ["same-name"]
    assert code(s3.list_objects_v2, Bucket=bucket) == (404, "NoSuchBucket")


def test_tokens_that_do_not_fit_are_refused(gateway: Server, directory: Directory, project: str) -> None:
    one, other = (directory.begin_session(project, f"{project}-ann", frozenset({Right.MEMBER}), 3600) for _ in range(2))
    crossed = NewSession(one.session, one.secret, other.token)
    assert code(client_of(gateway, crossed).list_buckets) == (400, "InvalidToken")
    without = gateway.client(access_key=one.session.access_key, secret_key=one.secret)
    assert code(without.list_buckets) == (403, "InvalidAccessKeyId")


def test_a_session_that_has_run_out_is_refused(gateway: Server, directory: Directory, project: str) -> None:
    made = directory.begin_session(project, f"{project}-ann", frozenset({Right.MEMBER}), 1)
    s3 = client_of(gateway, made)
    until(lambda: not _answers(s3), 5, "the session to run out")
    assert code(s3.list_buckets) == (400, "ExpiredToken")


def test_a_disabled_user_is_out_within_a_moment(gateway: Server, directory: Directory, project: str) -> None:
    s3 = client_of(gateway, directory.begin_session(project, f"{project}-ann", frozenset({Right.MEMBER}), 3600))
    s3.list_buckets()
    directory.disable_user(f"{project}-ann")
    wait_for_news()
    assert code(s3.list_buckets) == (403, "InvalidAccessKeyId")
