"""Shops of ECShop's utf8 and gbk editions and newer utf8mb4 ones, all over one kind of connection."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.service.shop.conftest import Kept, fresh_mariadb
from tests.service.shop.yard import CUP, NOW, TEA, Yard, open_yard, parcel_of, ship, the_order


@pytest.fixture(scope="module", params=["utf8", "utf8mb4", "gbk"])
def kept(request: pytest.FixtureRequest) -> Iterator[Kept]:
    with fresh_mariadb() as url:
        yard = open_yard(url, "MyISAM", mysql_charset=request.param)
        yield Kept(yard, yard.keep(everything=True))


@pytest.fixture
def charset_yard(kept: Kept) -> Yard:
    return kept.emptied()


def charset_of(yard: Yard) -> str:
    findings = {one.subject: one.detail for one in yard.shop().check(NOW)}
    return findings["character set"].replace("utf8mb3", "utf8")


def test_an_order_is_read_and_written_back_in_every_character_set(charset_yard: Yard) -> None:
    yard, shop = charset_yard, charset_yard.shop()
    yard.order(1, TEA, CUP, consignee="测试甲", address="示例路”１”号 ＜院＞", postscript="龘礼物", user_id=1)
    order = the_order(shop, "1")
    assert (order.consignee.name, order.consignee.address.province) == ("测试甲", "北京")
    assert (order.consignee.address.street, order.buyer_note) == ("示例路”１”号 ＜院＞", "龘礼物")
    ship(shop, parcel_of(order, carrier_name="圆通速递"), times=2)
    row = yard.dump()[yard.tables.delivery_order.name][0]
    assert (row["consignee"], row["address"], row["postscript"]) == ("测试甲", "示例路”１”号 ＜院＞", "龘礼物")
    assert [action.note for action in yard.ledger("1").actions][1:] == ["圆通速递 YT0001"] * 2
    assert yard.point_log() == [(384, 384, "订单 2026112200001 赠送的积分")]
    assert [item["brand_name"] for item in yard.dump()[yard.tables.delivery_goods.name]] == ["示例茶园", ""]


def test_what_a_character_set_lacks_is_a_question_mark_in_our_own_words(charset_yard: Yard) -> None:
    yard, shop = charset_yard, charset_yard.shop()
    yard.order(1)
    for _ in range(2):
        shop.add_remark("1", "买家说🎁ñ谢谢。", NOW)
    ship(shop, parcel_of(the_order(shop, "1"), carrier_name="圆通🚚速递"), times=2)
    remark, _, *logged = [action.note for action in yard.ledger("1").actions]
    lost = {"utf8mb4": "🎁ñ🚚", "utf8": "?ñ?", "gbk": "???"}[charset_of(yard)]
    assert remark == f"买家说{lost[:2]}谢谢。"
    assert logged == [f"圆通{lost[2]}速递 YT0001"] * 2


def test_a_shop_is_searched_for_any_text(charset_yard: Yard) -> None:
    charset_yard.order(7)
    assert charset_yard.shop().find_id("2026112200007") == "7"
    assert charset_yard.shop().find_id("订单🎁") is None
