"""The console over plain HTTP: who gets in, what a page is confined to, and what nobody can make it do."""

from __future__ import annotations

import base64
import csv
import io
import json
import socket
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

import pyotp
import pytest

from gateway.access.attempts import FREE_OF_ADDRESS
from gateway.access.audit import AuditLog
from gateway.access.chain import Query, Record
from gateway.access.directory import Directory, open_directory
from gateway.access.model import OPEN, SENSITIVE
from gateway.access.rights import Right
from gateway.access.vault import open_vault

from .consoles import FORM, Reply, Visit
from .server import Certificate, Server, free_port, running, wait_for_news

PASSWORD = "correct horse battery"
COOKIE = "caret_console"


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    data = tmp_path_factory.mktemp("console") / "data"
    with running(Server(data, workers=1, console_port=free_port())) as server:
        yield server


@pytest.fixture(scope="module")
def people(console: Server) -> Iterator[Directory]:
    with closing(open_directory(console.data, None, open_vault(console.data))) as directory:
        yield directory


@pytest.fixture
def stranger(console: Server) -> Visit:
    return Visit(console)


@pytest.fixture
def root(console: Server) -> Visit:
    visit = Visit(console)
    visit.log_in(console.access_key, console.secret_key)
    return visit


@pytest.fixture
def forgiven(people: Directory) -> Iterator[None]:
    """Whatever this machine has failed before and in this test."""
    yield
    forgive(people)


def forgive(people: Directory) -> None:
    with people.database.engine.begin() as conn:
        conn.exec_driver_sql("DELETE FROM attempts")


class Somebody:
    """In a project of his own; he may log in."""

    def __init__(self, console: Server, people: Directory, name: str, *rights: Right) -> None:
        self.project, self.name = f"p-{name}", name
        people.create_project(self.project, OPEN)
        people.create_user(name, password=PASSWORD, project=self.project, rights=frozenset(rights))
        self.people, self.visit = people, Visit(console)

    def code(self) -> str:
        """Of a device enrolled just now: no code counts twice."""
        return pyotp.TOTP(self.people.enrol_totp(self.name)).now()

    def log_in(self, project: str = "") -> Visit:
        self.visit.log_in(self.name, PASSWORD, self.code(), project)
        return self.visit

    @property
    def session(self) -> str:
        return self.people.sessions(user=self.name)[-1].access_key


def told(people: Directory, **query: Any) -> list[dict[str, Any]]:
    """Of the audit log, the newest first."""
    with closing(AuditLog(people.database)) as log:
        return [json.loads(entry.record) for entry in log.newest(Query(**query)).entries]


# ---------------------------------------------------------------- the log-in


def test_the_cookie_is_for_this_server_and_no_script(stranger: Visit, console: Server) -> None:
    reply = stranger.post("/login", {"name": console.access_key, "password": console.secret_key})
    flags = {part.strip() for part in reply.headers["Set-Cookie"].split(";")}
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= flags
    assert "Secure" not in flags
    assert console.secret_key not in base64.urlsafe_b64decode(stranger.cookie.partition("=")[2]).decode("latin-1")


def test_over_tls_the_cookie_never_leaves_in_clear(tmp_path_factory: Any, certificate: Certificate) -> None:
    data = tmp_path_factory.mktemp("console") / "tls"
    with running(Server(data, certificate, workers=1, console_port=free_port())) as server:
        visit = Visit(server)
        reply = visit.log_in(server.access_key, server.secret_key)
        assert "Secure" in reply.headers["Set-Cookie"]
        assert "default" in visit.get("/projects").text, "the console reaches the gateway over TLS"


def test_a_log_in_makes_a_new_cookie_whatever_was_there(stranger: Visit, console: Server) -> None:
    stranger.cookie = f"{COOKIE}=chosen-by-somebody"
    stranger.log_in(console.access_key, console.secret_key)
    first, stranger.cookie, stranger.csrf = stranger.cookie, "", ""
    stranger.log_in(console.access_key, console.secret_key)
    assert "chosen" not in first
    assert stranger.cookie not in ("", first)


