"""`caret-s3cmd`: logs in where need be, then becomes the real s3cmd.

The session reaches s3cmd by its environment, which only its owner can read, and never by a command line. Not by its
settings either: with a token in these, s3cmd asks a cloud's metadata service for a newer one before every request.
The settings are handed over in a file without a name, so nothing stays behind whatever happens; and since s3cmd takes
this process's place, its exit code, the terminal's signals and standard input are its own affair.
"""

from __future__ import annotations

import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from gateway.s3cmd import files
from gateway.s3cmd.exits import CONFIG, DENIED, DONE, FAILED, NO_S3CMD, USAGE, Leave
from gateway.s3cmd.files import Registration, Session
from gateway.s3cmd.guide import GUIDE, HELP
from gateway.s3cmd.line import Line, kind_of, parse_line
from gateway.s3cmd.resume import MIB, Uploads, find_local, target_of
from gateway.s3cmd.s3cfg import endpoint_of, read_s3cfg, s3cfg_for, text
from gateway.s3cmd.service import Gateway, Refused
from gateway.s3cmd.terminal import ask, ask_secret

# What else s3cmd would take credentials from.
_CREDENTIALS = ("AWS_ACCESS_KEY", "AWS_SECRET_KEY", "AWS_SECURITY_TOKEN", "AWS_CREDENTIAL_FILE", "AWS_PROFILE")


def main() -> NoReturn:
    try:
        code = run(sys.argv[1:])
    except Leave as exc:
        print(f"caret-s3cmd: {exc.message}", file=sys.stderr)
        code = exc.code
    except Refused as exc:
        print(f"caret-s3cmd: {exc}", file=sys.stderr)
        code = DENIED if exc.status == 403 else FAILED
    except KeyboardInterrupt:
        code = 130
    sys.exit(code)


def run(arguments: Sequence[str]) -> int:
    """The exit code, where s3cmd has not taken over. Raises Leave, Refused."""
    line = parse_line(arguments)
    if "--version" in line.flags:
        return _version()
    if "--help" in line.flags:
        print(HELP, end="")
        return DONE
    if "--guide" in line.flags:
        print(GUIDE, end="")
        return DONE
    if "--s3cmd-help" in line.flags:
        program = _s3cmd()
        os.execv(program, [program, "--help"])  # noqa: S606 - as everywhere here: no shell is wanted
    settings = read_s3cfg(line.values.get("--config"))
    if "--register" in line.flags:
        return _register(line, settings)
    if "--print-token-for" in line.values:
        return _print_token(line, settings)
    if not line.verb:
        print(HELP, end="", file=sys.stderr)
        return USAGE
    return _carry_out(line, settings, _s3cmd())


def _version() -> int:
    program = shutil.which("s3cmd", path=_search_path())
    told = "without s3cmd"
    if program is not None:
        told = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout.strip()
    print(f"caret-s3cmd {importlib.metadata.version('caret-gateway')} ({told})")
    return DONE


# ---------------------------------------------------------------- registering


def _register(line: Line, settings: Mapping[str, str]) -> int:
    environment = "test" if "--usetest" in line.flags else ask("Environment, prod or test", "prod")
    if environment not in files.ENVIRONMENTS:
        raise Leave(USAGE, f"{environment!r} is neither prod nor test.")
    known = files.registrations().get(environment)
    usual = known.endpoint if known else endpoint_of(settings) if environment == "prod" else ""
    gateway = _gateway(line.values.get("--endpoint") or ask("Endpoint", usual), settings)
    if not gateway.is_private:
        print(f"caret-s3cmd: {gateway.endpoint} is not encrypted: others can read your password.", file=sys.stderr)
    project = line.values.get("--project") or ask("Project")
    if not re.fullmatch(r"[a-z0-9-]{1,63}", project):
        raise Leave(USAGE, f"{project!r} is no project's name.")
    login = _login("")
    api_key = gateway.register(project, login)
    files.register(environment, gateway.endpoint, project, Registration(login["user_name"], api_key))
    for kind in ("s3import", "s3export"):
        files.forget_session(environment, project, kind)
    print(f"Registered for {project} ({environment}) in {files.registrations_path()}.")
    return DONE


def _login(user: str) -> dict[str, str]:
    return {
        "user_name": ask("User", user),
        "password": ask_secret("Password"),
        "otp": ask("One-time code"),
    }


def _gateway(endpoint: str, settings: Mapping[str, str]) -> Gateway:
    return Gateway(endpoint, os.path.expanduser(text(settings, "ca_certs_file")))


# ---------------------------------------------------------------- sessions


