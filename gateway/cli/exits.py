"""What `caret` leaves with; docs/operations.md explains it to operators.

0    done; the store is sound
1    the command ran and found something wrong, or the gateway refused it
2    wrong usage or a setting that cannot be used (click's own code for it)
3    the gateway cannot start or be reached, or the store cannot be opened
5    a conflict: others have changed what this would change; nothing was done
130  interrupted
"""

from __future__ import annotations

import click

FOUND_WRONG = 1
CANNOT_START = 3
CONFLICT = 5
INTERRUPTED = 130


class CannotStart(click.ClickException):
    exit_code = CANNOT_START
