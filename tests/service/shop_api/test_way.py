"""The way to the plug-in: what our side must be told, what it asks for once, and what its look says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from mappings.connector import ParcelToWrite
from mappings.errors import AuthError, PeerError, PermanentError, TransientError
from mappings.shops.ecshop_api import Plugin
from sync.shops import ecshop_api
from sync.shops.ecshop_api import EcshopApiShop
from sync.shops.port import Finding, Shop, Standing
from tests.service.plugin.php import KEY, PhpShop
from tests.service.shop.yard import CUP, NOW, STORED_NOW, TEA, parcel_of, ship, the_order
from tests.service.shop_api.way import PluginYard, gateway_to


def bad(findings: list[Finding]) -> list[str]:
    return [one.subject for one in findings if not one.is_ok]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The routes that the plug-in is asked for from now on."""
    routes: list[str] = []
    for name in ("_get", "_post"):
        send = getattr(Plugin, name)

        def note(plugin: Plugin, route: str, *rest: Any, send: Callable[..., Any] = send) -> Any:
            routes.append(route)
            return send(plugin, route, *rest)

        monkeypatch.setattr(Plugin, name, note)
    return routes


def test_the_shop_s_offset_is_asked_for_once(mariadb_yard: PluginYard, asked: list[str]) -> None:
    mariadb_yard.order(1, TEA, CUP)
    shop = mariadb_yard.opened({})
    parcel = parcel_of(the_order(shop, "1"))
    ship(shop, parcel)
    list(shop.read_open(NOW))
    shop.read_standings(["1"])
    assert asked.count("ping") == 1
    assert asked == ["order", "ping", "ship", "order", "ship", "order", "ship", "orders", "orders"]


def test_an_offset_that_is_set_needs_no_question(mariadb_yard: PluginYard, asked: list[str]) -> None:
    mariadb_yard.order(1)
    shop = mariadb_yard.opened({"utc_offset_s": 28800})
    assert the_order(shop, "1").placed_at == datetime.fromtimestamp(STORED_NOW - 600 + 28800, UTC)
    assert "ping" not in asked


def test_a_shop_of_another_zone_is_read_by_its_own_clock(mariadb_yard: PluginYard, running_php: PhpShop) -> None:
    running_php.serves(mariadb_yard.url, timezone="UTC")
    mariadb_yard.order(1, add_time=int(NOW.timestamp()) - 600)
    mariadb_yard.order(2, add_time=int(NOW.timestamp()) - 86400)
    shop = mariadb_yard.opened({"go_live": date(2026, 11, 22)})
    (order,) = shop.read_open(NOW)
    assert order.shop_order_id == "1"
    assert the_order(shop, "1").placed_at == NOW - timedelta(seconds=600)


def test_one_page_at_a_time_is_asked_for(mariadb_yard: PluginYard, asked: list[str]) -> None:
    for order_id in range(1, 6):
        mariadb_yard.order(order_id)
    sweep = mariadb_yard.opened({"page_size": 2, "utc_offset_s": 28800}).read_open(NOW)
    next(sweep)
    assert asked == ["orders"]
    assert len(list(sweep)) == 4
    assert asked == ["orders"] * 3


def test_ids_that_no_shop_can_have_are_gone_without_a_question(mariadb_yard: PluginYard, asked: list[str]) -> None:
    shop = mariadb_yard.opened({"utc_offset_s": 28800})
    odd = ["x", "0", "99999999999", ""]
    assert set(shop.read_standings(odd).values()) == {Standing.GONE}
    assert shop.read_hashes(odd) == {}
    assert [shop.read_one(order_id, NOW) for order_id in odd] == [None] * 4
    assert shop.read_numbers("99999999999") == ()
    assert asked == []
    with pytest.raises(PermanentError) as caught:
        shop.claim("x", NOW)
    assert caught.value.code == "ecshop.write_back.order_gone"


# --- what our side must be told


def refusal_of(shop: Shop) -> PeerError:
    with pytest.raises(PeerError) as caught:
        shop.find_id("x")
    return caught.value


def test_a_wrong_key_is_refused_and_shown_nowhere(mariadb_yard: PluginYard) -> None:
    wrong = "f" * 32
    error = refusal_of(mariadb_yard.opened({"key": wrong}))
    assert (type(error), error.code) == (AuthError, "ecshop.api.signature")
    assert wrong not in str(error) + repr(error)


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ({"allow": ["203.0.113.7"]}, "ecshop.api.address"),
        ({"allow_http": False}, "ecshop.api.https_required"),
        ({"key": "short"}, "ecshop.api.not_configured"),
    ],
)
def test_what_the_shop_s_side_must_set_pauses_the_shop(
    mariadb_yard: PluginYard, running_php: PhpShop, settings: dict[str, Any], code: str
) -> None:
    running_php.is_set(**settings)
    error = refusal_of(mariadb_yard.opened({}))
    assert (type(error), error.code) == (AuthError, code)
    assert "ecsync-config.php" in str(error)
    (finding,) = mariadb_yard.opened({}).check(NOW)
    assert (finding.subject, finding.is_ok, finding.detail) == ("connection", False, code)


