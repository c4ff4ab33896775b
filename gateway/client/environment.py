"""Where the gateway is and who is asking: told by the caller, by the environment, or by the store on this machine.

What comes first counts:

    endpoint      the caller's; CARET_ENDPOINT; AWS_ENDPOINT_URL_S3; AWS_ENDPOINT_URL
    credentials   CARET_ACCESS_KEY and CARET_SECRET_KEY; AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN
    region        CARET_REGION; AWS_REGION; AWS_DEFAULT_REGION; us-east-1
    certificates  AWS_CA_BUNDLE

What is still missing then comes from root's credentials in the data folder (the caller's, CARET_DATA, ./data), where
this user may read them: that gateway is asked at http://127.0.0.1:9000. A pair of keys comes from one place; an access
key that the caller gives takes the place of the one in the pair. Variables set to nothing count as not set.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gateway.access.credentials import FILE_NAME, CredentialsError, kept_credentials
from gateway.client.connection import Connection, Credentials

LOCAL_ENDPOINT = "http://127.0.0.1:9000"
DEFAULT_REGION = "us-east-1"

_ENDPOINTS = ("CARET_ENDPOINT", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
_REGIONS = ("CARET_REGION", "AWS_REGION", "AWS_DEFAULT_REGION")
_PAIRS = (
    ("CARET_ACCESS_KEY", "CARET_SECRET_KEY", None),
    ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"),
)


class NotConfigured(Exception):
    """It is not known which gateway to ask, or as whom; the message says what is missing and how to give it."""


@dataclass(frozen=True)
class Reach:
    """All that a Connection needs. `certificate`: a file with the very certificate that the gateway has, which is all
    that its connections accept, whatever names it bears."""

    endpoint: str
    credentials: Credentials
    region: str = DEFAULT_REGION
    ca_bundle: str | None = None
    certificate: Path | None = None

    def connect(self, *, connections: int = 8, address: str | None = None) -> Connection:
        """As `Connection` says. Raises ValueError where the endpoint is no URL without a path."""
        return Connection(
            self.endpoint,
            self.credentials,
            region=self.region,
            ca_bundle=self.ca_bundle,
            certificate=self.certificate,
            connections=connections,
            address=address,
        )

    def environment(self) -> dict[str, str]:
        """The variables that make an S3 client, and `caret`, reach the same gateway as the same user."""
        keys = self.credentials
        variables = {
            "CARET_ENDPOINT": self.endpoint,
            "CARET_ACCESS_KEY": keys.access_key,
            "CARET_SECRET_KEY": keys.secret,
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ENDPOINT_URL_S3": self.endpoint,
            "AWS_ACCESS_KEY_ID": keys.access_key,
            "AWS_SECRET_ACCESS_KEY": keys.secret,
            "AWS_SESSION_TOKEN": keys.token or "",
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
        }
        if self.ca_bundle is not None:
            variables["AWS_CA_BUNDLE"] = self.ca_bundle
        return variables


def find(
    environ: Mapping[str, str],
    *,
    endpoint: str | None = None,
    access_key: str | None = None,
    data: Path | None = None,
) -> Reach:
    """Raises NotConfigured."""
    folder = data or Path(environ.get("CARET_DATA") or "data")
    endpoint = endpoint or _first(environ, _ENDPOINTS)
    credentials = _credentials(environ, access_key)
    if endpoint is None or credentials is None:
        try:
            root = kept_credentials(folder)
        except CredentialsError as exc:
            raise NotConfigured(str(exc)) from exc
        if root is not None:
            endpoint = endpoint or LOCAL_ENDPOINT
            credentials = credentials or _of_root(root.access_key, root.secret_key, access_key)
    if endpoint is None or credentials is None:
        raise NotConfigured(_missing(endpoint, credentials, access_key, folder))
    return Reach(
        endpoint, credentials, _first(environ, _REGIONS) or DEFAULT_REGION, environ.get("AWS_CA_BUNDLE") or None
    )


def _credentials(environ: Mapping[str, str], access_key: str | None) -> Credentials | None:
    """The first pair of which any part is set. Raises NotConfigured where it is half a pair."""
    for key_name, secret_name, token_name in _PAIRS:
        key, secret = access_key or environ.get(key_name), environ.get(secret_name)
        if key and secret:
            return Credentials(key, secret, environ.get(token_name) or None if token_name else None)
        if environ.get(key_name) or secret:
            present, absent = (key_name, secret_name) if environ.get(key_name) else (secret_name, key_name)
            raise NotConfigured(f"{present} is set without {absent}: set both")
    return None


def _of_root(access_key: str, secret_key: str, asked_for: str | None) -> Credentials | None:
    return Credentials(access_key, secret_key) if asked_for in (None, access_key) else None


def _first(environ: Mapping[str, str], names: tuple[str, ...]) -> str | None:
    return next((environ[name] for name in names if environ.get(name)), None)


def _missing(endpoint: str | None, credentials: Credentials | None, access_key: str | None, folder: Path) -> str:
    lacks = []
    if endpoint is None:
        lacks.append(f"the gateway's endpoint: set CARET_ENDPOINT, to {LOCAL_ENDPOINT} for one on this machine")
    if credentials is None and access_key is not None:
        lacks.append(f"the secret of the access key {access_key}: set CARET_SECRET_KEY")
    elif credentials is None:
        lacks.append("an access key: set CARET_ACCESS_KEY and CARET_SECRET_KEY")
    return (
        f"it is not known what to reach. Missing is {'; and '.join(lacks)}. There is no {folder / FILE_NAME} to read."
    )
