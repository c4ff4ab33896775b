"""`caret-s3cmd` with the real s3cmd against running gateways: each documented line, as people type it."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt
import pytest

from gateway.access.directory import Directory, open_directory
from gateway.access.model import NewSession
from gateway.access.rights import Right
from gateway.access.vault import open_vault
from tests.clients.s3cmd import S3CMD

from .enrolled import PASSWORD, Enrolled, client_of, enrol
from .server import Server, clean_environment, free_port, wait_for_news

MIB = 1024 * 1024
PROGRAM = Path(sys.executable).parent / "caret-s3cmd"


@dataclass
class Home:
    """Somebody's home, from which he runs caret-s3cmd."""

    path: Path
    s3cmd: Path
    person: Enrolled

    @property
    def environment(self) -> dict[str, str]:
        path = f"{self.s3cmd.parent}{os.pathsep}{os.environ['PATH']}"
        return clean_environment(HOME=str(self.path), PATH=path, TERM="dumb")

    @property
    def cache(self) -> Path:
        return self.path / ".cache" / "caret" / "s3cmd"

    def run(self, *arguments: str | Path, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        """Without a terminal: whatever asks something fails."""
        return subprocess.run(
            ["setsid", "--wait", PROGRAM, *arguments],
            input=stdin,
            env=self.environment,
            cwd=self.path,
            capture_output=True,
            timeout=100,
            check=False,
        )

    def done(self, *arguments: str | Path, stdin: bytes = b"") -> str:
        """Standard output of a call that succeeds and asks nothing."""
        done = self.run(*arguments, stdin=stdin)
        assert done.returncode == 0, (done.stdout + done.stderr).decode()
        return done.stdout.decode()

    def begin(self, *arguments: str | Path) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [PROGRAM, *arguments],
            env=self.environment,
            cwd=self.path,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def typed(self, *arguments: str | Path, answers: Sequence[tuple[str, str]]) -> tuple[int, str, str]:
        """On a terminal, where each question is answered when it has been asked: the exit code, standard output, and
        what the terminal showed."""
        master, slave = pty.openpty()
        with os.fdopen(master, "rb+", buffering=0) as terminal:
            process = subprocess.Popen(
                ["setsid", "--ctty", "--wait", str(PROGRAM), *map(str, arguments)],
                env=self.environment,
                cwd=self.path,
                stdin=slave,
                stdout=subprocess.PIPE,
                stderr=slave,
            )
            os.close(slave)
            shown = b""
            with process:
                for question, answer in answers:
                    since = len(shown)
                    while question.encode() not in shown[since:]:
                        shown += terminal.read(1024)
                    terminal.write(f"{answer}\n".encode())
                output, _ = process.communicate(timeout=100)
            with contextlib.suppress(OSError):  # EIO: nobody has it open any more
                while piece := terminal.read(1024):
                    shown += piece
        return process.returncode, output.decode(), shown.decode()

    def login(self, code: str | None = None) -> list[tuple[str, str]]:
        return [("User", ""), ("Password", PASSWORD), ("One-time code", code or self.person.code())]

    def register(self, environment: str = "prod", *options: str) -> str:
        answers = [] if "--usetest" in options else [("Environment", environment)]
        answers += [] if "--endpoint" in options else [("Endpoint", self.person.server.url)]
        user, *rest = self.login()
        answers += [("Project", self.person.project), (user[0], self.person.name), *rest]
        code, output, shown = self.typed(*options, "--register", answers=answers)
        assert code == 0, shown + output
        return shown


def opened(server: Server) -> Directory:
    """A running gateway's, in which this process changes things beside it."""
    return open_directory(server.data, None, open_vault(server.data))


@pytest.fixture(scope="module")
def directory(gateway: Server) -> Iterator[Directory]:
    with contextlib.closing(opened(gateway)) as found:
        yield found


@pytest.fixture(scope="module")
def s3cmd() -> Path:
    """The real one, unpatched."""
    return S3CMD.installed() / "bin" / "s3cmd"


@pytest.fixture
def home(gateway: Server, directory: Directory, name: str, s3cmd: Path, tmp_path: Path) -> Home:
    """Of somebody who has not registered yet."""
    path = tmp_path / "home"
    path.mkdir()
    return Home(path, s3cmd, enrol(gateway, directory, name, "ann"))


@pytest.fixture(scope="module")
def ann(gateway: Server, directory: Directory, s3cmd: Path, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Registered, and logged in for imports and exports; her settings ask for little chunks."""
    path = tmp_path_factory.mktemp("home")
    (path / ".s3cfg").write_text(
        "[default]\n# as documented\nbucket_location = us-east-1\nsignature_v2 = False\n"
        "access_key = CARETLONGLIVEDKEY000\nsecret_key = long-lived-secret\n"
        "multipart_chunk_size_mb = 5\nprogress_meter = False\n"
    )
    home = Home(path, s3cmd, enrol(gateway, directory, f"t{os.getpid()}-tsd", "ann"))
    home.register()
    for verb in ("put", "get"):
        code, output, shown = home.typed("--print-token-for", verb, answers=home.login())
        assert code == 0, shown + output
    return home


@pytest.fixture
def bucket(ann: Home, name: str) -> str:
    ann.done("mb", f"s3://{name}")
    return name


def s3_of(home: Home) -> Any:
    person = home.person
    made: NewSession = person.directory.begin_session(
        person.project, person.name, frozenset({Right.IMPORT, Right.EXPORT}), 3600
    )
    return client_of(person.server, made.session.access_key, made.secret, made.token)


# ---------------------------------------------------------------- registering and logging in


def test_whoever_registers_and_logs_in_once_is_asked_no_more(home: Home) -> None:
    shown = home.register()
    assert PASSWORD not in shown
    kept = home.path / ".config" / "caret" / "s3cmd.json"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    code, output, shown = home.typed("mb", "s3://mybucket", answers=home.login())
    assert (code, "Bucket 's3://mybucket/' created" in output) == (0, True), shown + output
    (session,) = home.cache.iterdir()
    assert stat.S_IMODE(session.stat().st_mode) == 0o600
    assert stat.S_IMODE(home.cache.stat().st_mode) == 0o700
    (home.path / "my file").write_bytes(b"content")
    home.done("put", "my file", "s3://mybucket")
    code, output, shown = home.typed("ls", "s3://mybucket", answers=home.login())
    assert "s3://mybucket/my file" in output, shown
    home.done("get", "s3://mybucket/my file", "back of it")
    assert (home.path / "back of it").read_bytes() == b"content"


def test_a_wrong_code_is_told_and_nothing_is_kept(home: Home) -> None:
    home.register()
    code, output, shown = home.typed("ls", answers=home.login(code="123"))
    assert code == 77
    assert "the user name, the password or the one-time code is wrong" in shown
    assert not output
    assert not home.cache.exists()


def test_without_a_terminal_nothing_is_asked(home: Home) -> None:
    home.register()
    done = home.run("ls")
    assert done.returncode == 77
    assert b"no terminal to ask on" in done.stderr


def test_who_has_not_registered_is_told_how_to(home: Home) -> None:
    done = home.run("ls")
    assert (done.returncode, done.stdout) == (78, b"")
    assert b"nothing is registered for prod: caret-s3cmd --register" in done.stderr


def test_where_no_gateway_answers_it_says_so(home: Home) -> None:
    answers = [("Environment", "prod"), ("Project", "p11"), ("User", "u"), ("Password", "p"), ("One-time", "123456")]
    code, _, shown = home.typed("--register", f"--endpoint=http://127.0.0.1:{free_port()}", answers=answers)
    assert code == 111
    assert "no gateway answers at http://127.0.0.1:" in shown
    assert not (home.path / ".config").exists()


def test_of_several_projects_one_has_to_be_chosen(home: Home, directory: Directory) -> None:
    home.register()
    first = home.person.project
    home.person.project = f"{first}-b"
    directory.create_project(home.person.project, directory.project(first).policy)
    directory.grant(home.person.project, home.person.name, Right.EXPORT)
    home.register("prod", "--endpoint", home.person.server.url)
    done = home.run("ls")
    assert done.returncode == 64
    assert f"--project {first}|{first}-b".encode() in done.stderr
    code, output, shown = home.typed("ls", "--project", f"{first}-b", answers=home.login())
    assert code == 0, shown + output
    assert [path.name for path in home.cache.iterdir()] == [f"prod.{first}-b.s3export.json"]


def test_a_session_that_was_ended_is_asked_for_anew(home: Home, directory: Directory) -> None:
    home.register()
    home.typed("ls", answers=home.login())
    (session,) = directory.sessions(user=home.person.name)
    directory.end_session(session.access_key)
    wait_for_news()
    assert home.run("ls").returncode == 77
    code, output, shown = home.typed("ls", answers=home.login())
    assert code == 0, shown + output


def test_usetest_is_for_logging_in_and_for_s3_wherever_it_stands(
    home: Home, tls_gateway: Server, name: str, s3cmd: Path
) -> None:
    assert tls_gateway.certificate is not None
    (home.path / ".s3cfg").write_text(f"ca_certs_file = {tls_gateway.certificate.path}\n")
    home.register()
    with contextlib.closing(opened(tls_gateway)) as elsewhere:
        prod, home.person = home.person, enrol(tls_gateway, elsewhere, name, "ann")
        home.register("test", "--usetest")
        code, output, shown = home.typed("mb", "--usetest", "s3://only-in-test", answers=home.login())
        assert code == 0, shown + output
        code, output, shown = home.typed("ls", "--usetest", answers=home.login())
        assert "s3://only-in-test" in output, shown
        home.person = prod
        code, output, shown = home.typed("ls", answers=home.login())
        assert (code, "only-in-test" in output) == (0, False), shown
        assert "s3://only-in-test" in home.done("--usetest", "ls")


def test_print_token_for_prints_the_token_alone(ann: Home) -> None:
    for verb, right in (("put", "import"), ("get", "export"), ("ls", "export"), ("mb", "import")):
        token = ann.done("--print-token-for", verb)
        assert jwt.decode(token.strip(), options={"verify_signature": False})["rights"] == [right]


# ---------------------------------------------------------------- what s3cmd does


def test_sync_goes_both_ways(ann: Home, bucket: str, tmp_path: Path) -> None:
    source, back = tmp_path / "a dir", tmp_path / "back"
    (source / "sub").mkdir(parents=True)
    back.mkdir()
    (source / "one").write_bytes(b"1")
    (source / "sub" / "two two").write_bytes(b"2")
    ann.done("--multipart-chunk-size-mb=200", "sync", source, f"s3://{bucket}")
    assert not re.search("upload:", ann.done("sync", source, f"s3://{bucket}"))
    ann.done("sync", f"s3://{bucket}/a dir/", f"{back}/")
    assert {str(path.relative_to(back)) for path in back.rglob("*") if path.is_file()} == {"one", "sub/two two"}


def test_standard_input_is_s3cmd_s(ann: Home, bucket: str) -> None:
    ann.done("put", "-", f"s3://{bucket}/piped", stdin=b"from a pipe")
    assert s3_of(ann).get_object(Bucket=bucket, Key="piped")["Body"].read() == b"from a pipe"


def test_exit_codes_are_s3cmd_s(ann: Home, bucket: str, tmp_path: Path) -> None:
    assert ann.run("get", f"s3://{bucket}/absent", tmp_path / "absent").returncode == 64
    assert ann.run("ls", f"s3://{bucket}-absent").returncode == 12
    assert ann.run("nonsense", f"s3://{bucket}").returncode == 64
    assert ann.run("put", "--no-such-option", "f", f"s3://{bucket}").returncode == 2


@pytest.mark.parametrize(
    "options", [["--access_key=A"], ["--host", "elsewhere"], ["--secret_key", "S"], ["--configure"]]
)
def test_what_would_get_round_the_session_is_refused(ann: Home, options: list[str]) -> None:
    done = ann.run("ls", *options)
    assert done.returncode == 64
    assert b"cannot be given" in done.stderr


def test_help_guide_and_version_need_nothing(home: Home) -> None:
    assert "--register" in home.done("--help")
    assert "caret-s3cmd --upload-id ID sync dir s3://mybucket" in home.done("--guide")
    assert "--multipart-chunk-size-mb" in home.done("--s3cmd-help")
    assert re.fullmatch(r"caret-s3cmd \S+ \(s3cmd version 2\.4\.0\)\n", home.done("--version"))
    assert home.run().returncode == 64


def test_without_s3cmd_it_says_how_to_get_it(ann: Home, tmp_path: Path) -> None:
    done = subprocess.run(
        [PROGRAM, "ls"], env={**ann.environment, "PATH": str(tmp_path)}, capture_output=True, check=False
    )
    assert done.returncode == 127
    assert b"pip install 'caret-gateway[s3cmd]'" in done.stderr


# ---------------------------------------------------------------- uploads that break off


def received(server: Server) -> int:
    """Bytes of requests' bodies so far."""
    text = server.get("/-/metrics")[2].decode()
    found = re.search(r"^caret_received_bytes_total (\S+)$", text, re.MULTILINE)
    assert found is not None
    return int(float(found[1]))


def interrupt(process: subprocess.Popen[bytes]) -> None:
    """As Ctrl-C does."""
    process.send_signal(signal.SIGINT)


def broken_off(
    home: Home,
    bucket: str,
    key: str,
    enough: int,
    *arguments: str | Path,
    by: Callable[[subprocess.Popen[bytes]], None] = interrupt,
) -> str:
    """Runs a put or sync, which breaks off once so many parts are there; the upload's id, as s3cmd tells it."""
    s3 = s3_of(home)

    def parts() -> int:
        return sum(
            len(s3.list_parts(Bucket=bucket, Key=key, UploadId=upload["UploadId"]).get("Parts", []))
            for upload in s3.list_multipart_uploads(Bucket=bucket).get("Uploads", [])
        )

    process = home.begin(*arguments)
    _until_in(process, lambda: parts() >= enough)
    by(process)
    _, told = process.communicate(timeout=60)
    assert process.returncode != 0
    found = re.search(r"--upload-id (\S+)", told.decode())
    assert found is not None, told
    return found[1]


def _until_in(process: subprocess.Popen[bytes], holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 90
    while not holds():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.02)


def random_file(path: Path, size: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        for at in range(0, size, MIB):
            file.write(os.urandom(min(MIB, size - at)))
    return path


def test_an_upload_of_200_mb_goes_on_with_what_is_missing(ann: Home, bucket: str, tmp_path: Path) -> None:
    large, size = random_file(tmp_path / "large", 200 * MIB), 200 * MIB
    upload_id = broken_off(ann, bucket, "large", 3, "--multipart-chunk-size-mb=25", "put", large, f"s3://{bucket}")
    sent = 25 * MIB * len(s3_of(ann).list_parts(Bucket=bucket, Key="large", UploadId=upload_id)["Parts"])
    before = received(ann.person.server)
    told = ann.done("--upload-id", upload_id, "put", large, f"s3://{bucket}")
    assert size - sent <= received(ann.person.server) - before < size - sent + MIB
    assert f"'{large}' -> 's3://{bucket}/large'" in told
    ann.done("get", f"s3://{bucket}/large", tmp_path / "back")
    assert _same(large, tmp_path / "back")


def _same(one: Path, other: Path) -> bool:
    with one.open("rb") as first, other.open("rb") as second:
        while block := first.read(MIB):
            if second.read(MIB) != block:
                return False
        return not second.read(1)


def test_a_sync_goes_on_with_the_file_that_the_upload_belongs_to(ann: Home, bucket: str, tmp_path: Path) -> None:
    source = tmp_path / "dir"
    random_file(source / "a small one", 10)
    large = random_file(source / "sub" / "a large one", 30 * MIB)
    random_file(source / "z", 10)
    key = "dir/sub/a large one"
    upload_id = broken_off(ann, bucket, key, 2, "sync", source, f"s3://{bucket}")
    sent = 5 * MIB * len(s3_of(ann).list_parts(Bucket=bucket, Key=key, UploadId=upload_id)["Parts"])
    before = received(ann.person.server)
    ann.done(f"--upload-id={upload_id}", "sync", source, f"s3://{bucket}")
    assert received(ann.person.server) - before < 30 * MIB - sent + MIB
    found = {entry["Key"] for entry in s3_of(ann).list_objects_v2(Bucket=bucket)["Contents"]}
    assert found == {"dir/a small one", key, "dir/z"}
    assert s3_of(ann).get_object(Bucket=bucket, Key=key)["Body"].read() == large.read_bytes()


def test_of_a_put_of_many_files_only_the_others_are_sent_then(ann: Home, bucket: str, tmp_path: Path) -> None:
    large, small = random_file(tmp_path / "large (1)", 15 * MIB), random_file(tmp_path / "small", 10)
    upload_id = broken_off(ann, bucket, "p/large (1)", 1, "put", large, small, f"s3://{bucket}/p/")
    before = received(ann.person.server)
    ann.done("put", large, small, f"s3://{bucket}/p/", "--upload-id", upload_id)
    assert received(ann.person.server) - before <= 11 * MIB
    entries = s3_of(ann).list_objects_v2(Bucket=bucket)["Contents"]
    assert {entry["Key"]: entry["Size"] for entry in entries} == {"p/large (1)": 15 * MIB, "p/small": 10}


def test_a_session_that_ends_in_the_middle_loses_nothing(home: Home, directory: Directory, tmp_path: Path) -> None:
    home.register()
    code, output, shown = home.typed("mb", "s3://mybucket", answers=home.login())
    assert code == 0, shown + output
    (session,) = directory.sessions(user=home.person.name)
    large = random_file(tmp_path / "large", 60 * MIB)
    put = ("--multipart-chunk-size-mb=5", "--limit-rate=10m", "put", large, "s3://mybucket")
    upload_id = broken_off(home, "mybucket", "large", 1, *put, by=lambda _: directory.end_session(session.access_key))
    upload = {"Bucket": "mybucket", "Key": "large", "UploadId": upload_id}
    sent = 5 * MIB * len(s3_of(home).list_parts(**upload)["Parts"])
    before = received(home.person.server)
    code, output, shown = home.typed("--upload-id", upload_id, "put", large, "s3://mybucket", answers=home.login())
    assert code == 0, shown + output
    assert received(home.person.server) - before < 60 * MIB - sent + MIB
    assert s3_of(home).get_object(Bucket="mybucket", Key="large")["Body"].read() == large.read_bytes()


def test_parts_of_a_file_that_has_changed_are_sent_again(ann: Home, bucket: str, tmp_path: Path) -> None:
    large = random_file(tmp_path / "large", 15 * MIB)
    s3 = s3_of(ann)
    upload = {"Bucket": bucket, "Key": "large"}
    upload["UploadId"] = s3.create_multipart_upload(**upload)["UploadId"]
    s3.upload_part(**upload, PartNumber=1, Body=large.read_bytes()[: 5 * MIB])
    s3.upload_part(**upload, PartNumber=2, Body=bytes(5 * MIB))
    ann.done("put", "--upload-id", upload["UploadId"], large, f"s3://{bucket}/large")
    assert s3.get_object(Bucket=bucket, Key="large")["Body"].read() == large.read_bytes()


def test_an_upload_that_is_not_there_or_of_another_file_is_refused(ann: Home, bucket: str, tmp_path: Path) -> None:
    file = random_file(tmp_path / "file", 10)
    none = ann.run("--upload-id", "none", "put", file, f"s3://{bucket}")
    assert (none.returncode, b"there is no unfinished upload none" in none.stderr) == (64, True)
    upload_id = s3_of(ann).create_multipart_upload(Bucket=bucket, Key="another")["UploadId"]
    other = ann.run("--upload-id", upload_id, "put", file, f"s3://{bucket}")
    assert (other.returncode, b"none of the files named goes there" in other.stderr) == (64, True)
    trial = ann.done("--dry-run", "--upload-id", upload_id, "put", file, f"s3://{bucket}/another")
    assert "upload:" in trial
    encrypted = ann.run("-e", "--upload-id", upload_id, "put", file, f"s3://{bucket}/another")
    assert (encrypted.returncode, b"encrypted" in encrypted.stderr) == (64, True)
    assert not s3_of(ann).list_objects_v2(Bucket=bucket)["KeyCount"]


def test_no_secret_shows_on_a_command_line_or_stays_behind(ann: Home, bucket: str, tmp_path: Path) -> None:
    large = random_file(tmp_path / "large", 100 * MIB)
    s3 = s3_of(ann)
    process = ann.begin("put", large, f"s3://{bucket}")
    _until_in(process, lambda: bool(s3.list_multipart_uploads(Bucket=bucket).get("Uploads")))
    lines = b"".join(_command_lines())
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    assert str(large).encode() in lines
    kept = "".join(path.read_text() for path in ann.cache.iterdir())
    secrets = set(re.findall(r'"(?:token|access_key|secret_key|session_token)":"([^"]+)"', kept))
    assert len(secrets) == 8
    for secret in {*secrets, "long-lived-secret", PASSWORD, ann.person.name}:
        assert secret.encode() not in lines
    assert not list(tmp_path.glob("**/*s3cfg*"))


def _command_lines() -> Iterator[bytes]:
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            yield path.read_bytes()
