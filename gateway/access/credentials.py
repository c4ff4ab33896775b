"""Root's credentials: given by the operator, or made at random on the first start and kept.

They are kept in `<data>/root-credentials.json`, readable by the owner only:

    {"access_key": "CARET…", "secret_key": "…"}

The file appears whole or not at all, and never changes afterwards: of several processes that
start on the same new folder, one creates it and all read the same.
"""

from __future__ import annotations

import json
import secrets
import string
from dataclasses import dataclass, field
from pathlib import Path
from typing import NewType

from gateway.access.kept import create_once

AccessKey = NewType("AccessKey", str)
Secret = NewType("Secret", str)

FILE_NAME = "root-credentials.json"
_KEY_ALPHABET = string.ascii_uppercase + string.digits
# No '/' and no '+': some tools put secrets into URLs unescaped.
_SECRET_ALPHABET = string.ascii_letters + string.digits


class CredentialsError(Exception):
    """The kept credentials cannot be read or written; the message says where and what to do."""


@dataclass(frozen=True, slots=True)
class Credentials:
    access_key: AccessKey
    secret_key: Secret = field(repr=False)


def root_credentials(data: Path, access_key: str | None = None, secret_key: str | None = None) -> Credentials:
    """Those given, if given; else those kept in `data`, made and kept now if there are none.

    When it returns credentials it made, they are on disk. Raises CredentialsError.
    """
    if access_key is not None and secret_key is not None:
        return Credentials(AccessKey(access_key), Secret(secret_key))
    path = data / FILE_NAME
    try:
        if not path.exists():
            create_once(path, _document(_generate()))
        return _read(path)
    except OSError as error:
        raise CredentialsError(f"the root credentials in {path} cannot be kept or read: {error}") from error


def kept_credentials(data: Path) -> Credentials | None:
    """Those kept in `data`; None where there are none, or none for this user to read. Raises CredentialsError."""
    try:
        return _read(data / FILE_NAME)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return None
    except OSError as error:
        raise CredentialsError(f"the root credentials in {data / FILE_NAME} cannot be read: {error}") from error


def _generate() -> Credentials:
    access_key = "CARET" + "".join(secrets.choice(_KEY_ALPHABET) for _ in range(15))
    secret_key = "".join(secrets.choice(_SECRET_ALPHABET) for _ in range(40))
    return Credentials(AccessKey(access_key), Secret(secret_key))


def _document(credentials: Credentials) -> str:
    document = {"access_key": credentials.access_key, "secret_key": credentials.secret_key}
    return json.dumps(document, indent=2) + "\n"


def _read(path: Path) -> Credentials:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        access_key, secret_key = document["access_key"], document["secret_key"]
    except (ValueError, KeyError, TypeError) as error:
        raise CredentialsError(
            f"{path} does not hold an access_key and a secret_key; remove it to have new ones made"
        ) from error
    if not isinstance(access_key, str) or not isinstance(secret_key, str):
        raise CredentialsError(f"{path}: access_key and secret_key must be texts; remove it to have new ones made")
    return Credentials(AccessKey(access_key), Secret(secret_key))