@pytest.mark.parametrize(
    ("then", "leads_to"),
    [
        ("/repos?after=a%2Bb%26c", "/repos?after=a%2Bb%26c"),
        ("", "/"),
        ("//evil.example/", "/"),
        ("/\\evil.example/", "/"),
        ("/\t/evil.example/", "/"),
        ("\t//evil.example/", "/"),
        ("/a\\..\\..//evil.example", "/"),
        ("/x\r\nSet-Cookie: a=b", "/"),
        ("https://evil.example/", "/"),
        ("javascript:alert(1)", "/"),
        ("/é", "/"),
    ],
)
def test_the_log_in_leads_nowhere_else(stranger: Visit, console: Server, then: str, leads_to: str) -> None:
    assert stranger.log_in(console.access_key, console.secret_key, then=then).location == leads_to


@pytest.mark.usefixtures("forgiven")
@pytest.mark.parametrize("name", ["", "nobody", "a\0b", "ünï", "x" * 5000, "caret-root-access", "a b"])
def test_a_wrong_log_in_is_refused_alike_and_repeats_no_secret(stranger: Visit, people: Directory, name: str) -> None:
    reply = stranger.post("/login", {"name": name, "password": "my secret", "code": "000000"})
    assert reply.status == 401
    assert "Name, password or code is wrong" in reply.text
    assert "my secret" not in reply.text
    assert stranger.cookie == ""
    record = told(people)[0]
    assert (record["operation"], record["outcome"], record["code"]) == ("ConsoleLogin", "refused", "NotProven")
    assert record.get("who", "") == ("root" if name == "caret-root-access" else "")
    assert "my secret" not in json.dumps(record)


@pytest.mark.usefixtures("forgiven")
def test_guesses_at_keys_are_throttled_by_address(stranger: Visit, console: Server, people: Directory) -> None:
    for _ in range(FREE_OF_ADDRESS):
        reply = stranger.post("/login", {"name": console.access_key, "password": "a guess"})
        assert reply.status == 401
    reply = stranger.post("/login", {"name": console.access_key, "password": console.secret_key})
    assert reply.status == 429
    assert 0 < int(reply.headers["Retry-After"]) <= 30
    forgive(people)
    stranger.log_in(console.access_key, console.secret_key)


@pytest.mark.usefixtures("forgiven")
def test_a_session_is_no_key_to_log_in_with(stranger: Visit, people: Directory, console: Server) -> None:
    Somebody(console, people, "sess", Right.MEMBER)
    made = people.begin_session("p-sess", "sess", frozenset({Right.MEMBER}), 900)
    reply = stranger.post("/login", {"name": made.session.access_key, "password": made.secret})
    assert reply.status == 401


@pytest.mark.usefixtures("forgiven")
def test_people_are_let_into_projects_of_theirs_alone(console: Server, people: Directory) -> None:
    lena = Somebody(console, people, "lena", Right.MEMBER)
    people.create_project("not-hers", OPEN)
    for project in ("not-hers", "nowhere"):
        fields = {"name": "lena", "password": PASSWORD, "code": lena.code(), "project": project}
        reply = lena.visit.post("/login", fields)
        assert (reply.status, "has no rights in the project" in reply.text) == (401, True)
    assert people.sessions(user="lena") == []


def test_a_key_of_a_project_that_asks_for_two_factors_from_now_on_is_logged_out(
    console: Server, people: Directory
) -> None:
    ira = Somebody(console, people, "ira", Right.ADMIN)
    key = people.create_key(ira.project, "ira")
    visit = Visit(console)
    visit.log_in(key.key.access_key, key.secret)
    assert visit.get("/audit").status == 200
    people.change_policy(ira.project, {"requires_session": True})
    wait_for_news()
    assert visit.get("/audit").location.startswith("/login")


# ---------------------------------------------------------------- what a page is confined to


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/login", 200),
        ("GET", "/", 303),
        ("GET", "/me", 200),
        ("HEAD", "/me", 200),
        ("GET", "/nowhere", 404),
        ("PUT", "/me", 405),
        ("GET", "/people/nobody", 404),
        ("GET", "/people/%00", 400),
        ("GET", "/people/a%2Fb", 400),
        ("GET", "/audit?since=then", 400),
        ("GET", "/audit?before=-1", 400),
        ("GET", "/audit/download?format=exe", 400),
        ("GET", "/audit/download?format=csv", 200),
        ("GET", "/sessions?user=nobody", 404),
        ("GET", "/static/console.css", 200),
        ("GET", "/static/none.css", 404),
        ("GET", "/static/", 403),
        ("GET", "/favicon.ico", 302),
    ],
)
def test_every_answer_has_the_headers_that_confine_a_page(
    root: Visit, stranger: Visit, method: str, path: str, status: int
) -> None:
    reply = (stranger if path == "/login" else root).send(method, path, X_CSRF_Token=root.csrf)
    assert reply.status == status, reply.text
    assert reply.headers["X-Content-Type-Options"] == "nosniff"
    policy = reply.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert reply.headers["Referrer-Policy"] == "same-origin"
    if not path.startswith("/static/"):
        assert reply.headers["Cache-Control"] == "no-store"
    if method == "HEAD":
        assert reply.body == b""