def _open_session(line: Line, settings: Mapping[str, str], kind: str) -> tuple[Gateway, Session]:
    """The one that is kept, where it is in force; else a new one, for which people are asked."""
    environment = "test" if "--usetest" in line.flags else "prod"
    known = files.registrations().get(environment)
    if known is None or not known.projects:
        raise Leave(CONFIG, f"nothing is registered for {environment}: caret-s3cmd --register")
    project = line.values.get("--project") or _only(sorted(known.projects))
    registration = known.projects.get(project)
    if registration is None:
        raise Leave(CONFIG, f"{project} is not registered for {environment}: caret-s3cmd --register")
    gateway = _gateway(known.endpoint, settings)
    kept = files.kept_session(environment, project, kind)
    if kept is not None and kept.serves(known.endpoint) and gateway.is_in_force(kept):
        return gateway, kept
    login = {**_login(registration.user), **_duration(line)}
    session = gateway.log_in(project, kind, registration.api_key, login)
    files.keep_session(environment, project, kind, session)
    return gateway, session


def _only(projects: Sequence[str]) -> str:
    if len(projects) > 1:
        raise Leave(USAGE, f"several projects are registered, choose one: --project {'|'.join(projects)}")
    return projects[0]


def _duration(line: Line) -> dict[str, int]:
    hours = line.values.get("--session-hours")
    if hours is None:
        return {}
    if not re.fullmatch(r"[0-9]{1,3}", hours) or int(hours) == 0:
        raise Leave(USAGE, "--session-hours is a whole number.")
    return {"duration_s": int(hours) * 3600}


def _print_token(line: Line, settings: Mapping[str, str]) -> int:
    verb = line.values["--print-token-for"]
    kind = kind_of(verb, line.operands)
    _, session = _open_session(line, settings, kind)
    print(session.token)
    print(
        f"This is an {kind} token. Requests that are signed with a long-lived access key carry it as the header\n"
        "token, beside x-project-select, which names the project. Stock s3cmd cannot send these on every request;\n"
        "caret-s3cmd itself asks for nothing while the session is in force.",
        file=sys.stderr,
    )
    return DONE


# ---------------------------------------------------------------- s3cmd


def _carry_out(line: Line, settings: Mapping[str, str], program: str) -> int:
    gateway, session = _open_session(line, settings, line.kind)
    arguments = line.arguments
    if "--upload-id" in line.values and not line.is_trial:
        further = _resume(line, settings, Uploads(gateway, session, target_of(line.operands[1:]).bucket))
        if further is None:
            return DONE
        arguments = [*further, *arguments]
    return _become(program, arguments, s3cfg_for(settings, gateway.endpoint), session)


def _resume(line: Line, settings: Mapping[str, str], uploads: Uploads) -> list[str] | None:
    """Finishes the upload; what s3cmd is to be told beside the line for all the rest, None where that is all."""
    if line.verb not in ("put", "sync"):
        raise Leave(USAGE, "--upload-id is for put and sync.")
    if line.encrypts or text(settings, "encrypt").lower() in ("true", "yes", "1", "on"):
        raise Leave(
            USAGE, "an upload that is encrypted here cannot be gone on with: it would be encrypted differently."
        )
    *local, _ = line.operands[1:]
    upload_id, target = line.values["--upload-id"], target_of(line.operands[1:])
    found = find_local(local, target, uploads.key_of(upload_id))
    uploads.finish(upload_id, found, _chunk_size(line, settings))
    print(f"upload: '{found.path}' -> 's3://{target.bucket}/{found.key}' (finished)")
    if line.verb == "sync":
        return []
    is_all = len(local) == 1 and Path(local[0]).is_file()
    return None if is_all else [f"--rexclude=^{re.escape(found.relative)}$"]


def _chunk_size(line: Line, settings: Mapping[str, str]) -> int | None:
    given = line.chunk_size_mb or text(settings, "multipart_chunk_size_mb")
    if not given:
        return None
    if not re.fullmatch(r"[0-9]{1,6}", given) or int(given) == 0:
        raise Leave(USAGE, f"{given!r} is no chunk size in MB.")
    return int(given) * MIB


def _become(program: str, arguments: Sequence[str], s3cfg: str, session: Session) -> NoReturn:
    with tempfile.TemporaryFile() as file:
        file.write(s3cfg.encode())
        file.flush()
        file.seek(0)
        os.set_inheritable(file.fileno(), True)
        environment = {name: value for name, value in os.environ.items() if name not in _CREDENTIALS}
        environment |= {
            "AWS_ACCESS_KEY_ID": session.access_key,
            "AWS_SECRET_ACCESS_KEY": session.secret_key,
            "AWS_SESSION_TOKEN": session.session_token,
        }
        sys.stdout.flush()
        command = [program, f"--config=/dev/fd/{file.fileno()}", *arguments]
        os.execve(program, command, environment)  # noqa: S606


def _s3cmd() -> str:
    program = shutil.which("s3cmd", path=_search_path())
    if program is None:
        raise Leave(NO_S3CMD, "there is no s3cmd here: pip install 'caret-gateway[s3cmd]'")
    return program


def _search_path() -> str:
    """Beside this interpreter, then on PATH."""
    return os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