@pytest.mark.parametrize(("ahead_s", "words"), [(3600, "behind"), (-3600, "ahead of")])
def test_clocks_that_differ_too_much_are_told_in_seconds(
    mariadb_yard: PluginYard, monkeypatch: pytest.MonkeyPatch, ahead_s: int, words: str
) -> None:
    monkeypatch.setattr(ecshop_api, "utc_now", lambda: datetime.now(UTC) + timedelta(seconds=ahead_s))
    error = refusal_of(mariadb_yard.opened({}))
    assert error.code == "ecshop.api.clock"
    seconds = next(int(word) for word in error.message.split() if word.isdecimal())
    assert 3590 <= seconds <= 3610
    assert words in error.message


def test_a_shop_whose_database_is_away_may_come_back(mariadb_yard: PluginYard, running_php: PhpShop) -> None:
    running_php.serves(mariadb_yard.url, port=9)
    error = refusal_of(mariadb_yard.opened({}))
    assert (type(error), error.code) == (TransientError, "ecshop.db.unreachable")


def test_a_wrong_prefix_is_for_a_person(mariadb_yard: PluginYard, running_php: PhpShop) -> None:
    running_php.serves(mariadb_yard.url, prefix="shop_")
    error = refusal_of(mariadb_yard.opened({}))
    assert (type(error), error.code) == (PermanentError, "ecshop.db.refused")
    assert bad(mariadb_yard.opened({}).check(NOW)) == ["shop functions", "tables"]


def test_an_address_without_the_plug_in_says_what_to_upload(mariadb_yard: PluginYard) -> None:
    url = mariadb_yard.plugin_url.replace("ecsync.php", "shop/ecsync.php")
    error = refusal_of(EcshopApiShop("main", {"url": url, "key": KEY}, gateway_to(url).line("shop.main")))
    assert (type(error), error.code) == (AuthError, "ecshop.api.not_reached")


# --- what a parcel met meanwhile


def planned(yard: PluginYard) -> tuple[Shop, ParcelToWrite]:
    yard.order(1, TEA, CUP)
    shop = yard.opened({})
    return shop, parcel_of(the_order(shop, "1"))


def test_a_note_that_is_made_is_shipped_though_the_order_was_edited_since(mariadb_yard: PluginYard) -> None:
    """The shop's log says that the note is whole, and the order is not needed to plan it again."""
    shop, parcel = planned(mariadb_yard)
    note_id = shop.write_note(parcel, NOW)
    mariadb_yard.change(mariadb_yard.tables.order_goods, {"order_id": 1, "goods_id": 1}, goods_number=1)
    assert shop.write_note(parcel, NOW) == note_id
    shop.mark_shipped(parcel, NOW)
    assert mariadb_yard.ledger("1").shipping_status == 1


def test_what_was_shipped_and_returned_since_is_not_refused_to_the_repeat(mariadb_yard: PluginYard) -> None:
    shop, parcel = planned(mariadb_yard)
    ship(shop, parcel)
    mariadb_yard.alter("1", order_status=4, shipping_status=0, pay_status=0, invoice_no="")
    before = mariadb_yard.dump()
    shop.mark_shipped(parcel, NOW)
    assert mariadb_yard.dump() == before
    with pytest.raises(PermanentError) as caught:
        shop.write_note(parcel, NOW)
    assert caught.value.code == "ecshop.write_back.order_withdrawn"


