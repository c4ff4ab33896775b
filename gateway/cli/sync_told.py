"""What `caret sync` tells while it works: a bar on a terminal, lines elsewhere, JSON for programs.

Standard output has what it comes to, a dry run's plan, and all JSON; standard error the rest. Told from any thread,
one call at a time.
"""

from __future__ import annotations

import time
from collections import Counter
from types import TracebackType
from typing import Any

import msgspec
from rich.console import Console
from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from rich.text import Text

from gateway.cli.output import count, human, legible, print_json_line, say, short
from gateway.sync import ActionKind, Failure, Outcome, Plan, Progress, State

_LINE_EVERY_S, _JSON_EVERY_S = 10.0, 1.0
_NEXT = {
    State.FAILED: "what was transferred is kept: run it again to go on with the rest",
    State.CHANGED: "the source changed meanwhile: run it again when it is at rest",
    State.CANCELLED: "stopped; run it again to go on from here",
}
_PARTIAL = ", or with --partial to commit without it"


class Lines:
    """For logs: what begins, each failure, now and then how far it is, and what it comes to."""

    def __init__(self, *, is_dry: bool, every_s: float = _LINE_EVERY_S) -> None:
        self._is_dry, self._every_s = is_dry, every_s
        self._began = self._next = time.monotonic()

    def __enter__(self) -> Lines:
        """A round begins."""
        self._began = time.monotonic()
        self._next = self._began + self._every_s
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing more comes but `ended`, `wrong` and `waiting`."""

    # ---------------------------------------------------------------- while it runs

    def planned(self, plan: Plan) -> None:
        if self._is_dry:
            for action in plan.actions:
                say(f"{action.kind.value:<6}  {action.path}  {human(action.size)}")
            say(_planned(plan))
        elif plan.actions:
            self._line(_planned(plan))

    def advanced(self, progress: Progress) -> None:
        now = time.monotonic()
        if now >= self._next:
            self._next = now + self._every_s
            rate = human(int(progress.bytes_done / max(now - self._began, 0.001)))
            self._line(f"{progress.fraction:.0%}  {_so_far(progress)}, {rate}/s")

    def failed(self, failure: Failure) -> None:
        self._line(f"{failure.kind.value}: {failure.path}: {failure.reason}")

    def stopping(self) -> None:
        self._line("stopping when what is under way has ended; a second time stops at once")

    # ---------------------------------------------------------------- afterwards

    def ended(self, outcome: Outcome, *, is_partial: bool) -> None:
        if self._is_dry and outcome.state is State.DONE:
            return
        say(_summary(outcome, time.monotonic() - self._began))
        if outcome.reason:
            say(f"Error: {outcome.reason}", err=True)
        if outcome.state in _NEXT and outcome.commit_id is None:
            hint = _NEXT[outcome.state]
            say(f"Hint: {hint}{'' if is_partial or outcome.state is State.CANCELLED else _PARTIAL}", err=True)

    def wrong(self, message: str) -> None:
        """A round came to nothing."""
        say(f"Error: {message}", err=True)

    def waiting(self, what: str) -> None:
        self._line(what)

    def _line(self, text: str) -> None:
        say(text, err=True)


class Live(Lines):
    """On a terminal: a bar with rate and time left, above it the failures."""

    def __init__(self, console: Console, *, is_dry: bool) -> None:
        super().__init__(is_dry=is_dry)
        self._console = console

    def __enter__(self) -> Live:
        super().__enter__()
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f}%"),
            TextColumn("{task.fields[so_far]}"),
            TimeRemainingColumn(),
        )
        self._bar = Bar(*columns, console=self._console, transient=True)
        self._task = self._bar.add_task("comparing", total=None, so_far="")
        self._bytes = self._bar.add_task("bytes", visible=False)  # only to have its rate reckoned
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def planned(self, plan: Plan) -> None:
        if self._is_dry:
            self._bar.stop()
        super().planned(plan)

    def advanced(self, progress: Progress) -> None:
        self._bar.update(self._bytes, completed=progress.bytes_done)
        rate = next(task.speed for task in self._bar.tasks if task.id == self._bytes)
        so_far = _so_far(progress) + (f", {human(int(rate))}/s" if rate else "")
        self._bar.update(self._task, description="syncing", total=1.0, completed=progress.fraction, so_far=so_far)

    def _line(self, text: str) -> None:
        self._console.print(Text(legible(text)), soft_wrap=True)


class Json(Lines):
    """A document a line: `event` says what about; docs/cli.md has them all."""

    def planned(self, plan: Plan) -> None:
        if self._is_dry:
            for action in plan.actions:
                _event("action", action)
        counted, sizes = _counted(plan)
        kinds = {kind.value: counted[kind] for kind in ActionKind}
        _event("plan", {**kinds, "unchanged": plan.unchanged, "bytes": sizes})

    def advanced(self, progress: Progress) -> None:
        now = time.monotonic()
        if now >= self._next or progress.files_done == progress.files_total:
            self._next = now + self._every_s
            _event("progress", progress, fraction=round(progress.fraction, 4))

    def failed(self, failure: Failure) -> None:
        _event("failure", failure)

    def ended(self, outcome: Outcome, *, is_partial: bool) -> None:
        facts = {**msgspec.to_builtins(outcome), "failed": len(outcome.failures)}
        del facts["failures"]  # each has been told
        _event("outcome", facts, seconds=round(time.monotonic() - self._began, 3))

    def wrong(self, message: str) -> None:
        _event("error", {"message": message})
        super().wrong(message)

    def waiting(self, what: str) -> None:
        _event("waiting", {"message": what})


def teller(*, as_json: bool, is_dry: bool) -> Lines:
    if as_json:
        return Json(is_dry=is_dry, every_s=_JSON_EVERY_S)
    console = Console(stderr=True)
    return Live(console, is_dry=is_dry) if console.is_terminal else Lines(is_dry=is_dry)


# ---------------------------------------------------------------- words


def _planned(plan: Plan) -> str:
    counted, size = _counted(plan)
    kinds = ", ".join(f"{counted[kind]} to {kind.value}" for kind in ActionKind)
    return f"{kinds}, {plan.unchanged} unchanged; {human(size)} to transfer"


def _counted(plan: Plan) -> tuple[Counter[ActionKind], int]:
    """Actions of each kind, and the bytes to transfer."""
    size = sum(action.size for action in plan.actions if action.kind is not ActionKind.DELETE)
    return Counter(action.kind for action in plan.actions), size


def _so_far(progress: Progress) -> str:
    sizes = f"{human(progress.bytes_done)} of {human(progress.bytes_total)}"
    return f"{progress.files_done} of {count(progress.files_total, 'file')}, {sizes}"


def _summary(outcome: Outcome, took_s: float) -> str:
    did = [
        f"{outcome.transferred} transferred",
        f"{outcome.deleted} deleted",
        f"{outcome.unchanged} unchanged",
        *([f"{len(outcome.failures)} failed"] if outcome.failures else []),
    ]
    commit = f"; commit {short(outcome.commit_id)}" if outcome.commit_id else ""
    return f"{outcome.state.value}: {', '.join(did)}; {human(outcome.bytes_sent)} sent in {took_s:.1f} s{commit}"


def _event(event: str, document: object, **more: Any) -> None:
    """Names that are no UTF-8 are told escaped: JSON has no way to spell them."""
    facts: dict[str, Any] = {"event": event, **msgspec.to_builtins(document), **more}
    print_json_line(
        {name: _sound(value) if isinstance(value, str) else value for name, value in facts.items()},
    )


def _sound(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()