def test_errors_are_pages_for_browsers_and_json_for_others(root: Visit) -> None:
    page = root.get("/nowhere")
    assert page.headers.get_content_type() == "text/html"
    assert "Not Found" in page.text
    other = root.get("/nowhere", Accept="*/*")
    assert json.loads(other.body)["error"]["code"] == "Not Found"
    refused = root.send("DELETE", "/me", X_CSRF_Token=root.csrf)
    assert (refused.status, refused.headers["Allow"]) == (405, "GET,HEAD")


@pytest.mark.parametrize(
    "path",
    [
        "/static/../app.py",
        "/static/%2e%2e/app.py",
        "/static/..%2fapp.py",
        "/static/%2e%2e%2fapp.py",
        "/static/..\\app.py",
        "/static//etc/passwd",
        "/static/%2fetc%2fpasswd",
        "/static/console.css%00",
    ],
)
def test_static_files_are_those_alone(stranger: Visit, path: str) -> None:
    reply = stranger.get(path)
    assert reply.status in (303, 403, 404)
    assert b"import" not in reply.body
    assert b"root:" not in reply.body


# ---------------------------------------------------------------- who is not logged in, or no more


def test_nobody_gets_further_than_the_log_in(stranger: Visit) -> None:
    for method in ("GET", "HEAD"):
        reply = stranger.send(method, "/people/ann?done=x")
        assert (reply.status, reply.location) == (303, "/login?then=/people/ann?done%3Dx")
    reply = stranger.get("/people", Accept="application/json")
    assert (reply.status, json.loads(reply.body)["error"]["code"]) == (401, "Unauthorized")
    assert stranger.get("/nowhere").status == 303, "nor learns what there is"


@pytest.mark.parametrize("value", ["", "x", "é", "A" * 9, "!" * 5000, base64.urlsafe_b64encode(bytes(200)).decode()])
def test_a_cookie_that_is_none_of_ours_is_no_cookie(stranger: Visit, value: str) -> None:
    reply = stranger.send("GET", "/me", Cookie=f"{COOKIE}={value}".encode().decode("latin-1"))
    assert (reply.status, reply.location) == (303, "/login?then=/me")


def test_a_cookie_that_was_altered_is_no_cookie(root: Visit) -> None:
    name, _, value = root.cookie.partition("=")
    sealed = bytearray(base64.urlsafe_b64decode(value))
    sealed[40] ^= 1
    root.cookie = f"{name}={base64.urlsafe_b64encode(sealed).decode()}"
    assert root.get("/me").location == "/login?then=/me"


def test_an_ended_session_leads_to_the_log_in_and_a_form_of_its_page_back_to_that(
    console: Server, people: Directory
) -> None:
    visit = Somebody(console, people, "tess", Right.ADMIN).log_in()
    people.end_session(people.sessions(user="tess")[0].access_key)
    wait_for_news()
    cookie = visit.cookie
    referer = f"{console.console_url}/people/tess"
    reply = visit.post("/people/tess/password", {"password": "x" * 9}, Referer=referer)
    assert (reply.status, reply.location) == (303, "/login?then=/people/tess")
    assert visit.cookie == "", "it was taken away"
    visit.cookie = cookie
    reply = visit.post("/people/tess/password", {"password": "x" * 9}, Referer="https://evil.example/people")
    assert (reply.status, reply.location) == (303, "/login")
    visit.cookie = cookie
    assert visit.get("/me", Accept="application/json").status == 401


def test_logging_out_ends_the_session(console: Server, people: Directory) -> None:
    somebody = Somebody(console, people, "uma", Right.MEMBER)
    visit = somebody.log_in()
    cookie = visit.cookie
    assert visit.post("/logout", {}).location == "/login"
    assert people.sessions(user="uma") == []
    assert told(people)[0]["operation"] == "end_session"
    assert told(people)[0]["who"] == "uma"
    wait_for_news()
    visit.cookie = cookie
    assert visit.get("/me").location.startswith("/login")


# ---------------------------------------------------------------- forms from elsewhere


