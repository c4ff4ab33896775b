"""Runs ceph/s3-tests against a fresh gateway and counts what passes. README.md tells how to use it.

The suite is pointed to with --suite; nothing of it is kept here but the names in tests.txt.
"""

from __future__ import annotations

import argparse
import configparser
import fcntl
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
sys.path.insert(0, str(REPOSITORY))  # this file is run as a script

from tests.integration.server import Certificate, Server, clean_environment, running  # noqa: E402

ENVIRONMENT = REPOSITORY / ".venv-clients" / "s3-tests"
MINIMUM = HERE / "minimum.txt"
TEST_TIMEOUT_S = 180
REGION = "us-east-1"


class Unusable(Exception):
    """The suite could not be run; the message says why."""


# ---------------------------------------------------------------- what to run


PARALLEL = "parallel"
# Runs of pytest, and what botocore is told in each. Over TLS it makes a trailer of a PUT's checksum, and of an
# empty Content-Length header (which is what a `plain` test is about) a chunked body without one.
RUNS: Mapping[str, Mapping[str, str]] = {
    PARALLEL: {},
    "alone": {},
    "plain": {"AWS_REQUEST_CHECKSUM_CALCULATION": "when_required"},
}


@dataclass(frozen=True)
class Test:
    name: str
    area: str
    run: str  # which of `RUNS` it is part of


def read_tests(listed: str) -> list[Test]:
    """The tests of one list, `in` or `in-access`."""
    rows = (line.split("\t") for line in (HERE / "tests.txt").read_text().splitlines() if not line.startswith("#"))
    return [Test(name, area, "".join(notes) or PARALLEL) for name, area, group, *notes in rows if group == listed]


def find_files(suite: Path) -> dict[str, Path]:
    """Test function → the file of the suite that defines it, relative to the suite."""
    files = sorted((suite / "s3tests" / "functional").glob("test_*.py"))
    if not files:
        raise Unusable(f"{suite} is no checkout of ceph/s3-tests: it has no s3tests/functional/test_*.py")
    return {
        name: path.relative_to(suite)
        for path in files
        for name in re.findall(r"^def (test_\w+)\(", path.read_text(), re.MULTILINE)
    }


# ---------------------------------------------------------------- what it runs against


@dataclass(frozen=True)
class Account:
    """One account, as the gateway's configuration and the suite's both describe it."""

    section: str
    access_key: str
    secret_key: str
    id: str
    display_name: str
    tenant: str = ""

    @property
    def email(self) -> str:
        return f"{self.section.replace(' ', '-')}@example.org"


ACCOUNTS = [
    Account("s3 main", "s3tests-main-key", "s3tests-main-secret", "s3tests-main", "Main Tester"),
    Account("s3 alt", "s3tests-alt-key", "s3tests-alt-secret", "s3tests-alt", "Alt Tester"),
    Account("s3 tenant", "s3tests-tenant-key", "s3tests-tenant-secret", "s3tests-tenant", "Tenant Tester", "tenant"),
]


def write_gateway_config(path: Path) -> None:
    tables = [
        f'[[accounts]]\naccess_key = "{account.access_key}"\nsecret_key = "{account.secret_key}"\n'
        f'id = "{account.id}"\ndisplay_name = "{account.display_name}"\nproject = "default"\n'
        for account in ACCOUNTS
    ]
    path.write_text("\n".join(tables))


def write_suite_config(path: Path, server: Server) -> None:
    """The suite reads the `iam` sections always; main's keys do there."""
    config = configparser.RawConfigParser()
    config["DEFAULT"] = {
        "host": "localhost",
        "port": str(server.port),
        "is_secure": str(server.certificate is not None),
        "ssl_verify": "False",
    }
    config["fixtures"] = {"bucket prefix": "s3t-{random}-", "iam name prefix": "s3-tests-", "iam path prefix": "/s3/"}
    main = ACCOUNTS[0]
    for account in ACCOUNTS:
        config[account.section] = _section(account) | {"api_name": REGION, "tenant": account.tenant}
    for section in ("iam", "iam root", "iam alt root"):
        config[section] = _section(main)
    with path.open("w") as file:
        config.write(file)


