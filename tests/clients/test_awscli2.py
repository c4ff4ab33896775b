"""aws-cli, version 2, as Debian packages it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.clients.awscli import DOES, LARGE, AwsCliTests
from tests.clients.client import Client
from tests.clients.install import Debian
from tests.integration.awscli import Aws
from tests.integration.server import Server

CLIENT = Client("aws-cli v2", DOES, Debian("awscli", "2.9.19", "-1"))


@pytest.fixture
def aws(client: Path, server: Server, tmp_path: Path) -> Aws:
    home = tmp_path / "home"
    home.mkdir()
    aws = Aws(client / "root/usr/bin/aws", server, home)
    aws.environment["PYTHONPATH"] = str(client / "root/usr/lib/python3/dist-packages")
    return aws


class TestAwsCli2(AwsCliTests):
    def test_a_copy_in_parts_keeps_metadata_and_tags(self, aws: Aws, s3: Any, bucket: str) -> None:
        s3.put_object(Bucket=bucket, Key="from", Body=LARGE, Metadata={"by": "hand"}, Tagging="colour=green")
        aws("s3", "cp", f"s3://{bucket}/from", f"s3://{bucket}/to")
        assert s3.head_object(Bucket=bucket, Key="to")["Metadata"] == {"by": "hand"}
        assert s3.get_object_tagging(Bucket=bucket, Key="to")["TagSet"] == [{"Key": "colour", "Value": "green"}]