@pytest.mark.parametrize(
    ("token", "headers"),
    [
        ("", {}),
        ("wrong", {}),
        (None, {"X_CSRF_Token": "wrong"}),
        (None, {"X_CSRF_Token": "\xff"}),
        (None, {"Sec_Fetch_Site": "cross-site"}),
        (None, {"Sec_Fetch_Site": "same-site"}),
        (None, {"Origin": "https://evil.example"}),
        (None, {"Origin": "null"}),
        (None, {"Content_Type": "text/plain"}),
        (None, {"Content_Type": "multipart/form-data; boundary=x"}),
        (None, {"Content_Type": f"{FORM}; charset=klingon"}),
    ],
)
def test_what_was_not_sent_by_a_page_of_ours_changes_nothing(
    root: Visit, people: Directory, token: str | None, headers: dict[str, str]
) -> None:
    csrf = root.csrf if token is None else token
    body = f"csrf={csrf}&name=forged".encode()
    reply = root.send("POST", "/projects", body, **{"Content_Type": FORM, **headers})
    assert reply.status in (400, 403), reply.text
    assert "forged" not in [project.name for project in people.projects()]


def test_another_site_logs_nobody_in(stranger: Visit, console: Server) -> None:
    fields = {"name": console.access_key, "password": console.secret_key}
    assert stranger.post("/login", fields, Sec_Fetch_Site="cross-site").status == 403
    assert stranger.post("/login", fields, Origin="https://evil.example").status == 403
    assert stranger.post("/login", fields, Origin=console.console_url, Sec_Fetch_Site="same-origin").status == 303


def test_a_page_of_ours_may(root: Visit, console: Server, people: Directory) -> None:
    headers = {"Origin": console.console_url, "Sec_Fetch_Site": "same-origin"}
    fields = {"name": "ours", "hours": "1", "exports": "", "audits": "refusals"}
    assert root.post("/projects", fields, **headers).location == "/projects/ours?done=made"


@pytest.mark.parametrize("path", ["/login", "/projects"])
def test_a_form_without_an_end_is_not_read(root: Visit, stranger: Visit, path: str) -> None:
    visit = stranger if path == "/login" else root
    reply = visit.send("POST", path, b"name=" + b"x" * 1_200_000, Content_Type=FORM)
    assert reply.status == 413
    assert "Content-Security-Policy" in reply.headers


@pytest.mark.parametrize("body", [b"name=\xff\xfe&csrf=", b"=&&&=%zz", b"%", b"name=%ff%00&password=%ff"])
def test_a_form_of_no_text_is_an_error_of_its_sender(stranger: Visit, body: bytes) -> None:
    assert stranger.send("POST", "/login", body, Content_Type=FORM).status in (400, 401)


def test_a_request_that_is_none_is_answered_400(console: Server) -> None:
    with socket.create_connection(("127.0.0.1", console.console_port or 0), timeout=10) as raw:
        raw.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nBad Header\r\n\r\n")
        assert b" 400 " in raw.recv(100)


# ---------------------------------------------------------------- the pages for people


def test_a_projects_administrator_is_told_what_is_not_his(console: Server, people: Directory) -> None:
    Somebody(console, people, "other", Right.MEMBER)
    visit = Somebody(console, people, "adm", Right.ADMIN).log_in()
    assert visit.get("/people/other").status == 404
    assert visit.get("/projects/p-other").status == 404
    assert visit.post("/projects", {"name": "mine", "hours": "1", "audits": "refusals"}).status == 403
    reply = visit.post("/projects/p-adm/policy", {"hours": "1", "audits": "refusals"})
    assert (reply.status, "for the operator" in reply.text) == (403, True)
    assert visit.get("/audit?project=p-other").status == 404
    assert visit.post("/audit/verify", {}).status == 403
    assert (told(people)[0]["operation"], told(people)[0]["outcome"]) == ("VerifyAudit", "refused")
    reply = visit.post(
        "/people", {"name": "newcomer", "display_name": "<script>alert(1)</script>", "password": "short"}
    )
    assert (reply.status, "8 to 1024 characters" in reply.text) == (400, True)
    assert b"<script>alert" not in reply.body
    assert "newcomer" in reply.text, "what was typed is kept"
    assert "short" not in reply.text.replace("short</", "")
    assert "newcomer" not in [user.name for user in people.users()]