def _section(account: Account) -> dict[str, str]:
    return {
        "access_key": account.access_key,
        "secret_key": account.secret_key,
        "user_id": account.id,
        "display_name": account.display_name,
        "email": account.email,
    }


# ---------------------------------------------------------------- running it


def install(suite: Path) -> Path:
    """The python of the suite's own environment, made on the first run."""
    ENVIRONMENT.parent.mkdir(exist_ok=True)
    requirements, constraints = suite / "requirements.txt", HERE / "constraints.txt"
    wanted = requirements.read_text() + constraints.read_text()
    marker = ENVIRONMENT / "installed.txt"
    with ENVIRONMENT.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not marker.exists() or marker.read_text() != wanted:
            subprocess.run([sys.executable, "-m", "venv", "--clear", ENVIRONMENT], check=True)
            pip = [str(ENVIRONMENT / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check"]
            packages = ["-r", str(requirements), "pytest-xdist", "pytest-timeout"]
            subprocess.run([*pip, "-c", str(constraints), *packages], check=True)
            marker.write_text(wanted)
    return ENVIRONMENT / "bin" / "python"


@dataclass(frozen=True)
class Run:
    """One run of the suite's pytest: where it is, what configures it, where its reports go."""

    python: Path
    suite: Path
    config: Path
    folder: Path
    keyword: str | None

    def outcomes(self, label: str, node_ids: list[str], processes: int, settings: Mapping[str, str]) -> dict[str, str]:
        """Function → "" when it passed, else why not, on one line."""
        if not node_ids:
            return {}
        names, report = self.folder / f"{label}.txt", self.folder / f"{label}.xml"
        names.write_text("\n".join(node_ids))
        options = ["-q", "--tb=short", "--no-header", "-p", "no:cacheprovider", f"--timeout={TEST_TIMEOUT_S}"]
        command = [
            *(str(self.python), "-m", "pytest", *options, f"--junitxml={report}", f"@{names}"),
            *(("-n", str(processes)) if processes > 1 else ()),
            *(("-k", self.keyword) if self.keyword else ()),
        ]
        environment = clean_environment(S3TEST_CONF=str(self.config), PYTHONDONTWRITEBYTECODE="1", **settings)
        with (self.folder / f"{label}.log").open("w") as log:
            subprocess.run(command, cwd=self.suite, env=environment, stdout=log, stderr=subprocess.STDOUT, check=False)
        if not report.exists():
            raise Unusable(f"pytest made no report; its output:\n{(self.folder / f'{label}.log').read_text()[-3000:]}")
        return read_report(report)


def read_report(path: Path) -> dict[str, str]:
    """Function → "" when all its cases passed, else the first reason why not."""
    outcomes: dict[str, str] = {}
    for case in ElementTree.parse(path).iter("testcase"):
        name = case.get("name", "").partition("[")[0]
        reasons = [_one_line(child) for child in case if child.tag in {"failure", "error", "skipped"}]
        outcomes[name] = outcomes.get(name) or next(iter(reasons), "")
    return outcomes


def _one_line(problem: ElementTree.Element) -> str:
    text = " ".join((problem.get("message") or problem.text or "no reason given").split())
    return f"{problem.tag}: {text[:200]}"


# ---------------------------------------------------------------- the minimum


def read_minimum() -> dict[tuple[str, str], int]:
    rows = (line.split() for line in MINIMUM.read_text().splitlines() if line and not line.startswith("#"))
    return {(listed, transport): int(count) for listed, transport, count in rows}


def raise_minimum(listed: str, transport: str, passed: int) -> None:
    """Writes `passed` where it is more than the minimum that is kept."""
    kept = read_minimum()
    kept[listed, transport] = max(passed, kept.get((listed, transport), 0))
    comments = [line for line in MINIMUM.read_text().splitlines() if line.startswith("#")]
    MINIMUM.write_text("\n".join([*comments, *(f"{a} {b} {count}" for (a, b), count in kept.items())]) + "\n")


# ---------------------------------------------------------------- command line


def main() -> int:
    options = parse_arguments()
    folder = Path(tempfile.mkdtemp(prefix="caret-conformance-"))
    try:
        return conformance(options, folder)
    except Unusable as error:
        print(f"cannot run the suite: {error}", file=sys.stderr)
        return 2
    finally:
        if options.keep:
            print(f"store, logs and reports are in {folder}", file=sys.stderr)
        else:
            shutil.rmtree(folder)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Runs ceph/s3-tests against a fresh gateway.")
    parser.add_argument("--suite", type=Path, required=True, metavar="DIR", help="a checkout of ceph/s3-tests")
    parser.add_argument("--area", choices=["in", "in-access"], default="in", help="which list of tests.txt")
    parser.add_argument("--tls", action="store_true", help="over TLS in place of plain http")
    parser.add_argument("-n", type=int, default=4, metavar="N", dest="processes", help="parallel test processes")
    parser.add_argument("-k", metavar="EXPRESSION", dest="keyword", help="some of the tests only; nothing is compared")
    parser.add_argument("--raise-minimum", action="store_true", help="keep the count as the new minimum")
    parser.add_argument("--keep", action="store_true", help="leave store, logs and reports in place")
    return parser.parse_args()


def conformance(options: argparse.Namespace, folder: Path) -> int:
    suite = options.suite.resolve()
    tests = read_tests(options.area)
    files = find_files(suite)
    python = install(suite)
    write_gateway_config(folder / "gateway.toml")
    server = Server(
        folder / "data",
        Certificate.make(folder) if options.tls else None,
        environment={"CARET_CONFIG": str(folder / "gateway.toml")},
        region=REGION,
    )
    run = Run(python, suite, folder / "s3tests.conf", folder, options.keyword)
    with running(server):
        write_suite_config(run.config, server)
        outcomes: dict[str, str] = {}
        # one test opens a connection by itself, and trusts whom the system trusts
        trusted = {"SSL_CERT_FILE": str(server.certificate.path)} if server.certificate else {}
        for label, environment in RUNS.items():
            chosen = node_ids(files, (test for test in tests if test.run == label))
            settings = {**environment, **trusted}
            outcomes |= run.outcomes(label, chosen, options.processes if label == PARALLEL else 1, settings)
    return judge(options, tests, outcomes)


def node_ids(files: dict[str, Path], tests: Iterable[Test]) -> list[str]:
    """pytest's names of those tests that the suite has."""
    return [f"{files[test.name]}::{test.name}" for test in tests if test.name in files]


def judge(options: argparse.Namespace, tests: list[Test], outcomes: dict[str, str]) -> int:
    """Prints failures, count and comparison; the exit code."""
    if options.keyword:
        tests = [test for test in tests if test.name in outcomes]
    reasons = {test: outcomes.get(test.name, "not found, or not run") for test in tests}
    failed = {test: reason for test, reason in reasons.items() if reason}
    for test, reason in failed.items():
        print(f"{test.name} ({test.area}): {reason}")
    passed = len(tests) - len(failed)
    print(f"{passed} passed, {len(failed)} failed")
    if options.keyword:
        return 1 if failed else 0
    transport = "tls" if options.tls else "http"
    least = read_minimum().get((options.area, transport), 0)
    if options.raise_minimum:
        raise_minimum(options.area, transport, passed)
    print(f"the minimum for {options.area} over {transport} is {least}: {'reached' if passed >= least else 'MISSED'}")
    return 0 if passed >= least else 1


if __name__ == "__main__":
    sys.exit(main())
