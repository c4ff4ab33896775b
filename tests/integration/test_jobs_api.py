"""Jobs over HTTP: each documented route and parameter, and each refusal."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from gateway.access.audit import AuditLog
from gateway.access.chain import Query
from gateway.access.directory import open_directory
from gateway.access.vault import open_vault
from gateway.client import Client, Credentials, Reach, Refusal

from .jobs import Document, JobApi
from .server import REPOSITORY, Server, clean_environment, free_port, running, until

TOKEN = "a-token-of-visible-characters"
JSON = {"Content_Type": "application/json"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("jobs")
    options = ("--uploads", str(folder / "uploads"), "--storage-allow", "127.0.0.0/8,elsewhere.example")
    with running(Server(folder / "data", workers=1, console_port=free_port(), options=options)) as found:
        yield found


@pytest.fixture(scope="module")
def jobs(server: Server) -> JobApi:
    return JobApi(server)


@pytest.fixture(scope="module")
def caret(server: Server) -> Iterator[Client]:
    with Client(Reach(server.url, Credentials(server.access_key, server.secret_key), server.region)) as client:
        yield client


@pytest.fixture
def uploads(server: Server) -> Path:
    return server.data.parent / "uploads"


@pytest.fixture
def source(uploads: Path, name: str) -> str:
    """A folder of eight files."""
    return folder(uploads, name)


def folder(uploads: Path, name: str, files: int = 8) -> str:
    for number in range(files):
        path = uploads / name / f"d{number % 2}" / f"{number}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{name} {number}")
    return name


def keys(caret: Client, repo: str, **where: Any) -> list[str]:
    return [item if isinstance(item, str) else item.key for item in caret.tree(repo, **where)]


# ---------------------------------------------------------------- the documented routes


def test_a_job_is_answered_at_once_and_makes_the_bucket_one_commit(
    jobs: JobApi, caret: Client, source: str, name: str
) -> None:
    began = time.monotonic()
    answer = jobs.get("/sync", source=source, dest=name, wait=0.05)
    assert answer.status == 200
    assert time.monotonic() - began < 3
    told = answer.json
    assert {"progress": "0%", "status": "running", "state": "running"}.items() <= told.items()
    assert (told["source"], told["dest"], told["wait"]) == (source, name, 0.05)
    found = jobs.done(told["id"])
    assert (found["files_done"], found["files_total"], found["failed"]) == (8, 8, 0)
    assert found["bytes_done"] == found["bytes_total"] > 0
    assert found["created"] <= found["started"] <= found["ended"]
    commits = list(caret.commits(name))
    assert [(commits[0].id, commits[0].message)] == [(found["commit_id"], f"Job {told['id']}: {source}")]
    assert len(commits) == 2  # the other one is the bucket's beginning
    assert keys(caret, name) == sorted(f"d{number % 2}/{number}.txt" for number in range(8))


def test_progress_goes_up_to_100_at_success_and_not_before(jobs: JobApi, source: str, name: str) -> None:
    number = jobs.start(source, name, wait=0.25)
    seen = [job for _, job in jobs.events(number)]
    shown = [int(job["progress"].removesuffix("%")) for job in seen]
    assert shown == sorted(shown)
    assert [job["state"] == "success" for job in seen] == [percent == 100 for percent in shown]
    assert len(set(shown)) > 3


def test_a_second_job_mirrors_what_has_changed_and_what_is_gone(
    jobs: JobApi, caret: Client, uploads: Path, source: str, name: str
) -> None:
    jobs.done(jobs.start(source, name))
    (uploads / source / "d0" / "0.txt").unlink()
    (uploads / source / "new.txt").write_text("new")
    jobs.done(jobs.start(source, name))
    assert len(list(caret.commits(name))) == 3
    assert keys(caret, name)[0] == "d0/2.txt"
    assert keys(caret, name)[-1] == "new.txt"
    assert jobs.done(jobs.start(source, name))["commit_id"] is None  # nothing has changed


def test_the_default_bucket(jobs: JobApi, caret: Client, source: str) -> None:
    told = jobs.get("/sync", source=source).json
    assert told["dest"] == "mybucket"
    jobs.done(told["id"])
    assert len(keys(caret, "mybucket")) == 8


@pytest.mark.parametrize("kind", ["form", "json", "query"])
def test_the_routes_take_posts_as_well(jobs: JobApi, source: str, name: str, kind: str) -> None:
    query = f"source={source}&dest={name}&wait=0&storage_url=&access_key=&secret_key="
    document = json.dumps({"source": source, "dest": name, "wait": 0.0}).encode()
    answer = {
        "form": lambda: jobs.ask(
            "POST", "/sync", query.encode(), Content_Type="application/x-www-form-urlencoded; charset=utf-8"
        ),
        "json": lambda: jobs.ask("POST", "/sync", document, **JSON),
        "query": lambda: jobs.ask("POST", f"/sync?{query}"),
    }[kind]()
    assert answer.status == 200, answer
    number = answer.json["id"]
    jobs.done(number)
    assert jobs.post("/get", {"id": number}).json["id"] == number
    assert jobs.post("/cancel", {"id": str(number)}).json["state"] == "success"
    assert isinstance(jobs.ask("POST", "/runnings").json, list)


def test_runnings_are_those_that_run(jobs: JobApi, source: str, name: str) -> None:
    number = jobs.start(source, name, wait=5)
    assert number in [job["id"] for job in jobs.get("/runnings").json]
    jobs.get("/cancel", id=number)
    jobs.ended(number)
    assert number not in [job["id"] for job in jobs.get("/runnings").json]


def test_a_job_is_cancelled_at_the_next_file_operation(jobs: JobApi, caret: Client, source: str, name: str) -> None:
    caret.create_repo(name)
    caret.write(name, "before", b"it")
    head = caret.resolve(name, "HEAD")
    number = jobs.start(source, name, wait=0.4)
    assert jobs.has_written(number)["state"] == "running"
    assert jobs.get("/cancel", id=number).status == 200
    found = jobs.ended(number, wait_s=5)
    assert (found["status"], found["commit_id"]) == ("cancelled", None)
    assert found["files_done"] < 9
    assert caret.resolve(name, "HEAD") == head


def test_one_job_per_destination_however_it_is_spelled(jobs: JobApi, server: Server, source: str, name: str) -> None:
    number = jobs.start(source, name, wait=5)
    for again in ({"dest": name}, {"dest": f"main.{name}"}, {"dest": name, "storage_url": server.url}):
        answer = jobs.get("/sync", source=source, **again)
        assert (answer.status, answer.code) == (409, "DestinationBusy")
        assert answer.json["error"]["details"] == {"id": number}
    other = jobs.start(source, f"draft.{name}", wait=5)
    for running_one in (number, other):
        jobs.get("/cancel", id=running_one)
        jobs.ended(running_one)


def test_more_jobs_than_run_at_once_wait_for_their_turn(jobs: JobApi, uploads: Path, name: str) -> None:
    folder(uploads, name, 2)
    numbers = [jobs.start(name, f"{name}-{number}", wait=0.2) for number in range(7)]
    assert any(jobs.job(number)["started"] is None for number in numbers)
    for number in numbers:
        jobs.done(number)


def test_a_file_that_cannot_be_transferred_ends_the_job_in_error(
    jobs: JobApi, caret: Client, uploads: Path, source: str, name: str
) -> None:
    (uploads / source / "out").symlink_to("/etc/hostname")
    found = jobs.ended(jobs.start(source, name))
    assert found["state"] == "error"
    assert found["status"] == f"error ({found['error']})"
    assert (found["failed"], [failure["path"] for failure in found["failures"]]) == (1, ["out"])
    assert "out" in found["error"]
    with pytest.raises(Refusal, match=r"NoSuchKey|NoSuchRevision|NoSuchRepo"):
        caret.stat(name, "d0/0.txt")


# ---------------------------------------------------------------- nothing to mirror


@pytest.mark.parametrize("there", ["absent", "empty", "folders only"])
def test_without_files_the_bucket_is_deleted_and_can_be_brought_back(
    jobs: JobApi, caret: Client, uploads: Path, source: str, name: str, there: str
) -> None:
    jobs.done(jobs.start(source, name))
    before = keys(caret, name)
    gone = f"{source}-gone"
    if there != "absent":
        (uploads / gone).mkdir()
    if there == "folders only":
        (uploads / gone / "a" / "b").mkdir(parents=True)
    answer = jobs.get("/sync", source=gone, dest=name)
    assert answer.json["deletes"]
    found = jobs.done(answer.json["id"])
    with pytest.raises(Refusal, match="NoSuchRepo"):
        caret.get_repo(name)
    caret.restore_branch(name, "main")
    assert keys(caret, name) == []
    assert caret.resolve(name, "HEAD") == found["commit_id"]
    assert keys(caret, name, rev="HEAD^") == before
    assert caret.log(name, limit=1).commits[0].message.startswith(f"Job {found['id']}: {gone}")


def test_deleting_a_bucket_that_is_not_there_is_done(jobs: JobApi, name: str) -> None:
    jobs.done(jobs.start("not-there", name))


def test_a_protected_branch_is_left_alone(jobs: JobApi, caret: Client, source: str, name: str) -> None:
    jobs.done(jobs.start(source, name))
    caret.protect(name, "main")
    for wanted in ("not-there", folder(jobs.server.data.parent / "uploads", f"{name}-b")):
        found = jobs.ended(jobs.start(wanted, name))
        assert found["state"] == "error"
        assert "protected" in found["error"].lower()
    assert len(keys(caret, name)) == 8


# ---------------------------------------------------------------- hostile parameters

HOSTILE_SOURCES = [
    *("", ".", "/", "./", "//", "..", "../", "../uploads", "a/../..", "a/../../b", "/etc", "/etc/passwd", "//etc"),
    *("a/..", "..\\..", "a\0b", "\0", "x" * 1025, "é" * 600, "out", "out/etc", "out-file", "loop", "dangling", "file"),
    *("file/below", "n" * 300),
]


@pytest.mark.parametrize("hostile", HOSTILE_SOURCES)
def test_a_source_that_leads_elsewhere_is_refused(jobs: JobApi, uploads: Path, hostile: str) -> None:
    for link, to in (("out", "/"), ("out-file", "/etc/passwd"), ("loop", "loop"), ("dangling", "nowhere")):
        if not os.path.lexists(uploads / link):
            (uploads / link).symlink_to(to)
    (uploads / "file").write_text("no folder")
    for answer in (jobs.get("/sync", source=hostile, dest="hostile"), jobs.post("/api/v1/jobs", {"source": hostile})):
        if hostile == "..\\..":  # a name like any other
            assert answer.status in (200, 201)
            jobs.get("/cancel", id=answer.json["id"])
            continue
        assert (answer.status, answer.code) == (400, "InvalidArgument"), hostile


def test_a_link_that_stays_below_the_uploads_is_followed(
    jobs: JobApi, caret: Client, uploads: Path, source: str, name: str
) -> None:
    (uploads / f"{name}-link").symlink_to(source)
    jobs.done(jobs.start(f"{name}-link/d0", name))
    assert keys(caret, name) == ["0.txt", "2.txt", "4.txt", "6.txt"]


@pytest.mark.parametrize(
    "query",
    [
        *("", "dest=b", "source=a&source=b", "source=a&dest=b&dest=b", "source=a&sauce=b", "source", "source=%FF"),
        "&&",
        *("source=a&dest=", "source=a&dest=A", "source=a&dest=ab", "source=a&dest=-ab", "source=a&dest=a.b.c.d"),
        *("source=a&dest=head.main.photos", "source=a&dest=a/b", "source=a&dest=a%00b", "source=a&dest=..%2Fb"),
        *("source=a&wait=x", "source=a&wait=-1", "source=a&wait=nan", "source=a&wait=inf", "source=a&wait=1e99"),
        *("source=a&wait=0x1", "source=a&wait=%20", "source=a&wait=1,5", "source=a&wait=99999999999"),
        *("source=a&access_key=k", "source=a&secret_key=s", "source=a&access_key=k&secret_key=s"),
        *("source=a&storage_url=x", "source=a&storage_url=ftp://127.0.0.1", "source=a&storage_url=file:///etc"),
        *("source=a&storage_url=http://127.0.0.1:1/path", "source=a&storage_url=http://u:p@127.0.0.1:1"),
        *("source=a&storage_url=http://127.0.0.1:0", "source=a&storage_url=http://127.0.0.1:99999"),
        "&".join(f"p{number}=1" for number in range(30)),
    ],
)  # fmt: skip
def test_parameters_that_cannot_be_are_refused(jobs: JobApi, query: str) -> None:
    before = len(jobs.get("/api/v1/jobs", limit=1000).json["jobs"])
    answer = jobs.ask("GET", f"/sync?{query}")
    assert answer.status == 400, answer
    assert set(answer.json) == {"error"}
    assert answer.json["error"]["message"]
    assert len(jobs.get("/api/v1/jobs", limit=1000).json["jobs"]) == before


@pytest.mark.parametrize("path", ["/get", "/cancel"])
@pytest.mark.parametrize(
    "query",
    [
        *("", "id=", "id=x", "id=-1", "id=0", "id=00", "id=01", "id=1.5", "id=1e3", "id=%2B1", "id=%201", "id=0x1"),
        *("id=1&id=2", "id=1&more=1", "id=99999999999999999999999", "id=1%00", "id=%D9%A1", "id=%FF", "id", "id=true"),
    ],
)
def test_what_is_no_number_is_refused(jobs: JobApi, path: str, query: str) -> None:
    assert jobs.ask("GET", f"{path}?{query}").status == 400


def test_an_unknown_job(jobs: JobApi) -> None:
    for path in (
        "/get?id=999999999999999999",
        "/cancel?id=987654",
        "/api/v1/jobs/987654",
        "/api/v1/jobs/987654/events",
    ):
        answer = jobs.get(path)
        assert (answer.status, answer.code) == (404, "NoSuchJob")
    assert jobs.ask("DELETE", "/api/v1/jobs/987654").status == 404


@pytest.mark.parametrize("number", ["x", "0", "-1", "1.5", "99999999999999999999", "%00", "1%2F2", "%D9%A1"])
def test_what_is_no_number_in_a_path_is_refused(jobs: JobApi, number: str) -> None:
    for method, path in (("GET", ""), ("DELETE", ""), ("GET", "/events")):
        answer = jobs.ask(method, f"/api/v1/jobs/{number}{path}")
        assert answer.status in (400, 404), answer
        assert answer.json["error"]["message"]


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"{", "application/json"),
        (b"[1]", "application/json"),
        (b"[" * 5000, "application/json"),
        (b'{"source": 1}', "application/json"),
        (b'{"source": "a", "wait": "1"}', "application/json"),
        (b'{"source": "a", "wait": NaN}', "application/json"),
        (b'{"source": "\\ud800"}', "application/json"),
        (b'{"source": null}', "application/json"),
        (b"\xff\xfe", "application/json"),
        (b"source=%FF", "application/x-www-form-urlencoded"),
        (b"source=\xff", "application/x-www-form-urlencoded; charset=nonsense"),
        (b"source=a", "text/plain"),
        (b"source=a", "multipart/form-data; boundary=x"),
    ],
)
def test_bodies_that_cannot_be_are_refused(jobs: JobApi, body: bytes, kind: str) -> None:
    for path in ("/sync", "/api/v1/jobs"):
        answer = jobs.ask("POST", path, body, Content_Type=kind)
        assert answer.status == 400, answer
        assert answer.json["error"]["message"]


def test_a_body_without_end_is_refused(jobs: JobApi) -> None:
    assert jobs.ask("POST", "/sync", b"x" * 2_000_000, **JSON).status == 413


def test_other_methods_are_refused(jobs: JobApi) -> None:
    for path in ("/sync", "/runnings", "/get", "/cancel"):
        for method in ("PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"):
            assert jobs.ask(method, path).status == 405, (method, path)
    for method, path in (("PUT", "/api/v1/jobs"), ("POST", "/api/v1/jobs/1"), ("HEAD", "/api/v1/jobs/1/events")):
        assert jobs.ask(method, path).status == 405
    assert jobs.ask("GET", "/api/v1/nothing").status == 404


# ---------------------------------------------------------------- who may


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Host": "evil.example"},
        {"Host": "evil.example:5000"},
        {"Host": "127.0.0.1.evil.example"},
        {"Host": "10.0.0.1"},
        {"X_Forwarded_For": "203.0.113.7"},
        {"Forwarded": "for=203.0.113.7"},
    ],
)
def test_what_another_site_or_machine_sends_changes_nothing(jobs: JobApi, headers: dict[str, str]) -> None:
    before = len(jobs.get("/api/v1/jobs", limit=1000).json["jobs"])
    for method, path in (
        ("GET", "/sync?source=a&dest=never"),
        ("POST", "/sync?source=a&dest=never"),
        ("GET", "/cancel?id=1"),
        ("DELETE", "/api/v1/jobs/1"),
    ):
        answer = jobs.ask(method, path, None, **headers)
        assert (answer.status, answer.code) == (403, "AccessDenied"), (method, path, answer)
    assert jobs.ask("POST", "/api/v1/jobs", b'{"source": "a"}', **JSON, **headers).status == 403
    assert len(jobs.get("/api/v1/jobs", limit=1000).json["jobs"]) == before


def test_another_name_of_this_machine_reads_nothing(jobs: JobApi) -> None:
    for path in ("/runnings", "/get?id=1", "/api/v1/jobs", "/api/v1/jobs/1/events", "/api/v1/openapi.json"):
        assert jobs.ask("GET", path, Host="rebound.example").status == 403


@pytest.mark.parametrize("site", ["same-origin", "none"])
def test_a_browser_on_this_machine_may_by_itself(jobs: JobApi, name: str, site: str) -> None:
    answer = jobs.ask("GET", f"/sync?source=none&dest={name}", Sec_Fetch_Site=site)
    assert answer.status == 200
    jobs.done(answer.json["id"])


# ---------------------------------------------------------------- REST


def test_the_same_as_rest(jobs: JobApi, source: str, name: str) -> None:
    answer = jobs.post("/api/v1/jobs", {"source": source, "dest": name, "wait": 5})
    assert answer.status == 201
    number = answer.json["id"]
    assert answer.headers["location"] == f"/api/v1/jobs/{number}"
    assert jobs.get(f"/api/v1/jobs/{number}").json["dest"] == name
    assert jobs.ask("DELETE", f"/api/v1/jobs/{number}").status == 200
    assert jobs.ended(number)["state"] == "cancelled"


def test_jobs_are_listed_in_pages_newest_first(jobs: JobApi, name: str) -> None:
    made = [jobs.start("none", f"{name}-{number}") for number in range(5)]
    for number in made:
        jobs.done(number)
    seen: list[int] = []
    after: str | None = ""
    while after is not None and len(seen) < 5:
        page = jobs.get("/api/v1/jobs", limit=2, state="success", **({"after": after} if after else {})).json
        assert len(page["jobs"]) <= 2
        seen += [job["id"] for job in page["jobs"]]
        after = page["next"]
    assert seen[:5] == sorted(made, reverse=True)
    for query in ("state=x", "limit=0", "limit=x", "limit=100000", "after=x", "unknown=1", "limit=1&limit=2"):
        assert jobs.ask("GET", f"/api/v1/jobs?{query}").status == 400, query


def test_the_description_names_what_there_is(jobs: JobApi) -> None:
    described = jobs.get("/api/v1/openapi.json").json
    assert set(described["paths"]) == {"/api/v1/jobs", "/api/v1/jobs/{id}", "/api/v1/jobs/{id}/events"}
    assert {"id", "progress", "status"} <= set(described["components"]["schemas"]["JobDocument"]["properties"])


def test_events_of_an_ended_job_are_its_end(jobs: JobApi, name: str) -> None:
    number = jobs.start("none", name)
    jobs.done(number)
    for again in ({}, {"Last-Event-ID": "7\N{SNOWMAN}".encode().decode("latin-1")}):
        assert [(kind, job["id"]) for kind, job in jobs.events(number, **again)] == [("end", number)]


def test_a_follower_who_leaves_costs_nothing(jobs: JobApi, source: str, name: str) -> None:
    number = jobs.start(source, name, wait=0.1)
    for _ in range(20):
        next(jobs.events(number))
    jobs.done(number)


# ---------------------------------------------------------------- other endpoints


def spellings(server: Server) -> list[str]:
    port = server.port
    return [server.url, f"http://localhost:{port}", f"http://LOCALHOST:{port}/", f"http://[::1]:{port}"]


def test_this_gateway_is_known_by_its_own_names(jobs: JobApi, server: Server, name: str) -> None:
    for number, url in enumerate(spellings(server)):
        jobs.done(jobs.start("none", f"{name}-{number}", storage_url=url))


@pytest.mark.parametrize(
    "url",
    ["http://192.0.2.1:9000", "http://10.0.0.1", "https://8.8.8.8", "http://169.254.169.254", "http://[fd00::1]:9000"],
)
def test_an_endpoint_that_nobody_has_allowed_is_refused(jobs: JobApi, url: str) -> None:
    answer = jobs.get("/sync", source="none", dest="bucket", storage_url=url, access_key="key", secret_key="secret")
    assert (answer.status, answer.json["error"]["details"]) == (400, {"at": "storage_url"})
    assert "storage_allow" in answer.json["error"]["message"]


def test_roots_credentials_go_to_no_other_endpoint(jobs: JobApi, gateway: Server) -> None:
    answer = jobs.get("/sync", source="none", dest="bucket", storage_url=gateway.url)
    assert (answer.status, answer.json["error"]["details"]) == (400, {"at": "access_key"})


def test_another_endpoint_gets_what_this_one_would(
    jobs: JobApi, gateway: Server, s3: Any, source: str, name: str
) -> None:
    there = {"storage_url": gateway.url, "access_key": gateway.access_key, "secret_key": gateway.secret_key}
    found = jobs.done(jobs.start(source, name, **there))
    assert (found["storage_url"], found["commit_id"]) == (gateway.url, None)
    assert s3.list_objects_v2(Bucket=name)["KeyCount"] == 8
    jobs.done(jobs.start("none", name, **there))
    assert name not in [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]


def test_where_another_endpoint_redirects_to_nothing_is_sent(jobs: JobApi, source: str, name: str) -> None:
    asked: list[str] = []

    class Redirecting(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(307)
            self.send_header("Location", f"http://{self.headers['Host']}/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_PUT = do_HEAD = do_POST = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Nothing: what was asked is kept."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Redirecting) as there:
        threading.Thread(target=there.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{there.server_port}"
        found = jobs.ended(jobs.start(source, name, storage_url=url, access_key="key", secret_key="secret"))
        there.shutdown()
    assert found["state"] == "error"
    assert asked
    assert not any("elsewhere" in path for path in asked)


def test_wrong_keys_for_another_endpoint_end_in_error(jobs: JobApi, gateway: Server, source: str, name: str) -> None:
    there = {"storage_url": gateway.url, "access_key": gateway.access_key, "secret_key": "not the secret"}
    assert "Signature" in jobs.ended(jobs.start(source, name, **there))["error"]


# ---------------------------------------------------------------- with a token, and what may not be


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """It asks for a token, and deletes no buckets. One more account: ann."""
    base = tmp_path_factory.mktemp("strict")
    settings = base / "caret.toml"
    settings.write_text(
        '[[accounts]]\naccess_key = "ann-key"\nsecret_key = "ann-secret-of-hers"\nid = "ann"\ndisplay_name = "Ann"\n'
    )
    options = ("--uploads", str(base / "uploads"), "--sync-deletes-bucket", "off")
    environment = {"CARET_CONSOLE_TOKEN": TOKEN, "CARET_CONFIG": str(settings)}
    found = Server(base / "data", workers=1, console_port=free_port(), options=options, environment=environment)
    with running(found):
        yield found


@pytest.fixture(scope="module")
def bearer(strict: Server) -> JobApi:
    return JobApi(strict, {"Authorization": f"Bearer {TOKEN}"})


@pytest.mark.parametrize("given", [None, "", "Bearer", f"Bearer {TOKEN}x", f"Basic {TOKEN}", "Bearer \xff\xe9", TOKEN])
def test_whoever_has_no_token_is_refused(strict: Server, given: str | None) -> None:
    api = JobApi(strict, {} if given is None else {"Authorization": given})
    for path in ("/sync?source=a", "/runnings", "/get?id=1", "/cancel?id=1", "/api/v1/jobs", "/api/v1/jobs/1/events"):
        answer = api.get(path)
        assert (answer.status, answer.code) == (401, "Unauthorized")
        assert answer.headers["www-authenticate"].startswith("Bearer")


def test_whoever_has_the_token_may_by_any_name(bearer: JobApi) -> None:
    assert bearer.ask("GET", "/runnings", Host="console.example.org").json == []
    assert bearer.ask("GET", "/sync?source=a", Sec_Fetch_Site="cross-site").status == 403


def log_in(server: Server, name: str, secret: str) -> str:
    """The cookie."""
    form = f"name={quote(name)}&password={quote(secret, safe='')}"
    answer = JobApi(server).ask(
        "POST", "/login", form.encode(), Content_Type="application/x-www-form-urlencoded", Accept="text/html"
    )
    assert answer.status == 303, answer
    return answer.headers["set-cookie"].partition(";")[0]


def test_root_logged_in_may_with_the_token_of_his_pages(strict: Server, name: str) -> None:
    api = JobApi(strict, {"Cookie": log_in(strict, strict.access_key, strict.secret_key)})
    assert api.get("/api/v1/jobs").status == 200
    assert api.get("/sync", source="none", dest=name).status == 403
    page = api.ask("GET", "/jobs", Accept="text/html").body.decode()
    csrf = page.partition('name="csrf" content="')[2].partition('"')[0]
    assert api.ask("GET", f"/sync?source=none&dest={name}", X_CSRF_Token=csrf).status == 200
    form = f"source=none&dest={name}-2&deletes=on&csrf={csrf}".encode()
    kind = {"Content_Type": "application/x-www-form-urlencoded"}
    assert api.ask("POST", "/jobs", form, **kind).status == 303
    assert api.ask("POST", "/jobs", form.replace(csrf.encode(), b"wrong"), **kind).status == 403
    assert api.ask("POST", "/jobs", form, **kind, Origin="http://evil.example").status == 403


def test_others_logged_in_may_not(strict: Server) -> None:
    api = JobApi(strict, {"Cookie": log_in(strict, "ann-key", "ann-secret-of-hers")})
    assert api.get("/api/v1/jobs").status == 401
    assert api.ask("GET", "/jobs", Accept="text/html").status == 403


def test_refusals_and_starts_are_in_the_audit_log(bearer: JobApi, strict: Server, name: str) -> None:
    JobApi(strict).get("/cancel", id=77)
    number = bearer.start("none", name)
    found = {(entry["operation"], entry["outcome"]): entry for entry in audited(strict)}
    assert found["CancelSyncJob", "refused"]["code"] == "Unauthorized"
    assert found["StartSyncJob", "allowed"]["about"]["job"] == number


def audited(server: Server) -> list[Document]:
    with contextlib.closing(open_directory(server.data, None, open_vault(server.data))) as directory:
        log = AuditLog(directory.database)
        try:
            return [json.loads(entry.record) for entry in log.search(Query())]
        finally:
            log.close()


def test_a_setting_keeps_buckets_from_being_deleted(bearer: JobApi, strict: Server, name: str) -> None:
    folder(strict.data.parent / "uploads", name)
    bearer.done(bearer.start(name, name))
    found = bearer.ended(bearer.start("not-there", name))
    assert found["state"] == "error"
    assert "sync_deletes_bucket" in found["error"]
    assert strict.client().list_objects_v2(Bucket=name)["KeyCount"] == 8


def test_a_job_with_keys_is_that_accounts_and_they_are_kept_nowhere(bearer: JobApi, strict: Server, name: str) -> None:
    folder(strict.data.parent / "uploads", name)
    with_keys = {"access_key": "ann-key", "secret_key": "ann-secret-of-hers"}
    number = bearer.start(name, name, wait=0.05, **with_keys)
    bearer.has_written(number)
    assert places_of(strict, b"ann-secret-of-hers") == []
    bearer.done(number)
    assert places_of(strict, b"ann-secret-of-hers") == []
    theirs = strict.client(access_key="ann-key", secret_key="ann-secret-of-hers")
    assert theirs.list_objects_v2(Bucket=name)["KeyCount"] == 8
    for wrong in ({**with_keys, "secret_key": "wrong"}, {**with_keys, "access_key": "nobody"}):
        answer = bearer.get("/sync", source=name, dest=name, **wrong)
        assert (answer.status, answer.json["error"]["details"]) == (400, {"at": "access_key"})


def test_a_request_that_is_no_http_does_not_show_its_keys_in_the_log(strict: Server) -> None:
    with socket.create_connection(("127.0.0.1", strict.console_port or 0)) as connection:
        connection.sendall(b"GET /sync?source=a&secret_key=spelled out HTTP/9.x\r\nHost: x\r\nBad header\r\n\r\n")
        assert b" 400 " in connection.recv(1000)
    until(lambda: b"Error handling request" in strict.log.read_bytes(), 5, "the log to tell of it")
    assert places_of(strict, b"spelled out") == []


def places_of(server: Server, secret: bytes) -> list[Path]:
    """The files that hold it: of the data folder, and the log."""
    files = [path for path in (*server.data.rglob("*"), server.log) if path.is_file()]
    return [path for path in files if secret in path.read_bytes()]


def test_without_a_folder_of_uploads_jobs_are_refused(serve: Any) -> None:
    api = JobApi(serve(workers=1, console_port=free_port()))
    answer = api.get("/sync", source="a")
    assert (answer.status, answer.code) == (503, "NoUploads")
    assert "uploads" in answer.json["error"]["message"]


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_examples_of_the_documentation(serve: Any, tmp_path: Path) -> None:
    folder(tmp_path / "uploads", "photos")
    server = serve(workers=1, console_port=free_port(), options=("--uploads", str(tmp_path / "uploads")))
    page = (REPOSITORY / "docs/jobs.md").read_text(encoding="utf-8")
    script = page.partition("<!-- examples -->")[2].partition("<!-- /examples -->")[0]
    environment = clean_environment(CONSOLE=server.console_url)
    run = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script], env=environment, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert '"status":"cancelled"' in run.stdout
    last = json.loads(run.stdout.rpartition("event: end\ndata: ")[2])
    assert (last["id"], last["status"], last["progress"]) == (2, "success", "100%")
    first = json.loads(run.stdout.partition("}")[0] + "}")
    shown = page.partition('    {"id": 1,')[2].partition("}")[0]
    assert re.findall(r'"(\w+)": ', '"id": ' + shown) == list(first)
