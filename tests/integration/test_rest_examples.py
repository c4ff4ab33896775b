"""The examples of docs/rest-api.md do what they say, with the curl that is installed."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable

import pytest

from .server import REPOSITORY, Server, clean_environment


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_examples_of_the_documentation(serve: Callable[..., Server]) -> None:
    page = (REPOSITORY / "docs/rest-api.md").read_text(encoding="utf-8")
    found = re.search(r"<!-- examples -->(.*)<!-- /examples -->", page, re.DOTALL)
    assert found is not None
    script = "\n".join(line[4:] for line in found[1].splitlines() if line.startswith("    "))
    server = serve(workers=1, region="us-east-1")
    environment = clean_environment(KEY=server.access_key, SECRET=server.secret_key, CARET=server.url)
    run = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script], env=environment, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stdout.endswith("better cat\n")
    assert server.client().get_object(Bucket="photos", Key="cat.txt")["Body"].read() == b"cat\n"
