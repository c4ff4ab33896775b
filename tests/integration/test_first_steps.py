"""What a newcomer does first: starts the gateway, and pastes what it prints."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable

from .awscli import Aws
from .server import Server, clean_environment


def test_the_three_lines_that_are_printed_put_overwrite_and_read_what_was_before(
    serve: Callable[..., Server], aws: Aws
) -> None:
    server = serve(workers=1, environment={"CARET_ROOT_ACCESS_KEY": "", "CARET_ROOT_SECRET_KEY": ""})
    lines = [line for line in server.log.read_text().splitlines() if "aws --endpoint-url" in line]
    assert len(lines) == 3
    path = f"{aws.executable.parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["sh", "-e"],
        input="\n".join(lines),
        env=clean_environment(PATH=path, HOME=str(server.data), AWS_EC2_METADATA_DISABLED="true"),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["make_bucket: demo", "one"]
