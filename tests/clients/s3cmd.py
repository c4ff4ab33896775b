"""s3cmd at one version, with a gateway as its endpoint."""

from __future__ import annotations

from pathlib import Path

from tests.clients.client import Client, Command, environment
from tests.clients.install import Pip
from tests.integration.server import Server

S3CMD = Client(
    "s3cmd",
    "put, get, cp, mv, info, del; sync with its MD5 check; multipart, resumed with --upload-id",
    Pip("s3cmd", "2.4.0"),
)


def s3cmd_for(client: Path, server: Server, home: Path, **credentials: str) -> Command:
    """With root's key, unless told otherwise."""
    address = server.url.partition("://")[2]
    settings = {
        **(credentials or {"access_key": server.access_key, "secret_key": server.secret_key}),
        "bucket_location": server.region,
        "host_base": address,
        "host_bucket": address,  # no %(bucket)s in it: path style
        "use_https": bool(server.certificate),
        "ca_certs_file": server.certificate.path if server.certificate else "",
        "multipart_chunk_size_mb": 5,
        "progress_meter": False,
    }
    config = home / "s3cfg"
    config.write_text("[default]\n" + "".join(f"{name} = {value}\n" for name, value in settings.items()))
    return Command([client / "bin" / "s3cmd", "--config", config], environment(server, home))
