"""The settings of a shop behind the plug-in, as they come from the environment."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from mappings.shops.ecshop_api import SPEC, read_settings
from sync.shops.ecshop_settings import SPEC as BY_SQL
from tests.contract.ecshop_api.talk import KEY

URL = "https://shop.example"


def parsed(name: str, word: str) -> Any:
    return next(one for one in SPEC.settings if one.name == name).parse(word)


@pytest.mark.parametrize(
    ("word", "url"),
    [
        ("https://shop.example/", "https://shop.example/ecsync.php"),
        ("https://shop.example:8443/mall", "https://shop.example:8443/mall/ecsync.php"),
        ("https://shop.example/ecsync.php", "https://shop.example/ecsync.php"),
        ("https://shop.example/other-name.php", "https://shop.example/other-name.php"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080/ecsync.php"),
    ],
)
def test_the_shop_s_address_leads_to_the_plug_in(word: str, url: str) -> None:
    assert parsed("url", word) == url


@pytest.mark.parametrize(
    "word", ["http://shop.example", "ftp://shop.example", "shop.example", "https://u:p@shop.example", f"{URL}/?r=ping"]
)
def test_an_address_that_would_leak_or_leads_nowhere_is_refused(word: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parsed("url", word)


@pytest.mark.parametrize("word", ["", "short", "x" * 31, " " + "x" * 31 + " ", "密" * 40, "x" * 32 + "\n" + "y"])
def test_a_key_that_is_short_or_odd_is_refused_without_being_shown(word: str) -> None:
    with pytest.raises(ValueError, match=r"key") as caught:
        parsed("key", word)
    assert len(word) < 5 or word.strip() not in str(caught.value)


def test_the_key_alone_is_secret_and_what_both_ways_share_means_the_same() -> None:
    assert [one.name for one in SPEC.settings if one.secret] == ["key"]
    assert [one.name for one in SPEC.settings if one.required] == ["url", "key"]
    shared = {one.name: one for one in BY_SQL.settings}
    ours = {one.name: one for one in SPEC.settings}
    assert shared.keys() - ours.keys() == {"dsn", "prefix"}
    assert [name for name in ours.keys() & shared.keys() if ours[name].label_zh != shared[name].label_zh] == []


def test_without_an_offset_the_floor_is_reckoned_by_the_shop_s_own() -> None:
    settings = read_settings({"url": URL, "key": KEY, "go_live": date(2026, 12, 1)})
    assert settings.utc_offset_s is None
    by_sql = read_settings({"url": URL, "key": KEY}).rules("main", 28800)
    assert (by_sql.shop, by_sql.utc_offset_s, by_sql.accept_paying) == ("main", 28800, False)
    assert settings.stored_floor(28800) == 1796083200 - 2 * 28800
    assert settings.stored_floor(0) == 1796083200


@pytest.mark.parametrize("word", ["0", "501", "many"])
def test_a_page_holds_no_more_than_one_answer_does(word: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parsed("page_size", word)
