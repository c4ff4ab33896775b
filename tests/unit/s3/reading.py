"""How clients read our answers: botocore's own model of S3 and its response parser."""

from __future__ import annotations

from functools import cache
from typing import Any
from xml.etree import ElementTree

import botocore.session
from botocore.awsrequest import HeadersDict
from botocore.model import ServiceModel
from botocore.parsers import create_parser

from gateway.s3.response import Response


@cache
def service_model() -> ServiceModel:
    return botocore.session.get_session().get_service_model("s3")


def as_client(operation: str, response: Response) -> dict[str, Any]:
    """What botocore makes of an answer to `operation`, without its ResponseMetadata."""
    shape = service_model().operation_model(operation).output_shape
    answer = {"status_code": response.status, "headers": HeadersDict(response.headers), "body": response.body}
    parsed: dict[str, Any] = create_parser("rest-xml").parse(answer, shape)
    parsed.pop("ResponseMetadata")
    return parsed


def tags(response: Response) -> list[str]:
    """The names of the elements under the root, in order, without their namespace."""
    return [child.tag.rpartition("}")[2] for child in ElementTree.fromstring(response.body)]
