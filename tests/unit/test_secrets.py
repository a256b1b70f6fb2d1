"""Secrets that stand encrypted in the settings, and the commands that make them."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from sync.cli import main
from sync.secrets_box import SecretsBox, new_key
from sync.settings import SettingsError, read_settings
from tests.unit.test_docs import LEAST

APP_KEY = "ECSYNC_CARRIER_KDNIAO_APP_KEY"


def token(key: str, value: str = "the-app-key") -> str:
    return SecretsBox(key).encrypt(value)


def app_key(**changes: str) -> str:
    return str(read_settings(LEAST | changes).carriers[0].config["app_key"])


def test_an_encrypted_value_is_read_as_if_it_stood_there(tmp_path: Path) -> None:
    key = new_key()
    assert app_key(**{APP_KEY: token(key), "ECSYNC_SECRETS_KEY": key}) == "the-app-key"

    (tmp_path / "key").write_text(f"{key}\n")
    (tmp_path / "app_key").write_text(token(key))
    files = {f"{APP_KEY}_FILE": str(tmp_path / "app_key"), "ECSYNC_SECRETS_KEY_FILE": str(tmp_path / "key")}
    given = {name: value for name, value in LEAST.items() if name != APP_KEY} | files
    assert read_settings(given).carriers[0].config["app_key"] == "the-app-key"


def test_whole_accounts_may_stand_encrypted() -> None:
    key = new_key()
    accounts = token(key, '[sf]\nshipper = "SF"\nmonth_code = "7551234567"\n')
    settings = read_settings(LEAST | {"ECSYNC_CARRIER_KDNIAO_ACCOUNTS": accounts, "ECSYNC_SECRETS_KEY": key})
    assert settings.carriers[0].config["accounts"]["sf"].month_code == "7551234567"


def test_while_a_key_is_replaced_both_open_and_the_first_encrypts() -> None:
    old, new = new_key(), new_key()
    assert app_key(**{APP_KEY: token(old), "ECSYNC_SECRETS_KEY": f"{new}, {old}"}) == "the-app-key"
    assert SecretsBox(new).open(SecretsBox(f"{new},{old}").encrypt("x")) == "x"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, "is encrypted, and ECSYNC_SECRETS_KEY is not set"),
        ({"ECSYNC_SECRETS_KEY": new_key()}, "cannot be opened"),
        ({"ECSYNC_SECRETS_KEY": "hunter2"}, "is no key"),
    ],
    ids=["no-key", "another-key", "not-a-key"],
)
def test_what_cannot_be_opened_is_named_and_shows_neither_key_nor_token(changes: dict[str, str], told: str) -> None:
    secret = token(new_key())
    with pytest.raises(SettingsError) as caught:
        app_key(**{APP_KEY: secret} | changes)
    assert list(caught.value.problems) == [APP_KEY]
    assert told in caught.value.problems[APP_KEY]
    assert secret not in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_the_commands_make_a_key_and_a_token_that_fit_each_other() -> None:
    run = CliRunner()
    key = run.invoke(main, ["secrets", "new-key"]).output.strip()
    made = run.invoke(main, ["secrets", "encrypt"], input="the-app-key\n", env={"ECSYNC_SECRETS_KEY": key})
    assert made.exit_code == 0
    assert "the-app-key" not in made.output
    assert SecretsBox(key).open(made.output.strip()) == "the-app-key"


@pytest.mark.parametrize(
    ("key", "text", "told"),
    [("", "x", "is not set"), ("hunter2", "x", "is no key"), (new_key(), "\n", "Nothing")],
    ids=["no-key", "no-such-key", "no-value"],
)
def test_nothing_is_encrypted_without_a_key_or_a_value(key: str, text: str, told: str) -> None:
    made = CliRunner().invoke(main, ["secrets", "encrypt"], input=text, env={"ECSYNC_SECRETS_KEY": key})
    assert made.exit_code == 1
    assert told in made.output
    assert "fernet:" not in made.output
