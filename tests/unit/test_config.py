"""Settings: their four sources, their checks, and what of them may be shown."""

from __future__ import annotations

import contextlib
import pickle
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config import SETTINGS, Config, ConfigError, Resolved, printable, resolve

SECRET = "s3cr3t/of+the=operator"


def show(name: str, value: object) -> str:
    return printable(next(setting for setting in SETTINGS if setting.name == name), value)


def from_toml(folder: Path, text: str, environ: dict[str, str] | None = None) -> Resolved:
    file = folder / "caret.toml"
    file.write_text(text, encoding="utf-8")
    return resolve({}, environ or {}, file)


# ---------------------------------------------------------------- precedence


def test_without_any_source_the_defaults_hold() -> None:
    resolved = resolve({}, {})
    assert resolved.config == Config()
    assert set(resolved.origins.values()) == {"default"}


def test_file_beats_default_variable_beats_file_flag_beats_variable(tmp_path: Path) -> None:
    file = tmp_path / "caret.toml"
    file.write_text("s3_port = 1001\nregion = 'file'\nhost = 'file'\n", encoding="utf-8")
    environ = {"CARET_S3_PORT": "1002", "CARET_REGION": "environment"}
    resolved = resolve({"s3_port": "1003", "region": None}, environ, file)
    assert (resolved.config.s3_port, resolved.config.region, resolved.config.host) == (1003, "environment", "file")
    assert resolved.origins["s3_port"] == "--s3-port"
    assert resolved.origins["region"] == "CARET_REGION"
    assert resolved.origins["host"] == str(file)
    assert resolved.origins["workers"] == "default"


def test_caret_config_names_the_file_unless_a_flag_does(tmp_path: Path) -> None:
    named, flagged = tmp_path / "named.toml", tmp_path / "flagged.toml"
    named.write_text("region = 'named'", encoding="utf-8")
    flagged.write_text("region = 'flagged'", encoding="utf-8")
    environ = {"CARET_CONFIG": str(named)}
    assert resolve({}, environ).config.region == "named"
    assert resolve({}, environ, flagged).config.region == "flagged"


def test_a_variable_set_to_nothing_is_not_set() -> None:
    assert resolve({}, {"CARET_REGION": "", "CARET_CONFIG": ""}).config.region == "us-east-1"


def test_every_setting_can_come_from_a_variable_and_from_the_file(tmp_path: Path) -> None:
    texts = {
        "data": "elsewhere",
        "host": "::1",
        "s3_port": "0",
        "workers": "3",
        "tls_cert": "cert.pem",
        "tls_key": "key.pem",
        "region": "eu-central-1",
        "domain": "s3.example.org",
        "database_url": "postgresql+psycopg://db/caret",
        "blob_url": "s3://blobs",
        "inline_threshold": "1",
        "drain_timeout_s": "0.5",
        "body_idle_timeout_s": "7",
        "keepalive_timeout_s": "8",
        "retention_s": "9",
        "upload_expiry_s": "10",
        "gc_grace_s": "11",
        "gc_interval_s": "12",
        "max_header_bytes": "2048",
        "webhook_allow": "10.0.0.0/8, hooks.internal",
        "console_port": "5000",
        "console_host": "::1",
        "console_token": "sixteen-characters-at-least",
        "uploads": "incoming",
        "storage_allow": "10.0.0.0/8, minio.internal",
        "sync_deletes_bucket": "off",
        "log_level": "debug",
        "access_log": "off",
        "root_access_key": "AKIDEXAMPLE",
        "root_secret_key": SECRET,
        "secret_keys": "ab" * 32,
    }
    assert set(texts) == {setting.name for setting in SETTINGS}
    variables = resolve({}, {setting.variable: texts[setting.name] for setting in SETTINGS}).config
    file = from_toml(tmp_path, "\n".join(f'{name} = "{text}"' for name, text in texts.items())).config
    assert variables == file
    for name in texts:
        assert getattr(variables, name) != getattr(Config(), name)


def test_the_file_takes_numbers_truth_values_and_lists(tmp_path: Path) -> None:
    text = "s3_port = 9001\ndrain_timeout_s = 1.5\naccess_log = false\ndomain = ['a.example', 'b.example']"
    config = from_toml(tmp_path, text).config
    assert (config.s3_port, config.drain_timeout_s, config.access_log) == (9001, 1.5, "off")
    assert config.domain == ("a.example", "b.example")


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("s3_port", "65536"),
        ("s3_port", "-1"),
        ("s3_port", "٣"),
        ("workers", "0"),
        ("workers", "many"),
        ("drain_timeout_s", "nan"),
        ("drain_timeout_s", "-1"),
        ("log_level", "INFO"),
        ("domain", "not a domain"),
        ("database_url", "caret.db"),
        ("inline_threshold", "1e3"),
        ("webhook_allow", "10.0.0.1/8"),
    ],
)
def test_a_value_that_cannot_be_used_is_refused_with_its_name_and_origin(name: str, text: str) -> None:
    variable = "CARET_" + name.upper()
    with pytest.raises(ConfigError, match=rf"{name} \(from {variable}\)"):
        resolve({}, {variable: text})


