"""Orders for the sandbox shop, as its checkout would leave them; the same seed gives the same orders."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Engine, func, insert, select

from mappings.shops.ecshop.rows import PACKAGE
from mappings.shops.ecshop.status import OrderStatus, PayStatus
from mappings.shops.ecshop.times import to_stored
from sync.sandbox.shop_data import (
    ALIPAY,
    BALANCE,
    CARRIED,
    COD,
    FLAT_RATE,
    GIVEN_NAMES,
    GOODS,
    MEMBERS,
    PACKAGES,
    PAYMENTS,
    REMARKS,
    SHIPPING,
    STREETS,
    SURNAMES,
    Goods,
)
from sync.shops.ecshop_tables import EcshopTables, ecshop_tables

OLDEST = timedelta(minutes=40)
YOUNGEST = timedelta(minutes=3)
"""Seeded orders are this old: past the settle window, and placed within the hour."""

_SELLABLE = [goods for goods in GOODS if goods.is_real and goods.weight_g and goods.price_fen]
_GIFT = next(goods for goods in GOODS if not goods.price_fen)
_WEIGHTLESS = next(goods for goods in GOODS if goods.is_real and not goods.weight_g)
_VARIANTS = [(goods, number) for goods in GOODS for number, _ in enumerate(goods.variants)]


@dataclass(frozen=True, slots=True)
class SeededOrder:
    """An order that was put in; `bad_code` is the reason the reader must park it for, empty for a good one."""

    order_id: str
    order_sn: str
    kind: str
    bad_code: str = ""


@dataclass(slots=True)
class _Draft:
    """An order being written: the order_info row and its order_goods rows."""

    order: dict[str, Any]
    lines: list[dict[str, Any]] = field(default_factory=list)

    def add(self, goods: Goods, number: int, *, variant: int | None = None, is_gift: int = 0) -> None:
        extra = goods.variants[variant][1] if variant is not None else 0
        mark = f"[{extra // 100}]" if extra else ""
        attribute = f"{goods.variants[variant][0]}{mark} \n" if variant is not None else ""
        price = Decimal(0 if is_gift else goods.price_fen + extra) / 100
        self.lines.append(
            {
                "goods_id": goods.goods_id,
                "goods_name": goods.name,
                "goods_sn": goods.sn,
                "product_id": _VARIANTS.index((goods, variant)) + 1 if variant is not None else 0,
                "goods_number": number,
                "market_price": price,
                "goods_price": price,
                "goods_attr": attribute,
                "is_real": int(goods.is_real),
                "extension_code": "" if goods.is_real else "virtual_card",
                "is_gift": is_gift,
            }
        )

    def add_package(self, package_id: int) -> None:
        name, price_fen, _ = PACKAGES[package_id]
        self.lines.append(self._special(package_id, name, Decimal(price_fen) / 100, 1) | {"extension_code": PACKAGE})

    def add_discount(self, yuan: Decimal) -> None:
        """The line a discount campaign puts into the cart: no goods, a negative price."""
        self.lines.append(self._special(0, "示例满减优惠", -yuan, 0) | {"is_gift": 1})

    @staticmethod
    def _special(goods_id: int, name: str, price: Decimal, is_real: int) -> dict[str, Any]:
        return {
            "goods_id": goods_id,
            "goods_name": name,
            "goods_sn": "",
            "product_id": 0,
            "goods_number": 1,
            "market_price": price,
            "goods_price": price,
            "goods_attr": "",
            "is_real": is_real,
            "extension_code": "",
            "is_gift": 0,
        }


def _single(draft: _Draft, rng: random.Random) -> None:
    goods = rng.choice([goods for goods in _SELLABLE if not goods.variants])
    draft.add(goods, rng.randint(1, 3))


def _several(draft: _Draft, rng: random.Random) -> None:
    _single(draft, rng)
    goods = rng.choice([goods for goods in _SELLABLE if goods.variants])
    for variant in rng.sample(range(len(goods.variants)), 2):
        draft.add(goods, rng.randint(1, 2), variant=variant)


def _with_gift(draft: _Draft, rng: random.Random) -> None:
    _single(draft, rng)
    draft.add(_GIFT, 1, is_gift=2)


def _package(draft: _Draft, rng: random.Random) -> None:
    draft.add_package(rng.choice(list(PACKAGES)))


def _discounted(draft: _Draft, rng: random.Random) -> None:
    _single(draft, rng)
    draft.add_discount(Decimal(rng.choice((5, 10))))


def _with_virtual(draft: _Draft, rng: random.Random) -> None:
    _single(draft, rng)
    draft.add(next(goods for goods in GOODS if not goods.is_real), 1)


_KINDS: tuple[tuple[str, int, Callable[[_Draft, random.Random], None]], ...] = (
    ("single", 8, _single),
    ("several", 6, _several),
    ("gift", 2, _with_gift),
    ("package", 2, _package),
    ("discounted", 2, _discounted),
    ("virtual_too", 1, _with_virtual),
)
"""(name, weight, what is in the cart); `_several` has two variants of the same goods."""


def _blank_phone(draft: _Draft) -> None:
    draft.order |= {"mobile": "", "tel": ""}


def _unmapped(draft: _Draft) -> None:
    draft.order |= {"shipping_id": FLAT_RATE, "shipping_name": "市内快递"}


def _weightless(draft: _Draft) -> None:
    draft.lines.clear()
    draft.add(_WEIGHTLESS, 1)


def _blank_sku(draft: _Draft) -> None:
    draft.lines[0] |= {"goods_sn": "", "goods_id": 9999, "product_id": 0, "extension_code": ""}


_FLAWS: tuple[tuple[str, Callable[[_Draft], None]], ...] = (
    ("ecshop.order.phone_blank", _blank_phone),
    ("ecshop.order.region_missing", lambda draft: draft.order.update(province=0, city=0, district=0)),
    ("ecshop.order.carrier_unmapped", _unmapped),
    ("ecshop.order.weight_zero", _weightless),
    ("ecshop.order.sku_blank", _blank_sku),
    ("ecshop.order.address_blank", lambda draft: draft.order.update(address=" \r\n")),
    ("ecshop.order.consignee_blank", lambda draft: draft.order.update(consignee="????")),
    ("ecshop.order.paid_unconfirmed", lambda draft: draft.order.update(order_status=0, pay_status=2)),
)


def seed_orders(
    engine: Engine,
    count: int,
    seed: int,
    now: datetime,
    *,
    bad: int = 0,
    cod_share: float = 0.15,
    prefix: str = "ecs_",
    utc_offset_s: int = 28800,
) -> list[SeededOrder]:
    """Put in `count` good orders and `bad` malformed ones, placed a few minutes before the business time `now`.

    Malformed ones take the flaws in turn. Raises nothing of its own; numbers that stand in the shop are not reused.
    """
    tables = ecshop_tables(prefix)
    rng = random.Random(seed)  # noqa: S311 - a seed must give the same orders
    with engine.begin() as connection:
        places = _places(connection, tables)
        taken = set(connection.scalars(select(tables.order_info.c.order_sn)))
        next_id = (connection.scalar(select(func.max(tables.order_info.c.order_id))) or 1000) + 1
        drafts, seeded = [], []
        for index in range(count + bad):
            placed_at = now - YOUNGEST - (OLDEST - YOUNGEST) * rng.random()
            kind, draft = _good_order(rng, next_id + index, placed_at, rng.choice(places), utc_offset_s, cod_share)
            draft.order["order_sn"] = _order_sn(placed_at + timedelta(seconds=utc_offset_s), rng, taken)
            flaw = ""
            if index >= count:
                kind, (flaw, spoil) = "bad", _FLAWS[(index - count) % len(_FLAWS)]
                spoil(draft)
            drafts.append(draft)
            seeded.append(SeededOrder(str(next_id + index), draft.order["order_sn"], kind, flaw))
        _insert(connection, tables, drafts)
    return seeded


def _insert(connection: Connection, tables: EcshopTables, drafts: list[_Draft]) -> None:
    """Orders first and goods after them, as checkout does."""
    if drafts:
        connection.execute(insert(tables.order_info), [draft.order for draft in drafts])
        lines = [line | {"order_id": draft.order["order_id"]} for draft in drafts for line in draft.lines]
        connection.execute(insert(tables.order_goods), lines)


def _places(connection: Connection, tables: EcshopTables) -> list[tuple[int, int, int]]:
    """(province, city, district) ids; district 0 where a city has none."""
    region = tables.region.c
    children: dict[int, list[int]] = {}
    cities = []
    for row in connection.execute(select(region.region_id, region.parent_id, region.region_type)):
        children.setdefault(row.parent_id, []).append(row.region_id)
        if row.region_type == 2:
            cities.append((row.parent_id, row.region_id))
    return [(province, city, district) for province, city in cities for district in children.get(city, [0])]


def _order_sn(local: datetime, rng: random.Random, taken: set[str]) -> str:
    """Ymd and five random digits, as includes/lib_order.php makes it."""
    while (number := f"{local:%Y%m%d}{rng.randrange(100_000):05d}") in taken:
        pass
    taken.add(number)
    return number


def _good_order(
    rng: random.Random,
    order_id: int,
    placed_at: datetime,
    place: tuple[int, int, int],
    utc_offset_s: int,
    cod_share: float,
) -> tuple[str, _Draft]:
    draft = _Draft({"order_id": order_id, **_person(rng, place), **_shipping(rng)})
    kind, _, fill = rng.choices(_KINDS, [weight for _, weight, _ in _KINDS])[0]
    fill(draft, rng)
    is_cod = rng.random() < cod_share
    draft.order |= _amounts(draft, rng, is_cod)
    stored = to_stored(placed_at, utc_offset_s)
    draft.order |= {
        "add_time": stored,
        "confirm_time": stored,
        "pay_time": 0 if is_cod else stored + rng.randint(0, 90),
    }
    return ("cod" if is_cod else kind), draft


def _person(rng: random.Random, place: tuple[int, int, int]) -> dict[str, Any]:
    """Somebody who cannot exist: names of the word "sample", numbers of a block that is not given out."""
    number = f"{rng.randrange(10_000_000):07d}"
    mobile, tel = (f"1000{number}", "") if rng.random() < 0.9 else ("", f"000-{number}")
    return {
        "user_id": rng.choice((0, 0, *MEMBERS)),
        "consignee": rng.choice(SURNAMES) + rng.choice(GIVEN_NAMES),
        "country": 1,
        "province": place[0],
        "city": place[1],
        "district": place[2],
        "address": rng.choice(STREETS).format(rng.randint(1, 999), rng.randint(1, 30)),
        "zipcode": f"{rng.randrange(100_000, 860_000)}",
        "mobile": mobile,
        "tel": tel,
        "email": f"sample{number}@example.invalid",
        "postscript": rng.choice(REMARKS),
    }


def _shipping(rng: random.Random) -> dict[str, Any]:
    shipping_id = rng.choice(CARRIED)
    return {"shipping_id": shipping_id, "shipping_name": next(row[2] for row in SHIPPING if row[0] == shipping_id)}


def _amounts(draft: _Draft, rng: random.Random, is_cod: bool) -> dict[str, Any]:
    """Who pays how: balance leaves money_paid 0, cash on delivery leaves everything due."""
    pay_id = COD if is_cod else rng.choice((BALANCE, ALIPAY))
    goods = sum((line["goods_price"] * line["goods_number"] for line in draft.lines), Decimal(0))
    fee, zero = Decimal(rng.choice((0, 8, 15))), Decimal(0)
    return {
        "pay_id": pay_id,
        "pay_name": next(row[2] for row in PAYMENTS if row[0] == pay_id),
        "goods_amount": goods,
        "shipping_fee": fee,
        "surplus": goods + fee if pay_id == BALANCE else zero,
        "money_paid": goods + fee if pay_id == ALIPAY else zero,
        "order_amount": goods + fee if is_cod else zero,
        "order_status": OrderStatus.CONFIRMED,
        "pay_status": PayStatus.UNPAYED if is_cod else PayStatus.PAYED,
        "how_oos": "等待所有商品备齐后再发",
        "referer": "本站",
    }
