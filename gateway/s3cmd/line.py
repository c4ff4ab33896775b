"""The command line: our own options taken out of it, wherever they stand; the rest is s3cmd's, as it was written.

To find the verb it has to be known which of s3cmd's options take a value: those of s3cmd 2.4 do. As there, `--` ends
the options, and a long option may be shortened.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from gateway.s3cmd.exits import USAGE, Leave

IMPORT, EXPORT = "s3import", "s3export"

_EXPORTS = frozenset({"ls", "la", "get", "du", "info", "gettagging", "signurl"})

_UPLOAD_ID = "--upload-id"
_FLAGS = {"--register", "--usetest", "--guide", "--s3cmd-help", "--version", "--help"}
_OPTIONS = {"--project", "--endpoint", "--session-hours", _UPLOAD_ID, "--print-token-for", "--config"}
# What decides where a request goes and who sends it: the session's affair.
_REFUSED = {"--access_key", "--secret_key", "--access_token", "--host", "--host-bucket", "--configure"}

_CHUNK = "--multipart-chunk-size-mb"
_VALUED = (
    *("--acl-grant", "--acl-revoke", "--restore-days", "--restore-priority", "--max-delete", "--limit"),
    *("--add-destination", "--exclude", "--exclude-from", "--rexclude", "--rexclude-from", "--include"),
    *("--include-from", "--rinclude", "--rinclude-from", "--files-from", "--region", "--bucket-location"),
    *("--storage-class", "--access-logging-target-prefix", "--default-mime-type", "--mime-type", "--add-header"),
    *("--remove-header", "--server-side-encryption-kms-id", "--encoding", "--add-encoding-exts", _CHUNK),
    *("--ws-index", "--ws-error", "--expiry-date", "--expiry-days", "--expiry-prefix", "--cf-add-cname"),
    *("--cf-remove-cname", "--cf-comment", "--cf-default-root-object", "--cache-file", "--ca-certs", "--ssl-cert"),
    *("--ssl-key", "--limit-rate", "--max-retries", "--content-disposition", "--content-type"),
)
_VALUED_LETTERS = "Dm"
_PLAIN_PREFIX = "--server-side-encryption"  # an option of its own, and the beginning of one with a value


@dataclass(slots=True)
class Line:
    """`arguments` are s3cmd's; `operands` those among them that are no options: the verb and what it works on."""

    arguments: list[str] = field(default_factory=list)
    operands: list[str] = field(default_factory=list)
    flags: set[str] = field(default_factory=set)
    values: dict[str, str] = field(default_factory=dict)
    chunk_size_mb: str | None = None
    encrypts: bool = False
    is_trial: bool = False  # s3cmd's --dry-run

    @property
    def verb(self) -> str:
        return self.operands[0] if self.operands else ""

    @property
    def kind(self) -> str:
        return kind_of(self.verb, self.operands[1:])


def kind_of(verb: str, operands: Sequence[str]) -> str:
    """Which token a verb needs. Sync is for whichever way it goes."""
    if verb == "sync":
        return EXPORT if operands and is_remote(operands[0]) else IMPORT
    return EXPORT if verb in _EXPORTS else IMPORT


def is_remote(operand: str) -> bool:
    return operand.lower().startswith("s3://")


def parse_line(arguments: Sequence[str]) -> Line:
    """Raises Leave."""
    line, rest = Line(), iter(arguments)
    for argument in rest:
        if argument == "--":
            line.arguments += [argument, *(operands := list(rest))]
            line.operands += operands
        elif argument == "-" or not argument.startswith("-"):
            line.arguments.append(argument)
            line.operands.append(argument)
        elif argument.startswith("--"):
            _option(line, argument, rest)
        else:
            _letters(line, argument, rest)
    return line


def _option(line: Line, argument: str, rest: Iterator[str]) -> None:
    name, has_value, value = argument.partition("=")
    if len(name) > len("--u") and _UPLOAD_ID.startswith(name):
        name = _UPLOAD_ID
    if name in _FLAGS and not has_value:
        line.flags.add(name)
    elif name in _OPTIONS:
        line.values[name] = value if has_value else _next(name, rest)
    elif any(option.startswith(name) for option in _REFUSED):
        raise Leave(USAGE, f"{name} cannot be given: a session says who you are, and --usetest chooses where.")
    elif has_value or not _takes_value(name):
        line.arguments.append(argument)
        _note(line, name, value)
    else:
        value = _next(name, rest)
        line.arguments += [argument, value]
        _note(line, name, value)


def _note(line: Line, name: str, value: str) -> None:
    if name.startswith("--mul") and _CHUNK.startswith(name):
        line.chunk_size_mb = value
    elif name.startswith("--encr") and "--encrypt".startswith(name):
        line.encrypts = True
    elif name.startswith("--d") and "--dry-run".startswith(name):
        line.is_trial = True


def _letters(line: Line, argument: str, rest: Iterator[str]) -> None:
    """`-r`, `-rf`, `-m text/plain`, `-mtext/plain`: the first letter with a value ends them."""
    for at, letter in enumerate(argument[1:], 1):
        attached = argument[at + 1 :]
        if letter == "h":
            line.flags.add("--help")
        elif letter == "e":
            line.encrypts = True
        elif letter == "n":
            line.is_trial = True
        elif letter == "c":
            line.values["--config"] = attached or _next("-c", rest)
            line.arguments += [argument[:at]] if at > 1 else []
            return
        elif letter in _VALUED_LETTERS:
            line.arguments += [argument] if attached else [argument, _next(f"-{letter}", rest)]
            return
    line.arguments.append(argument)


def _takes_value(name: str) -> bool:
    if name in _VALUED:
        return True
    return name != _PLAIN_PREFIX and sum(option.startswith(name) for option in _VALUED) == 1


def _next(name: str, rest: Iterator[str]) -> str:
    value = next(rest, None)
    if value is None:
        raise Leave(USAGE, f"{name} needs a value.")
    return value
