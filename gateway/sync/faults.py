"""What ends a file's transfer, or a whole run. None of these leaves the engine: they become failures and outcomes.

SyncFault
  FileFault             one file was not transferred; the others go on
    FileChanged         it changed or vanished while it was read
    FileFailed          anything else
  Refused               the destination would not have it; nothing goes on
  Halted                no other file would fare better, as on a full disk; counts as this file's failure
  Cancelled             the caller wants it to end
"""

from __future__ import annotations


class SyncFault(Exception):
    """The message says why."""


class FileFault(SyncFault):
    """Concerns one file."""


class FileChanged(FileFault):
    """It changed or vanished while it was read."""


class FileFailed(FileFault):
    """It could not be transferred or deleted."""


class Refused(SyncFault):
    """The destination would not have it."""


class Halted(SyncFault):
    """Nothing more can be written."""


class Cancelled(SyncFault):
    """The caller said so."""