def test_an_order_edited_between_our_look_and_the_write_is_judged_by_the_shop(
    mariadb_yard: PluginYard, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop, parcel = planned(mariadb_yard)
    assert isinstance(shop, EcshopApiShop)
    look = shop._one

    def edited_after(order_id: str) -> Any:
        rows = look(order_id)
        mariadb_yard.change(mariadb_yard.tables.order_goods, {"order_id": 1, "goods_id": 1}, goods_number=1)
        return rows

    monkeypatch.setattr(shop, "_one", edited_after)
    before = mariadb_yard.dump()
    with pytest.raises(PermanentError) as caught:
        shop.write_note(parcel, NOW)
    assert caught.value.code == "ecshop.write_back.lines_changed"
    assert parcel.order_sn in caught.value.message
    lines = mariadb_yard.tables.order_goods.name
    assert {name for name, rows in mariadb_yard.dump().items() if rows != before[name]} == {lines}


def test_a_receipt_and_a_remark_are_written_once(mariadb_yard: PluginYard) -> None:
    shop, parcel = planned(mariadb_yard)
    shop.mark_received("1", NOW)
    assert mariadb_yard.ledger("1").shipping_status == 0
    ship(shop, parcel)
    for _ in range(2):
        shop.mark_received("1", NOW)
        shop.add_remark("1", "超时未揽收\n已联系网点", NOW)
    ledger = mariadb_yard.ledger("1")
    assert (ledger.shipping_status, shop.read_numbers("1")) == (2, ("YT0001",))
    assert [one.note for one in ledger.actions][-2:] == ["", "超时未揽收 已联系网点。"]
    with pytest.raises(PermanentError, match="55"):
        shop.mark_received("55", NOW)
    with pytest.raises(PermanentError, match="55"):
        shop.add_remark("55", "x", NOW)


@pytest.mark.parametrize("setting", ["keep_stock", "grant_points"])
def test_what_is_switched_off_is_left_to_others(mariadb_yard: PluginYard, setting: str) -> None:
    mariadb_yard.order(1, TEA, CUP, user_id=1)
    before = mariadb_yard.dump()
    shop = mariadb_yard.opened({setting: False})
    ship(shop, parcel_of(the_order(shop, "1")))
    after = mariadb_yard.dump()
    changed = {name.removeprefix("ecs_") for name, rows in after.items() if rows != before[name]}
    alone = {"keep_stock": {"goods", "products"}, "grant_points": {"users", "account_log"}}
    assert changed & alone[setting] == set()
    assert changed >= set().union(*alone.values()) - alone[setting]


def test_an_order_in_escrow_is_shipped_where_the_shop_accepts_it(mariadb_yard: PluginYard) -> None:
    mariadb_yard.order(1, pay_status=1)
    assert list(mariadb_yard.opened({}).read_open(NOW)) == []
    shop = mariadb_yard.opened({"accept_paying": True})
    (order,) = shop.read_open(NOW)
    ship(shop, parcel_of(the_order(shop, order.shop_order_id)))
    assert mariadb_yard.ledger("1").shipping_status == 1


def test_a_waybill_of_a_sandbox_never_leaves_for_a_production_shop(mariadb_yard: PluginYard, asked: list[str]) -> None:
    shop, parcel = planned(mariadb_yard)
    asked.clear()
    for write in (shop.write_note, shop.mark_shipped):
        with pytest.raises(PermanentError) as caught:
            write(replace(parcel, environment="sandbox"), NOW)
        assert (caught.value.code, asked) == ("ecshop.write_back.sandbox_waybill", [])


# --- what its look says


def test_a_sound_shop_has_no_bad_finding_but_that_it_is_no_real_one(mariadb_yard: PluginYard) -> None:
    mariadb_yard.order(1)
    findings = {one.subject: one for one in mariadb_yard.opened({}).check(NOW)}
    assert bad(list(findings.values())) == ["shop functions"]
    assert {"connection", "tables", "rights", "engine", "character set", "clock", "machine clock", "utc offset"} <= set(
        findings
    )
    assert {"stock", "cash on delivery", "couriers", "weights", "product numbers", "plug-in"} <= set(findings)
    assert "28800 s, as the shop says" in findings["utc offset"].detail


def test_an_offset_that_is_set_against_the_shop_s_own_is_named(mariadb_yard: PluginYard) -> None:
    found = mariadb_yard.opened({"utc_offset_s": 0}).check(NOW)
    (finding,) = [one for one in found if one.subject == "utc offset"]
    assert (finding.is_ok, "28800" in finding.remedy) == (False, True)
    assert "utc offset" not in bad(mariadb_yard.opened({"utc_offset_s": 28800}).check(NOW))


def test_machines_whose_clocks_drift_apart_are_named_before_it_hurts(
    mariadb_yard: PluginYard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sync.shops.ecshop_api_check.utc_now", lambda: datetime.now(UTC) + timedelta(seconds=120))
    (finding,) = [one for one in mariadb_yard.opened({}).check(NOW) if one.subject == "machine clock"]
    assert (finding.is_ok, "NTP" in finding.remedy) == (False, True)


def test_its_look_names_the_line_to_add_for_an_unmapped_courier(mariadb_yard: PluginYard) -> None:
    mariadb_yard.change(mariadb_yard.tables.shipping, {"shipping_code": "flat"}, enabled=1)
    (finding,) = [one for one in mariadb_yard.opened({}).check(NOW) if one.subject == "couriers"]
    assert finding.remedy == "add to shipper_map: flat=COURIER"
    assert "couriers" not in bad(mariadb_yard.opened({"shipper_map": {"flat": "YTO"}}).check(NOW))