def test_what_was_wrong_is_told_beside_the_form(root: Visit, people: Directory) -> None:
    people.create_user("taken")
    reply = root.post("/people", {"name": "taken", "display_name": "Again"})
    assert (reply.status, "already is a user 'taken'" in reply.text, "Again" in reply.text) == (409, True, True)
    for hours in ("", "many", "nan", "inf", "0.1", "1000"):
        reply = root.post("/projects", {"name": "odd", "hours": hours, "audits": "refusals"})
        assert reply.status == 400, hours
    assert root.post("/people/taken/password", {"password": "short"}).status == 400
    assert root.post("/projects/default/members", {"user": "taken"}).status == 400
    assert root.post("/projects/default/members", {"user": "taken", "right": "owner"}).status == 400
    assert root.post("/projects/default/members", {"user": "nobody", "right": "member"}).status == 404
    assert root.post("/sessions/none/end", {"then": "//evil.example"}).status == 404


def test_a_policy_is_changed_as_its_form_shows_it(root: Visit, people: Directory) -> None:
    people.create_project("strict", SENSITIVE)
    people.change_policy("strict", {"export_buckets": ()})
    shown = {"hours": "2.5", "audits": "everything", "two_factors": "on", "from": "some", "exports": ""}
    assert root.post("/projects/strict/policy", shown).location == "/projects/strict?done=policy"
    policy = people.project("strict").policy
    assert policy == replace(SENSITIVE, max_session_s=9000, export_buckets=())
    assert root.post("/projects/strict/policy", {**shown, "from": "all", "exports": "a"}).status == 400
    assert root.post("/projects/strict/policy", {**shown, "exports": "a, main.b"}).status == 303
    assert people.project("strict").policy.export_buckets == ("a", "main.b")
    assert root.post("/projects/strict/policy", {**shown, "exports": "No_Bucket"}).status == 400
    assert root.post("/projects/strict/policy", {**shown, "audits": "nothing"}).status == 400


def test_a_secret_is_in_the_answer_that_made_it_and_in_none_after(root: Visit, people: Directory) -> None:
    people.create_user("kim", project="default", rights=frozenset({Right.MEMBER}))
    reply = root.post("/people/kim/keys", {"project": "default"})
    (key,) = people.keys(user="kim")
    assert reply.headers["Cache-Control"] == "no-store"
    held = people.held(key.access_key)
    assert held is not None
    assert held[4] in reply.text
    assert held[4] not in root.get("/people/kim").text
    assert root.post(f"/people/kim/keys/{key.access_key}/disable", {}).location == "/people/kim?done=key"
    assert people.keys(user="kim")[0].disabled_us is not None


def test_ending_a_session_leads_back_to_a_page_of_ours(root: Visit, console: Server, people: Directory) -> None:
    somebody = Somebody(console, people, "vic", Right.MEMBER)
    for then, back in (("/people/vic", "/people/vic?done=session"), ("//evil.example", "/sessions?done=session")):
        people.begin_session("p-vic", "vic", frozenset({Right.MEMBER}), 900)
        assert root.post(f"/sessions/{somebody.session}/end", {"then": then}).location == back


@pytest.mark.usefixtures("forgiven")
def test_a_session_alone_changes_neither_password_nor_device(console: Server, people: Directory) -> None:
    somebody = Somebody(console, people, "wes", Right.MEMBER)
    visit = somebody.log_in()
    new = {"new": "another secret", "again": "another secret"}
    assert visit.post("/me/password", {"password": PASSWORD, "code": "", **new}).status == 403
    assert visit.post("/me/device", {"password": "wrong", "code": somebody.code()}).status == 403
    assert told(people)[0]["operation"] == "enrol_totp"
    assert told(people)[0]["outcome"] == "refused"
    unlike = {"password": PASSWORD, "code": somebody.code(), **new, "again": "other"}
    assert visit.post("/me/password", unlike).status == 400
    for _ in range(3):
        visit.post("/me/password", {"password": "guess", "code": "000000", **new})
    reply = visit.post("/me/password", {"password": PASSWORD, "code": somebody.code(), **new})
    assert (reply.status, "Retry-After" in reply.headers) == (429, True)


def test_ones_own_sessions_are_ended_by_oneself_and_no_others(console: Server, people: Directory) -> None:
    somebody, other = (Somebody(console, people, name, Right.MEMBER) for name in ("zoe", "zac"))
    for name in ("zoe", "zac"):
        people.begin_session(f"p-{name}", name, frozenset({Right.MEMBER}), 900)
    elsewhere = somebody.session
    visit = somebody.log_in()
    assert elsewhere in visit.get("/me").text
    assert visit.post(f"/me/sessions/{other.session}/end", {}).status == 404
    assert visit.post(f"/me/sessions/{elsewhere}/end", {}).location == "/me?done=session"
    assert elsewhere not in visit.get("/me").text
    assert len(people.sessions(user="zac")) == 1


