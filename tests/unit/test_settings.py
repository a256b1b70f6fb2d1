"""Settings: all problems at once, by name; nothing silently ignored; secrets never shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from sync.settings import SettingsError, read_settings

GOOD = {
    "ECSYNC_SHOPS": "main",
    "ECSYNC_SHOP_MAIN_DSN": "mysql+pymysql://ecsync:hush@db/shop",
    "ECSYNC_CARRIERS": "kdniao",
    "ECSYNC_CARRIER_KDNIAO_EBUSINESS_ID": "1699999",
    "ECSYNC_CARRIER_KDNIAO_APP_KEY": "top-secret-key",
    "ECSYNC_ERPS": "generic_rest",
    "ECSYNC_ERP_GENERIC_REST_BASE_URL": "https://erp.example.invalid",
    "ECSYNC_ERP_GENERIC_REST_TOKEN": "t0ken",
    "ECSYNC_SENDER_NAME": "测试仓",
    "ECSYNC_SENDER_PHONE": "13800000000",
    "ECSYNC_SENDER_PROVINCE": "广东",
    "ECSYNC_SENDER_CITY": "深圳",
    "ECSYNC_SENDER_DISTRICT": "南山区",
    "ECSYNC_SENDER_ADDRESS": "科技园路1号",
}


def problems(**changes: str) -> dict[str, str]:
    with pytest.raises(SettingsError) as caught:
        read_settings({**GOOD, **changes})
    return caught.value.problems


def test_the_smallest_good_configuration_has_the_documented_defaults() -> None:
    settings = read_settings(GOOD)
    assert (settings.retry_attempts, settings.retry_delay_s) == (3, 5)
    assert settings.stale_pickup_after_s == 48 * 3600
    assert settings.ship_on == "picked_up"
    assert settings.poll_interval_s == 60
    assert [peer.key for peer in settings.peers] == ["shop.main", "carrier.kdniao", "erp.generic_rest"]


def test_every_problem_is_reported_at_once_and_by_name() -> None:
    found = problems(
        ECSYNC_RETRY_ATTEMPTS="many",
        ECSYNC_SHIP_ON="tomorrow",
        ECSYNC_CARRIER_KDNIAO_APP_KEY="",
        ECSYNC_DATABASE_URL="mysql://x/y",
    )
    assert set(found) == {
        "ECSYNC_RETRY_ATTEMPTS",
        "ECSYNC_SHIP_ON",
        "ECSYNC_CARRIER_KDNIAO_APP_KEY",
        "ECSYNC_DATABASE_URL",
    }


def test_an_empty_environment_names_everything_that_is_required() -> None:
    with pytest.raises(SettingsError) as caught:
        read_settings({})
    assert {"ECSYNC_SHOPS", "ECSYNC_CARRIERS", "ECSYNC_ERPS", "ECSYNC_SENDER_NAME"} <= set(caught.value.problems)


def test_a_misspelt_setting_is_a_problem_and_not_silently_ignored() -> None:
    assert "spelling" in problems(ECSYNC_STALE_PICKUP_AFTER_SECONDS="3600")["ECSYNC_STALE_PICKUP_AFTER_SECONDS"]


@pytest.mark.parametrize("url", ["postgresql://u@h/d", "postgres://u@h/d"])
def test_a_plain_postgresql_url_is_refused_because_it_means_another_driver(url: str) -> None:
    assert "postgresql+psycopg2://" in problems(ECSYNC_DATABASE_URL=url)["ECSYNC_DATABASE_URL"]


def test_an_unknown_connector_is_named_with_those_that_exist() -> None:
    text = problems(ECSYNC_CARRIER_KDNIAO_CONNECTOR="pigeon")["ECSYNC_CARRIER_KDNIAO_CONNECTOR"]
    assert "pigeon" in text
    assert "kdniao" in text


def test_a_secret_can_come_from_a_file_and_is_shown_nowhere(tmp_path: Path) -> None:
    secret = tmp_path / "key"
    secret.write_text("from-a-file\n", "utf-8")
    environ = {name: value for name, value in GOOD.items() if not name.endswith("APP_KEY")}

    settings = read_settings({**environ, "ECSYNC_CARRIER_KDNIAO_APP_KEY_FILE": str(secret)})

    assert settings.carriers[0].config["app_key"] == "from-a-file"
    assert "from-a-file" in settings.carriers[0].secrets
    shown = repr(settings)
    assert not any(word in shown for word in ("from-a-file", "hush", "t0ken", "13800000000"))


def test_a_secret_file_that_is_missing_is_a_problem_by_name(tmp_path: Path) -> None:
    environ = {name: value for name, value in GOOD.items() if not name.endswith("APP_KEY")}
    with pytest.raises(SettingsError) as caught:
        read_settings({**environ, "ECSYNC_CARRIER_KDNIAO_APP_KEY_FILE": str(tmp_path / "nothing")})
    assert "ECSYNC_CARRIER_KDNIAO_APP_KEY" in caught.value.problems


def test_an_env_file_is_read_and_the_environment_wins_over_it(tmp_path: Path) -> None:
    file = tmp_path / "ecsync.env"
    file.write_text("ECSYNC_RETRY_ATTEMPTS=7\nECSYNC_LEASE_S=30\n", "utf-8")
    settings = read_settings({**GOOD, "ECSYNC_ENV_FILE": str(file), "ECSYNC_LEASE_S": "45"})
    assert (settings.retry_attempts, settings.lease_s) == (7, 45)


def test_two_shops_have_their_own_settings_and_keys() -> None:
    settings = read_settings(
        {**GOOD, "ECSYNC_SHOPS": "main, outlet", "ECSYNC_SHOP_OUTLET_DSN": "mysql+pymysql://u:p@db2/outlet"}
    )
    assert [shop.key for shop in settings.shops] == ["shop.main", "shop.outlet"]


def test_an_accelerated_clock_is_refused_in_production() -> None:
    clock = "2026-11-20T00:00:00+00:00@2026-11-22T00:00:00+00:00x3600"
    assert "sandbox" in problems(ECSYNC_SANDBOX_CLOCK=clock)["ECSYNC_SANDBOX_CLOCK"]


def test_an_erp_address_without_tls_is_refused_unless_it_is_this_machine() -> None:
    assert "https" in problems(ECSYNC_ERP_GENERIC_REST_BASE_URL="http://erp.example.invalid").popitem()[1]
    read_settings({**GOOD, "ECSYNC_ERP_GENERIC_REST_BASE_URL": "http://127.0.0.1:8080"})


def test_settings_of_a_connector_that_contradict_each_other_are_reported_with_the_rest() -> None:
    environ = {name: value for name, value in GOOD.items() if not name.endswith("TOKEN")}
    with pytest.raises(SettingsError) as caught:
        read_settings({**environ, "ECSYNC_RETRY_ATTEMPTS": "0"})
    assert "ECSYNC_RETRY_ATTEMPTS" in caught.value.problems
    assert any(name.startswith("ECSYNC_ERP_GENERIC_REST_") for name in caught.value.problems)
