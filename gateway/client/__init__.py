"""A typed client of the REST API and of S3's content, for the command and for scripts."""

from gateway.client.client import Client
from gateway.client.connection import Credentials, Refusal, Unreachable
from gateway.client.content import Content
from gateway.client.environment import NotConfigured, Reach

__all__ = ["Client", "Content", "Credentials", "NotConfigured", "Reach", "Refusal", "Unreachable"]