def test_root_has_nothing_to_change_for_himself(root: Visit) -> None:
    fields = {"password": "x", "code": "1", "new": "another secret", "again": "another secret", "project": "default"}
    for path in ("/me/password", "/me/device", "/me/project"):
        assert root.post(path, fields).status == 403


def test_a_switch_ends_the_session_that_it_comes_from(console: Server, people: Directory) -> None:
    somebody = Somebody(console, people, "yan", Right.MEMBER)
    people.create_project("p-yan-b", OPEN)
    visit = somebody.log_in()
    assert visit.post("/me/project", {"project": "p-yan-b"}).status == 404
    people.grant("p-yan-b", "yan", Right.EXPORT)
    before = visit.cookie
    assert visit.post("/me/project", {"project": "p-yan-b"}).status == 303
    assert "p-yan-b" in visit.get("/me").text
    assert (told(people)[0]["operation"], told(people)[0]["project"]) == ("ConsoleSwitch", "p-yan-b")
    wait_for_news()
    visit.cookie = before
    assert visit.get("/me").location.startswith("/login")


# ---------------------------------------------------------------- the audit log


def test_the_log_is_downloaded_whole_and_does_no_harm_in_a_spreadsheet(
    root: Visit, people: Directory, console: Server
) -> None:
    evil = '=HYPERLINK("http://evil.example")'
    with closing(AuditLog(people.database)) as log:
        log.append([Record("GetObject", project="sheet", who="ann", key=evil, about={"n": 1})] * 1100)
    rows = list(csv.DictReader(io.StringIO(root.get("/audit/download?format=csv&project=sheet").body.decode())))
    assert len(rows) == 1102 - 1, "and the record of this very download"
    assert rows[0]["operation"] == "DownloadAudit"
    assert {row["key"] for row in rows[1:]} == {f"'{evil}"}
    assert json.loads(rows[1]["about"]) == {"n": 1}
    reply = root.get("/audit/download?format=json&project=sheet&operation=GetObject")
    assert reply.headers["Content-Disposition"].startswith("attachment;")
    found = json.loads(reply.body)
    assert [record["key"] for record in found] == [evil] * 1100
    assert [record["seq"] for record in found] == sorted((record["seq"] for record in found), reverse=True)
    assert json.loads(root.get("/audit/download?format=json&project=none&outcome=failed").body) == []


def test_the_log_goes_on_at_older_records_and_keeps_the_search(root: Visit, people: Directory) -> None:
    with closing(AuditLog(people.database)) as log:
        log.append([Record("HeadObject", project="pages", who="a&b", key=f"k{number}") for number in range(150)])
    first = root.get("/audit?who=a%26b&operation=HeadObject")
    assert ("k149" in first.text, '"k49"' in first.text) == (True, False)
    link = first.text.partition('<a class="button" href="')[2].partition('"')[0]
    assert link.startswith("/audit?who=a%26b&operation=HeadObject&before=")
    second = root.get(link)
    assert ('"k49"' in second.text, '"k0"' in second.text, '"k50"' in second.text) == (True, True, False)
    assert told(people)[0]["about"]["who"] == "a&b"


@pytest.mark.parametrize("head", ["", "00" * 32, "beef"])
def test_the_chain_is_verified_and_its_head_told(root: Visit, people: Directory, head: str) -> None:
    with closing(AuditLog(people.database)) as log:
        before = log.verify()
    reply = root.post("/audit/verify", {"head": head})
    if head == "beef":
        assert (reply.status, "is no hash" in reply.text) == (400, True)
        return
    assert before.head.hex() in reply.text
    assert ("The log is whole" if head in ("", "00" * 32) else "not whole") in reply.text


def test_what_is_in_a_record_is_shown_as_text(root: Visit, people: Directory) -> None:
    evil = "<script>alert(1)</script><img src=x onerror=alert(1)>"
    with closing(AuditLog(people.database)) as log:
        log.append([Record(evil, project=evil, who=f'"{evil}', bucket=evil, key=evil, code=evil, address=evil)])
    reply: Reply = root.get("/audit")
    assert b"<script>alert" not in reply.body
    assert b"<img src=x" not in reply.body
    assert evil in reply.text
