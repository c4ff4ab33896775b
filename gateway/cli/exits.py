"""What `caret` leaves with; docs/operations.md explains it to operators.

0    done; the store is sound
1    the command ran and found something wrong, or the gateway refused it
2    wrong usage or a setting that cannot be used (click's own code for it)
3    the gateway cannot start or be reached, or the store cannot be opened
5    a conflict: others have changed what this would change; nothing was done
130  interrupted

`caret sync` has its own for what a sync comes to:

1    something failed, a file or all
3    the source changed while it was read, nothing else went wrong
4    the destination refused it
130  stopped by SIGINT; 143 by SIGTERM
"""

from __future__ import annotations

import click

FOUND_WRONG = 1
CANNOT_START = 3
CONFLICT = 5
INTERRUPTED = 130
SYNC_FAILED, SYNC_CHANGED, SYNC_REFUSED = 1, 3, 4


class CannotStart(click.ClickException):
    exit_code = CANNOT_START
