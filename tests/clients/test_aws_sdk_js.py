"""The AWS SDK for JavaScript v3, on Node."""

from __future__ import annotations

from pathlib import Path

from tests.clients.client import Client, Command, environment
from tests.clients.install import Npm
from tests.integration.server import Server

CLIENT = Client(
    "AWS SDK for JavaScript v3",
    "put, streams, lib-storage's Upload, checksums, conditions, copies, tags, links, history",
    Npm(
        "aws-sdk-js",
        "3.1169.0",
        "@aws-sdk/client-s3",
        also=("@aws-sdk/lib-storage@3.1169.0", "@aws-sdk/s3-request-presigner@3.1162.0"),
    ),
)
PROGRAM = Path(__file__).with_name("programs") / "aws_sdk_js_user.cjs"


def test_aws_sdk_js(server: Server, client: Path, bucket: str, tmp_path: Path) -> None:
    settings = {"NODE_PATH": str(client / "node_modules"), "BUCKET": bucket}
    if server.certificate:
        settings["NODE_EXTRA_CA_CERTS"] = str(server.certificate.path)
    Command(["node", PROGRAM], environment(server, tmp_path, **settings))()
