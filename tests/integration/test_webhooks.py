"""Webhooks of a real gateway: made, told, shown, deleted; across a SIGKILL, and where they may not lead."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gateway.api import model
from gateway.client.connection import Connection, Refusal
from tests.stores import PostgreSQL

from .receiver import Receiver
from .server import Server, running, until

ALLOWED = ("--webhook-allow", "127.0.0.1/32")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    found = Receiver()
    yield found
    found.stop()


def create(api: Connection, repo: str, url: str, **fields: str) -> model.Webhook:
    made = api.call("create_webhook", repo=repo, url=url, **fields)
    assert isinstance(made, model.Webhook)
    return made


def write(server: Server, bucket: str, count: int = 1) -> list[str]:
    s3 = server.client()
    return [str(s3.put_object(Bucket=bucket, Key="k", Body=b"x")["VersionId"]) for _ in range(count)]


def test_commits_arrive_signed_and_across_a_sigkill(serve: Callable[..., Server], receiver: Receiver) -> None:
    server = serve(options=ALLOWED)
    server.client().create_bucket(Bucket="images")
    with contextlib.closing(server.api()) as api:
        made = create(api, "images", receiver.url, branches="m*")
        assert made.secret is not None
        commits = write(server, "images", 3)
        until(lambda: receiver.commits() == commits, 10, "the first deliveries")
        receiver.answer = lambda _: 503
        commits += write(server, "images", 2)
        until(lambda: len(receiver.told) > 3, 10, "a failed delivery")
        until(lambda: "503" in (shown(api, made).last_error or ""), 10, "the error to be shown")
        assert shown(api, made).pending == 2
    server.kill()
    receiver.answer = lambda _: 200
    server.start()
    until(lambda: len(receiver.taken) >= 5, 60, "the other deliveries")
    assert receiver.commits() == commits
    assert all(told.is_signed_with(made.secret) for told in receiver.told)
    assert made.secret not in server.log.read_text()
    with contextlib.closing(server.api()) as api:
        until(lambda: shown(api, made).pending == 0, 5, "nothing to be left")
        assert shown(api, made).last_error is None
    assert 'caret_webhook_deliveries_total{outcome="delivered"}' in server.get("/-/metrics")[2].decode()


def shown(api: Connection, webhook: model.Webhook) -> model.Webhook:
    found = api.call("get_webhook", repo="images", id=webhook.id)
    assert isinstance(found, model.Webhook)
    assert found.secret is None
    return found


def test_of_two_machines_one_delivers(postgresql: PostgreSQL, tmp_path: Path, receiver: Receiver) -> None:
    objects = tmp_path / "objects"
    objects.mkdir()
    options = ("--database-url", postgresql.new_database(), "--blob-url", objects.as_uri(), *ALLOWED)
    one, other = (Server(tmp_path / name, options=options, workers=1) for name in "ab")
    with running(one), running(other), contextlib.closing(one.api()) as api:
        one.client().create_bucket(Bucket="shared")
        create(api, "shared", receiver.url)
        commits = write(one, "shared", 5)
        commits += write(other, "shared", 5)
        until(lambda: len(receiver.taken) >= 10, 20, "the deliveries")
        assert [told.commit for told in receiver.told] == commits
        assert other.stop() == 0
        commits += write(one, "shared", 2)
        until(lambda: receiver.commits() == commits, 40, "the deliveries of the one that is left")


def test_a_webhook_is_listed_and_deleted(api: Connection, bucket: str) -> None:
    first = create(api, bucket, "https://8.8.8.8/hook", secret="a secret of my own".replace(" ", "-"))
    second = create(api, bucket, "https://8.8.4.4/hook", branches="release-*")
    assert first.secret == "a-secret-of-my-own"
    assert second.secret is not None
    assert len(second.secret) >= 32
    found = api.call("list_webhooks", repo=bucket).webhooks
    assert [(hook.id, hook.branches, hook.secret) for hook in found] == [
        (first.id, "*", None),
        (second.id, "release-*", None),
    ]
    api.call("delete_webhook", repo=bucket, id=first.id)
    assert [hook.id for hook in api.call("list_webhooks", repo=bucket).webhooks] == [second.id]
    for name in ("get_webhook", "delete_webhook"):
        with pytest.raises(Refusal) as refused:
            api.call(name, repo=bucket, id=first.id)
        assert (refused.value.status, refused.value.code) == (404, "NoSuchWebhook")


@pytest.mark.parametrize(
    "url",
    [
        *("http://127.0.0.1/", "http://localhost:9000/", "http://[::1]/", "http://169.254.169.254/latest/"),
        *("http://10.0.0.1/", "http://2130706433/", "http://127.1/", "http://[::ffff:127.0.0.1]/"),
        *("ftp://8.8.8.8/", "http://user@8.8.8.8/", "8.8.8.8", "http://8.8.8.8:0/", "http://8.8.8.8/#x"),
    ],
)
def test_a_url_that_leads_nowhere_public_is_refused(tls_gateway: Server, tls_bucket: str, url: str) -> None:
    """Of a gateway that allows no more than that."""
    api = tls_gateway.api()
    with pytest.raises(Refusal) as refused:
        create(api, tls_bucket, url)
    assert (refused.value.status, refused.value.code) == (400, "InvalidArgument")
    assert api.call("list_webhooks", repo=tls_bucket).webhooks == []


@pytest.mark.parametrize(
    "fields",
    [{"branches": "a b"}, {"branches": ""}, {"branches": "\0"}, {"secret": "x" * 15 + " "}, {"secret": "\0" * 16}],
)
def test_a_bad_pattern_or_secret_is_refused(api: Connection, bucket: str, fields: dict[str, str]) -> None:
    with pytest.raises(Refusal) as refused:
        create(api, bucket, "https://8.8.8.8/", **fields)
    assert refused.value.code == "InvalidArgument"
