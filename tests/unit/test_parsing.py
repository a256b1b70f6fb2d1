"""How the texts of settings are read: what is taken, and what a person is told of anything else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mappings.connector import Setting
from mappings.parsing import (
    demand_https,
    fill_in,
    one_of,
    parse_address,
    parse_count,
    parse_credential,
    parse_flag,
    parse_path,
    parse_url,
    parse_user,
)


@pytest.mark.parametrize(
    ("parse", "text", "value"),
    [
        (one_of("json", "xml"), " xml ", "xml"),
        (one_of("json", "YYYYMMDD"), "yyyymmdd", "YYYYMMDD"),
        (parse_flag, " Yes", True),
        (parse_flag, "TRUE", True),
        (parse_flag, "1", True),
        (parse_flag, "no ", False),
        (parse_flag, "False", False),
        (parse_flag, "0", False),
        (parse_count, " 12 ", 12),
        (parse_url, " https://host/path?x=1 ", "https://host/path?x=1"),
        (parse_url, "http://localhost:8080", "http://localhost:8080"),
        (parse_url, "  ", ""),
        (parse_address, " https://host/path?x=1 ", "https://host/path?x=1"),
        (parse_address, "http://127.0.0.1:8080/x", "http://127.0.0.1:8080/x"),
        (parse_address, " ", ""),
        (parse_path, " /api/orders?x={y} ", "/api/orders?x={y}"),
        (parse_credential, " p:ß word ", "p:ß word"),
        (parse_user, " ecsync ", "ecsync"),
    ],
)
def test_a_text_is_read_without_the_blanks_around_it(parse: Callable[[str], Any], text: str, value: object) -> None:
    assert parse(text) == value


@pytest.mark.parametrize(
    ("parse", "text", "told"),
    [
        (one_of("json", "xml"), "JSON5", "must be one of json, xml"),
        (one_of("json", "xml"), "", "must be one of json, xml"),
        (parse_flag, "on", "must be 1 or 0"),
        (parse_flag, "", "must be 1 or 0"),
        (parse_count, "0", "must be a whole number, 1 or more"),
        (parse_count, "-1", "must be a whole number, 1 or more"),
        (parse_count, "1.5", "must be a whole number, 1 or more"),
        (parse_count, "", "must be a whole number, 1 or more"),
        (parse_url, "host/path", "must be an address like https://host/path"),
        (parse_url, "ftp://host/path", "must be an address like https://host/path"),
        (parse_url, "https:///path", "must be an address like https://host/path"),
        (parse_address, "https://u:p@host/x", "must be a bare address: no blanks, no credentials, no fragment"),
        (parse_address, "https://host/x#y", "must be a bare address: no blanks, no credentials, no fragment"),
        (parse_address, "https://host/a b", "must be a bare address: no blanks, no credentials, no fragment"),
        (parse_path, "api", "must start with / and have no blanks"),
        (parse_path, "/a b", "must start with / and have no blanks"),
        (parse_credential, "a\nb", "holds a line break or another unprintable character"),
        (parse_user, "a:b", "cannot hold a colon, which ends a user name in Basic authentication"),
    ],
)
def test_what_cannot_be_read_is_told_in_a_sentence(parse: Callable[[str], Any], text: str, told: str) -> None:
    with pytest.raises(ValueError, match=told) as caught:
        parse(text)
    assert str(caught.value) == told


@pytest.mark.parametrize("text", ["http://host/x", "host/x", "ftp://host"])
def test_what_carries_orders_is_reached_by_https_or_on_this_machine(text: str) -> None:
    with pytest.raises(ValueError, match="https://"):
        parse_address(text)


def test_what_the_config_leaves_out_has_its_default() -> None:
    settings = (
        Setting("url", "Address", "地址", ""),
        Setting("count", "Count", "数量", 7),
        Setting("key", "Key", "密钥"),
    )
    assert fill_in(settings, {"count": 0, "strange": 1}) == {"url": "", "count": 0, "key": None}


def test_a_real_peer_is_reached_by_https_only() -> None:
    demand_https("sf url", "https://host")
    with pytest.raises(ValueError, match="sf url: parcels carry personal data, use https:// outside the sandbox"):
        demand_https("sf url", "http://host")