def test_a_secret_that_cannot_be_used_is_not_repeated() -> None:
    environ = {"CARET_ROOT_ACCESS_KEY": "AKIDEXAMPLE", "CARET_ROOT_SECRET_KEY": "short"}
    with pytest.raises(ConfigError, match="root_secret_key") as caught:
        resolve({}, environ)
    assert "short" not in str(caught.value)


@pytest.mark.parametrize("alone", ["tls_cert", "tls_key"])
def test_one_half_of_tls_is_refused(alone: str) -> None:
    with pytest.raises(ConfigError, match=f"{alone} is set without"):
        resolve({alone: "file.pem"}, {})


@pytest.mark.parametrize("alone", ["CARET_ROOT_ACCESS_KEY", "CARET_ROOT_SECRET_KEY"])
def test_one_half_of_the_root_credentials_is_refused(alone: str) -> None:
    with pytest.raises(ConfigError, match="go together"):
        resolve({}, {alone: "long-enough"})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("port = 9000", "there is no setting 'port'"),
        ("[s3]\nport = 9000", "there is no setting 's3'"),
        ("region = {}", "region must be text"),
        ("domain = [1]", "domain must be text"),
        ("region =", "is not TOML"),
        ("accounts = 3", r"headed \[\[accounts\]\]"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        from_toml(tmp_path, text)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        resolve({}, {}, tmp_path / "none.toml")


@given(st.text())
def test_any_text_for_any_setting_is_read_or_refused(text: str) -> None:
    for setting in SETTINGS:
        with contextlib.suppress(ConfigError):
            resolve({setting.name: text}, {})


# ---------------------------------------------------------------- accounts

ACCOUNT = """
[[accounts]]
access_key = "ALT"
secret_key = "alt-secret"
id = "a1"
display_name = "alt"
"""


def test_accounts_come_from_the_file(tmp_path: Path) -> None:
    text = ACCOUNT + ACCOUNT.replace("ALT", "TENANT") + 'project = "other"'
    alt, tenant = from_toml(tmp_path, text).config.accounts
    assert (alt.access_key, alt.secret_key, alt.id, alt.display_name, alt.project) == (
        "ALT",
        "alt-secret",
        "a1",
        "alt",
        "default",
    )
    assert (tenant.access_key, tenant.project) == ("TENANT", "other")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (ACCOUNT + ACCOUNT, "'ALT' is given twice"),
        (ACCOUNT + 'email = "a@example.org"', "'email'"),
        (ACCOUNT.replace('id = "a1"', ""), "an account needs"),
        (ACCOUNT.replace('"a1"', "1"), "'id'"),
        (ACCOUNT.replace('"a1"', '""'), "may not be empty"),
        (ACCOUNT.replace("ALT", "A/B"), "an access key has"),
        (ACCOUNT.replace("alt-secret", "short"), "a secret key has"),
    ],
)
def test_an_account_that_cannot_be_used_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        from_toml(tmp_path, text)
    assert "alt-secret" not in str(caught.value)


def test_an_account_may_not_have_the_given_root_key(tmp_path: Path) -> None:
    environ = {"CARET_ROOT_ACCESS_KEY": "ALT", "CARET_ROOT_SECRET_KEY": SECRET}
    with pytest.raises(ConfigError, match="given twice"):
        from_toml(tmp_path, ACCOUNT, environ)


# ---------------------------------------------------------------- what may be shown


def test_secrets_have_no_flag() -> None:
    without = [setting.name for setting in SETTINGS if setting.flag is None]
    assert without == ["console_token", "root_access_key", "root_secret_key", "secret_keys"]


def test_no_secret_is_in_a_config_shown_for_debugging(tmp_path: Path) -> None:
    environ = {
        "CARET_ROOT_ACCESS_KEY": "ROOT",
        "CARET_ROOT_SECRET_KEY": SECRET,
        "CARET_DATABASE_URL": f"postgresql+psycopg://caret:{SECRET}@db/caret",
    }
    shown = repr(from_toml(tmp_path, ACCOUNT, environ))
    assert SECRET not in shown
    assert "alt-secret" not in shown


def test_secrets_are_masked_and_urls_keep_what_is_no_secret() -> None:
    assert show("root_secret_key", SECRET) == "********"
    assert show("database_url", "postgresql+psycopg://me:pass@db:5432/caret?password=x") == (
        "postgresql+psycopg://********@db:5432/caret?********"
    )
    assert show("blob_url", "s3://blobs/prefix") == "s3://blobs/prefix"
    assert show("domain", ("a.example", "b.example")) == "a.example, b.example"
    assert show("tls_key", None) == ""


def test_a_config_travels_to_a_worker() -> None:
    config = Config(root_access_key="ROOT", root_secret_key=SECRET)
    assert pickle.loads(pickle.dumps(config)) == config
