"""Secrets at rest."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.access.vault import FILE_NAME, Vault, VaultError, open_vault

OLD, NEW = bytes(range(32)), bytes(range(32, 64))


@given(st.text(max_size=200), st.text(max_size=50))
def test_what_is_sealed_opens_again(secret: str, purpose: str) -> None:
    vault = Vault([OLD])
    assert vault.open(vault.seal(secret, purpose), purpose) == secret


@given(st.integers(0, 70), st.integers(1, 255))
def test_no_altered_byte_goes_unseen(place: int, change: int) -> None:
    vault = Vault([OLD])
    sealed = bytearray(vault.seal("a secret of forty characters, like S3's.", "key"))
    sealed[place % len(sealed)] ^= change
    with pytest.raises(VaultError):
        vault.open(bytes(sealed), "key")


def test_a_secret_does_not_open_for_another_purpose() -> None:
    vault = Vault([OLD])
    with pytest.raises(VaultError, match="altered"):
        vault.open(vault.seal("secret", "one key"), "another key")


def test_the_same_secret_is_sealed_differently_each_time() -> None:
    vault = Vault([OLD])
    assert vault.seal("secret", "key") != vault.seal("secret", "key")


def test_after_a_rotation_the_old_key_still_opens() -> None:
    sealed = Vault([OLD]).seal("secret", "key")
    rotated = Vault([NEW, OLD])
    assert rotated.open(sealed, "key") == "secret"
    assert not rotated.is_current(sealed)
    assert rotated.is_current(rotated.seal("secret", "key"))
    with pytest.raises(VaultError, match="not among the secret keys"):
        Vault([NEW]).open(sealed, "key")


def test_a_key_is_made_once_and_kept(tmp_path: Path) -> None:
    sealed = open_vault(tmp_path).seal("secret", "key")
    assert open_vault(tmp_path).open(sealed, "key") == "secret"
    assert (tmp_path / FILE_NAME).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("text", ["", "abc", "z" * 64, "0" * 63, "0" * 64 + "\nnonsense"])
def test_keys_that_are_none_are_refused_without_repeating_them(text: str) -> None:
    with pytest.raises(VaultError) as refused:
        open_vault(Path("unused"), text)
    assert "64 hex digits" in str(refused.value)
    assert "nonsense" not in str(refused.value)
