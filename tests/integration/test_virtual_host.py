"""Virtual-host addressing: the bucket is part of the host name, under a configured domain."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from .raw import Raw
from .server import Server, running

DOMAIN = "s3.caret.test"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    data = tmp_path_factory.mktemp("virtual") / "data"
    with running(Server(data, environment={"CARET_DOMAIN": DOMAIN}, workers=1)) as server:
        yield server


@pytest.fixture
def raw(server: Server) -> Raw:
    return Raw(server)


@pytest.fixture
def every_host_is_local(monkeypatch: pytest.MonkeyPatch) -> None:
    resolve = socket.getaddrinfo

    def to_loopback(host: Any, *rest: Any, **named: Any) -> Any:
        return resolve("127.0.0.1" if str(host).endswith(DOMAIN) else host, *rest, **named)

    monkeypatch.setattr(socket, "getaddrinfo", to_loopback)


def test_the_bucket_is_read_from_the_host(server: Server, raw: Raw, name: str) -> None:
    server.client().create_bucket(Bucket=name)
    host = f"{name}.{DOMAIN}:{server.port}"
    assert raw.request("PUT", "/a/b", body=b"v", host=host).status == 200
    assert raw.request("GET", f"/{name}/a/b").body == b"v", "path style reaches the same bucket"
    assert raw.request("GET", "/", host=host).xml["Contents"]["Key"] == "a/b"


def test_a_branch_is_read_from_the_host(server: Server, raw: Raw, name: str) -> None:
    client = server.client()
    client.create_bucket(Bucket=f"dev.{name}")
    for body in (b"old", b"new"):
        client.put_object(Bucket=f"dev.{name}", Key="k", Body=body)
    assert raw.request("GET", "/k", host=f"dev.{name}.{DOMAIN}").body == b"new"
    assert raw.request("GET", "/k", host=f"head-1.dev.{name}.{DOMAIN}").body == b"old"


def test_the_domain_itself_is_path_style(server: Server, raw: Raw, name: str) -> None:
    server.client().create_bucket(Bucket=name)
    assert raw.request("HEAD", f"/{name}", host=DOMAIN).status == 200
    assert "Buckets" in raw.request("GET", "/", host=DOMAIN).xml


def test_another_domain_is_path_style(server: Server, raw: Raw, name: str) -> None:
    server.client().create_bucket(Bucket=name)
    assert raw.request("HEAD", f"/{name}", host="elsewhere.test").status == 200


def test_a_missing_bucket_in_the_host_is_refused(raw: Raw, name: str) -> None:
    reply = raw.request("GET", "/k", host=f"{name}.{DOMAIN}")
    assert (reply.status, reply.code) == (404, "NoSuchBucket")


@pytest.mark.parametrize("signature", ["s3v4", "s3"], ids=["SigV4", "SigV2"])
@pytest.mark.usefixtures("every_host_is_local")
def test_boto3_addresses_buckets_by_host(server: Server, name: str, signature: str) -> None:
    endpoint = f"http://{DOMAIN}:{server.port}"
    client = server.client(signature=signature, addressing="virtual", endpoint=endpoint)
    client.create_bucket(Bucket=name)
    client.put_object(Bucket=name, Key="a key", Body=b"v")
    assert client.get_object(Bucket=name, Key="a key")["Body"].read() == b"v"
    assert [one["Key"] for one in client.list_objects_v2(Bucket=name)["Contents"]] == ["a key"]
    assert server.client().get_object(Bucket=name, Key="a key")["Body"].read() == b"v"
    client.delete_bucket(Bucket=name)
