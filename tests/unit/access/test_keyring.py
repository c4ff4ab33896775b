"""What the accounts of the configuration are good for."""

from __future__ import annotations

import pytest

from gateway.access.credentials import AccessKey, Credentials, Secret
from gateway.access.directory import Directory
from gateway.access.keyring import Keyring
from gateway.access.model import OPEN, SENSITIVE
from gateway.access.principals import Accounts
from gateway.config import Account

from .conftest import Clock


@pytest.fixture
def keyring(directory: Directory, clock: Clock) -> Keyring:
    root = Credentials(AccessKey("root-key"), Secret("root-secret"))
    account = Account(access_key="lab-key", secret_key="lab-secret", id="lab", display_name="Lab", project="lab")
    return Keyring(Accounts(root, [account]), directory, clock=lambda: clock.now_us / 1_000_000)


def test_an_account_is_under_its_projects_policy_as_soon_as_there_is_one(
    keyring: Keyring, directory: Directory, clock: Clock
) -> None:
    found = keyring.find("lab-key")
    assert found is not None
    assert found.policy == OPEN
    directory.create_project("lab", SENSITIVE)
    clock.forward(1.1)
    found = keyring.find("lab-key")
    assert found is not None
    assert found.policy.requires_session
    assert not found.is_proven


def test_root_is_never_locked_out(keyring: Keyring, directory: Directory) -> None:
    directory.set_policy("default", SENSITIVE)
    found = keyring.find("root-key")
    assert found is not None
    assert not found.policy.requires_session
