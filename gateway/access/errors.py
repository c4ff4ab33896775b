"""What the directory refuses with.

    DirectoryError
    ├── Unknown          no such project, user, member, key, session
    ├── Exists           the name is taken
    ├── Illegal          a name, a right, a policy that cannot be
    ├── Forbidden        not for whoever asks to do
    └── NotProven        a password or a code that is wrong, used, or missing: who asks learns no more
        └── TooMany      guessed too often; `retry_s` says when it is worth trying again

None of them repeats a secret.
"""

from __future__ import annotations


class DirectoryError(Exception):
    """Base; nothing was changed."""


class Unknown(DirectoryError):
    def __init__(self, what: str, name: str) -> None:
        self.what, self.name = what, name
        super().__init__(f"there is no {what} {name!r}")


class Exists(DirectoryError):
    def __init__(self, what: str, name: str) -> None:
        self.what, self.name = what, name
        super().__init__(f"there already is a {what} {name!r}")


class Illegal(DirectoryError):
    pass


class Forbidden(DirectoryError):
    pass


class NotProven(DirectoryError):
    def __init__(self, message: str = "the user name, the password or the one-time code is wrong") -> None:
        super().__init__(message)


class TooMany(NotProven):
    def __init__(self, retry_s: int) -> None:
        self.retry_s = retry_s
        super().__init__(f"too many failed attempts; try again in {retry_s} s")
