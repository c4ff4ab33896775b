"""Questions, asked on the terminal itself: standard input and output may be somebody's data."""

from __future__ import annotations

import getpass

from gateway.s3cmd.exits import DENIED, Leave


def ask(question: str, otherwise: str = "") -> str:
    """A line, without the white space around it; `otherwise` is what an empty one means. Raises Leave."""
    shown = f"{question} [{otherwise}] > " if otherwise else f"{question} > "
    try:
        with open("/dev/tty", "r+b", buffering=0) as terminal:
            terminal.write(shown.encode())
            line = terminal.readline()
    except OSError as exc:
        raise _nobody(question) from exc
    if not line:
        raise Leave(DENIED, "nothing was answered.")
    return line.decode("utf-8", "replace").strip() or otherwise


def ask_secret(question: str) -> str:
    """Like `ask`; what is typed does not show."""
    try:
        with open("/dev/tty", "rb"):
            return getpass.getpass(f"{question} > ")
    except OSError as exc:
        raise _nobody(question) from exc
    except EOFError:
        raise Leave(DENIED, "nothing was answered.") from None


def _nobody(question: str) -> Leave:
    return Leave(
        DENIED, f"no session is in force, and there is no terminal to ask on ({question}): log in from one first."
    )
