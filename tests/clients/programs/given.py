"""What a program is given: the gateway's address and keys, its authority's certificate, an empty bucket."""

from __future__ import annotations

import os

ENDPOINT = os.environ["AWS_ENDPOINT_URL"]
SCHEME, _, HOST = ENDPOINT.partition("://")
CA_FILE = os.environ["CA_FILE"] or None
ACCESS_KEY = os.environ["AWS_ACCESS_KEY_ID"]
SECRET_KEY = os.environ["AWS_SECRET_ACCESS_KEY"]
REGION = os.environ["AWS_REGION"]
BUCKET = os.environ["BUCKET"]

MIB = 1 << 20
SMALL = bytes(range(256)) * 16
LARGE = os.urandom(12 * MIB + 17)
