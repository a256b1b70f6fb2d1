"""Rows that no ECShop writes: one parks its own order and no other, whatever is asked of the shop."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import text

from mappings.errors import PermanentError
from mappings.model import Order
from sync.shops.port import Standing, Unreadable
from tests.service.shop.conftest import Kept, fresh_mariadb
from tests.service.shop.yard import CUP, NOW, TEA, Yard, any_storage, open_yard, parcel_of, ship, the_order


@pytest.fixture(scope="module")
def altered() -> Iterator[Kept]:
    """A shop whose operator made columns of other kinds: binary text, NULL and words where numbers stood."""
    with fresh_mariadb() as url:
        yard = open_yard(url)
        with yard.engine.begin() as connection:
            for change in (
                "ecs_order_info MODIFY consignee VARBINARY(255) NOT NULL DEFAULT ''",
                "ecs_order_info MODIFY postscript BLOB",
                "ecs_order_goods MODIFY goods_price VARCHAR(20) NULL",
            ):
                connection.execute(text(f"ALTER TABLE {change}"))
        yield Kept(yard, yard.keep(everything=True))


@pytest.fixture
def spoiled(altered: Kept) -> Yard:
    return altered.emptied()


@any_storage
def test_bytes_that_are_no_text_park_their_own_order_and_no_other(yard: Yard) -> None:
    """SQLite refuses to decode them, as MySQL's driver does: not the row fails but all that was asked for."""
    for order_id in range(1, 10):
        yard.order(order_id)
    with yard.engine.begin() as connection:
        connection.execute(text("UPDATE ecs_order_info SET address = CAST(x'fffe' AS TEXT) WHERE order_id IN (3, 8)"))
        connection.execute(text("UPDATE ecs_order_goods SET goods_name = CAST(x'ff' AS TEXT) WHERE order_id = 5"))
    shop = yard.shop()
    parked = [one for one in shop.read_open(NOW) if isinstance(one, Unreadable)]
    assert [(one.shop_order_id, one.code, one.order_sn[-1]) for one in parked] == [
        (key, "ecshop.order.row_unreadable", key) for key in ("3", "5", "8")
    ]
    assert len(list(shop.read_open(NOW))) == 9
    assert isinstance(shop.read_one("3", NOW), Unreadable)
    assert shop.read_one("3", NOW) == parked[0]
    assert set(shop.read_standings([str(key) for key in range(1, 10)]).values()) == {Standing.OWED}
    assert set(shop.read_hashes(["1", "3", "5", "8", "9"])) == {"1", "9"}
    assert list(shop.paid_ids(NOW)) == [str(key) for key in range(1, 10)]


@any_storage
def test_an_order_is_read_again_once_its_bytes_are_text(yard: Yard) -> None:
    yard.order(1)
    with yard.engine.begin() as connection:
        connection.execute(text("UPDATE ecs_order_info SET address = CAST(x'fffe' AS TEXT)"))
    assert isinstance(yard.shop().read_one("1", NOW), Unreadable)
    yard.alter("1", address="示例路 1 号")
    assert isinstance(yard.shop().read_one("1", NOW), Order)


@any_storage
def test_an_order_whose_payment_cannot_be_decoded_is_left_as_it_is(yard: Yard) -> None:
    for order_id in (1, 2):
        yard.order(order_id)
    yard.alter("2", order_status=2)
    with yard.engine.begin() as connection:
        connection.execute(text("UPDATE ecs_order_info SET pay_name = CAST(x'ff' AS TEXT) WHERE order_id = 1"))
    standings = yard.shop().read_standings(["1", "2"])
    assert standings == {"1": Standing.OWED, "2": Standing.WITHDRAWN}


@pytest.mark.parametrize(
    ("table", "change", "code"),
    [
        ("order_info", "consignee = x'fffeb1'", "row_unreadable"),
        ("order_info", "postscript = x'b2e2cad4'", "row_unreadable"),
        ("order_goods", "goods_price = 'abc'", "row_unreadable"),
        ("order_goods", "goods_price = NULL", "row_unreadable"),
        ("order_goods", "goods_price = '99999999.99'", "number_absurd"),
        ("order_info", "goods_amount = 21474836", "number_absurd"),
    ],
)
def test_what_ecshop_never_writes_parks_its_own_order(spoiled: Yard, table: str, change: str, code: str) -> None:
    for order_id in (1, 2, 3):
        spoiled.order(order_id, postscript="谢谢")
    with spoiled.engine.begin() as connection:
        connection.execute(text(f"UPDATE ecs_{table} SET {change} WHERE order_id = 2"))
    shop = spoiled.shop()
    found = {one.shop_order_id: one for one in shop.read_open(NOW)}
    assert [type(found[key]) for key in ("1", "2", "3")] == [Order, Unreadable, Order]
    good, bad = found["1"], found["2"]
    assert isinstance(good, Order)
    assert isinstance(bad, Unreadable)
    assert (good.consignee.name, good.buyer_note, bad.code) == ("测试甲", "谢谢", f"ecshop.order.{code}")
    assert shop.read_one("2", NOW) == bad
    assert set(shop.read_standings(["1", "2", "3"]).values()) == {Standing.OWED}
    assert {"1", "3"} <= set(shop.read_hashes(["1", "2", "3"]))


def test_the_column_of_a_wrong_value_is_named(spoiled: Yard) -> None:
    spoiled.order(1)
    with spoiled.engine.begin() as connection:
        connection.execute(text("UPDATE ecs_order_goods SET goods_price = NULL"))
    found = spoiled.shop().read_one("1", NOW)
    assert isinstance(found, Unreadable)
    assert found.reason.startswith("Column order_goods.goods_price holds")


@any_storage
def test_a_defect_of_ours_is_not_blamed_on_the_shop(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise TypeError("ours")

    yard.order(1)
    monkeypatch.setattr("mappings.shops.ecshop.orders.total_fen", broken)
    with pytest.raises(TypeError, match="ours"):
        yard.shop().read_one("1", NOW)


@any_storage
def test_writing_on_such_an_order_is_a_named_error_and_the_next_order_is_written(yard: Yard) -> None:
    shop = yard.shop()
    parcels = []
    for order_id in (1, 2):
        yard.order(order_id, TEA, CUP)
        parcels.append(parcel_of(the_order(shop, str(order_id)), f"YT{order_id}"))
    with yard.engine.begin() as connection:
        connection.execute(text("UPDATE ecs_order_goods SET goods_attr = CAST(x'ff' AS TEXT) WHERE order_id = 1"))
    with pytest.raises(PermanentError) as caught:
        shop.write_note(parcels[0], NOW)
    assert caught.value.code == "ecshop.db.text_undecodable"
    ship(shop, parcels[1])
    yard.change(yard.tables.order_goods, {"order_id": 1}, goods_attr="")
    assert (yard.ledger("2").shipping_status, yard.dump()[yard.tables.delivery_order.name][0]["order_id"]) == (1, 2)
