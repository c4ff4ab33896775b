"""Root's credentials on disk, and who speaks for whom."""

from __future__ import annotations

import json
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.access.credentials import FILE_NAME, AccessKey, Credentials, CredentialsError, Secret, root_credentials
from gateway.access.principals import ROOT, Accounts
from gateway.config import Account, Config, ConfigError

GIVEN = Credentials(AccessKey("ROOT"), Secret("root-secret"))
ALT = Account(access_key="ALT", secret_key="alt-secret", id="a1", display_name="alt", project="other")


def test_the_first_start_makes_credentials_and_later_ones_keep_them(tmp_path: Path) -> None:
    made = root_credentials(tmp_path / "new" / "data")
    assert re.fullmatch(r"CARET[A-Z0-9]{15}", made.access_key)
    assert re.fullmatch(r"[A-Za-z0-9]{40}", made.secret_key)
    assert root_credentials(tmp_path / "new" / "data") == made


def test_two_folders_have_different_credentials(tmp_path: Path) -> None:
    one, other = root_credentials(tmp_path / "one"), root_credentials(tmp_path / "other")
    assert one.access_key != other.access_key
    assert one.secret_key != other.secret_key


def test_only_the_owner_may_read_the_file_and_nothing_else_is_left(tmp_path: Path) -> None:
    root_credentials(tmp_path / "data")
    assert [path.name for path in (tmp_path / "data").iterdir()] == [FILE_NAME]
    assert stat.S_IMODE((tmp_path / "data" / FILE_NAME).stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700


def test_given_credentials_hold_and_nothing_is_written(tmp_path: Path) -> None:
    assert root_credentials(tmp_path / "data", "ROOT", "root-secret") == GIVEN
    assert not (tmp_path / "data").exists()


def test_starters_that_race_agree(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from gateway.access.credentials import root_credentials\n"
        "sys.stdin.readline(); found = root_credentials(Path(sys.argv[1])); print(found.access_key, found.secret_key)"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "data")]
    starters = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    for starter in starters:
        assert starter.stdin is not None
        starter.stdin.write("go\n")
        starter.stdin.flush()
    answers = {starter.communicate()[0] for starter in starters}
    assert [starter.returncode for starter in starters] == [0] * 4
    assert len(answers) == 1


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"access_key": "A"}', '{"access_key": 1, "secret_key": 2}'])
def test_a_damaged_file_is_refused_and_named(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE_NAME).write_text(text)
    with pytest.raises(CredentialsError, match=FILE_NAME):
        root_credentials(tmp_path)


def test_a_data_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CredentialsError, match="cannot be kept or read"):
        root_credentials(tmp_path / "file" / "data")


def test_the_secret_is_not_in_credentials_shown_for_debugging() -> None:
    assert "root-secret" not in repr(GIVEN)


# ---------------------------------------------------------------- principals


def test_each_access_key_has_its_secret_and_its_principal() -> None:
    accounts = Accounts(GIVEN, [ALT])
    assert accounts.secret_for("ROOT") == "root-secret"
    assert accounts.principal_for("ROOT") is ROOT
    assert accounts.secret_for("ALT") == "alt-secret"
    alt = accounts.principal_for("ALT")
    assert (alt.id, alt.display_name, alt.project) == ("a1", "alt", "other")


def test_an_unknown_access_key_has_no_secret_and_no_principal() -> None:
    accounts = Accounts(GIVEN)
    assert accounts.secret_for("root") is None
    with pytest.raises(KeyError):
        accounts.principal_for("root")


def test_root_looks_like_an_s3_owner_of_the_default_project() -> None:
    assert re.fullmatch(r"[0-9a-f]{64}", ROOT.id)
    assert (ROOT.display_name, ROOT.project) == ("root", "default")


def test_accounts_of_a_config_include_the_kept_root(tmp_path: Path) -> None:
    accounts = Accounts.from_config(Config(data=tmp_path, accounts=(ALT,)))
    kept = json.loads((tmp_path / FILE_NAME).read_text())
    assert accounts.secret_for(kept["access_key"]) == kept["secret_key"]
    assert accounts.secret_for("ALT") == "alt-secret"


def test_an_account_may_not_have_roots_kept_key() -> None:
    with pytest.raises(ConfigError, match="'ALT' is root's"):
        Accounts(Credentials(AccessKey("ALT"), Secret("root-secret")), [ALT])
