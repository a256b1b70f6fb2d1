"""Rows of an ECShop order -> what is still to ship, or why it cannot be.

Facts of ECShop that shape this are in docs and in status.toml: a paid row appears before its goods, `send_number`
rises when a delivery note is made and not when it ships, a package's goods_id is no goods.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from mappings.errors import UnmappedError
from mappings.model import Address, Consignee, Order, OrderLine, Queue
from mappings.shops.ecshop.lines import Problem, noted_lines, to_fen, unsent, unsent_lines
from mappings.shops.ecshop.rows import Note, OrderRows, ReadRules, Row, is_real
from mappings.shops.ecshop.shipping import shipper_code_for
from mappings.shops.ecshop.status import (
    OPEN_ORDER,
    OPEN_SHIPPING,
    UNSENT_SHIPPING,
    OrderStatus,
    is_cod,
    is_paid,
    is_payable,
    standing_of,
)
from mappings.shops.ecshop.text import clean, usable_phone
from mappings.shops.ecshop.times import to_utc
from mappings.shops.ecshop.unreadable import find_culprit

_WRONG_VALUE = (TypeError, ValueError, ArithmeticError, AttributeError)
"""What the rules run into where a column holds NULL, bytes or no number."""
_MOST = 2_147_483_647
"""Fen or grams: what an order of ours can hold."""
NO_LINES_AFTER = timedelta(hours=1)
"""Checkout writes an order before its goods. An hour later it is no checkout any more but a broken order."""


@dataclass(frozen=True, slots=True)
class Unfit:
    """An open order that cannot be fulfilled as it stands; `sync` reports it as Unreadable."""

    code: str
    reason: str
    content_hash: str


def read_order(rows: OrderRows, rules: ReadRules, now: datetime) -> Order | Unfit | None:
    """Judge one order: an Order, why it is unfit, or None when it is in no open queue or not settled yet."""
    try:
        return _judge(rows, rules, now)
    except _WRONG_VALUE:
        if not (culprit := find_culprit(rows)):
            raise
        reason = f"Column {culprit} holds what ECShop never writes there; correct it in the shop's database."
        return Unfit("ecshop.order.row_unreadable", reason, hashlib.sha256(repr(rows.order).encode()).hexdigest())


def _judge(rows: OrderRows, rules: ReadRules, now: datetime) -> Order | Unfit | None:
    if not _is_open(rows, rules) or not _is_settled(rows, rules, now):
        return None
    try:
        return _read(rows, rules, now)
    except Problem as problem:
        return Unfit(problem.code, _sentence(problem.reason), content_hash(rows))
    except UnmappedError as error:
        return Unfit(error.code, _sentence(error.message), content_hash(rows))


def standing(rows: OrderRows, rules: ReadRules) -> str:
    """How the shop sees this order now: `owed`, `shipped` or `withdrawn` (status.toml)."""
    return standing_of(
        order_status=rows.order["order_status"],
        shipping_status=rows.order["shipping_status"],
        payable=is_payable(rows.order, rows.cod_pay_ids, accept_paying=rules.accept_paying),
        nothing_left=is_all_split(rows) and not any(note.is_open for note in rows.notes),
    )


def possible_standings(order: Row, cod_pay_ids: Collection[int], rules: ReadRules) -> frozenset[str]:
    """What `standing` can be by the order's own row, whatever its lines and notes are; most often one."""
    payable = is_payable(order, cod_pay_ids, accept_paying=rules.accept_paying)
    return frozenset(
        standing_of(
            order_status=order["order_status"],
            shipping_status=order["shipping_status"],
            payable=payable,
            nothing_left=nothing_left,
        )
        for nothing_left in (True, False)
    )


def is_all_split(rows: OrderRows) -> bool:
    """No real line is left without a delivery note; discount and virtual lines do not count."""
    return not any(unsent(line) for line in rows.lines if is_real(line))


def content_hash(rows: OrderRows) -> str:
    """Changes when address, lines, amounts or shipping method change; not when the order moves on."""
    order = rows.order
    where = [order[name] for name in ("consignee", "country", "province", "city", "district", "address", "zipcode")]
    lines = [
        [line["rec_id"], line["goods_id"], line["product_id"], line["goods_number"], to_fen(line["goods_price"])]
        for line in sorted(rows.lines, key=lambda line: int(line["rec_id"]))
    ]
    amounts = [total_fen(order), cod_fen(order, rows), to_fen(order["shipping_fee"])]
    content = [where, order["tel"], order["mobile"], lines, amounts, order["shipping_id"]]
    return hashlib.sha256(json.dumps(content, ensure_ascii=False).encode()).hexdigest()


def hash_if_readable(rows: OrderRows) -> str | None:
    """The content hash, or None where a column holds what ECShop never writes there."""
    try:
        return content_hash(rows)
    except _WRONG_VALUE:
        if not find_culprit(rows):
            raise
        return None


def total_fen(order: Row) -> int:
    """What the order is worth: goods and fees less discount; balance, bonus and points are ways to pay it."""
    fees = ("goods_amount", "tax", "shipping_fee", "insure_fee", "pay_fee", "pack_fee", "card_fee")
    return sum(to_fen(order[name]) for name in fees) - to_fen(order["discount"])


def cod_fen(order: Row, rows: OrderRows) -> int:
    """What the courier collects. A mobile order keeps it in money_paid, with order_amount 0."""
    if is_paid(order, accept_paying=True) or not is_cod(order, rows.cod_pay_ids):
        return 0
    due = to_fen(order["order_amount"])
    return due if due > 0 or order["pay_id"] in rows.cod_pay_ids else to_fen(order["money_paid"])


def _sentence(words: str) -> str:
    return f"{words[0].upper()}{words[1:].rstrip('.')}."


def _is_open(rows: OrderRows, rules: ReadRules) -> bool:
    order = rows.order
    if order["order_status"] not in (*OPEN_ORDER, OrderStatus.UNCONFIRMED):
        return False
    if order["shipping_status"] not in OPEN_SHIPPING:
        return False
    if order["extension_code"] == "group_buy" and order["extension_id"] not in rows.settled_group_buys:
        return False
    return is_payable(order, rows.cod_pay_ids, accept_paying=rules.accept_paying)


def _is_settled(rows: OrderRows, rules: ReadRules, now: datetime) -> bool:
    def is_old(stored: int, age: timedelta) -> bool:
        at = to_utc(stored, rules.utc_offset_s, now)
        return at is None or now - at >= age

    if not rows.lines:
        return is_old(rows.order["add_time"], max(NO_LINES_AFTER, rules.settle))
    note = _staff_note(rows)
    return is_old(rows.order["add_time"], rules.settle) and (
        note is None or is_old(note.row["update_time"] or 0, rules.settle)
    )


def _staff_notes(rows: OrderRows) -> list[Note]:
    """Unshipped notes without a number, oldest first: one with a number is already somebody's parcel."""
    return sorted((note for note in rows.notes if note.is_open and not note.numbers), key=lambda note: note.id)


def _staff_note(rows: OrderRows) -> Note | None:
    return next(iter(_staff_notes(rows)), None)


def _read(rows: OrderRows, rules: ReadRules, now: datetime) -> Order | None:
    order = rows.order
    if not rows.lines:
        raise Problem("no_lines", "the order has no goods at all; its checkout must have broken off")
    note = _staff_note(rows)
    if note is None and is_all_split(rows):
        return None
    if order["order_status"] == OrderStatus.UNCONFIRMED:
        raise Problem("paid_unconfirmed", "the order is paid but not confirmed; confirm or cancel it in the admin")
    default_g = rules.default_weight_g
    rest = unsent_lines(rows, default_g)
    lines = noted_lines(rows, note, default_g) if note else rest
    if not lines:
        return None
    others = [other for other in _staff_notes(rows) if note and other.id != note.id]
    later = [line for other in others for line in noted_lines(rows, other, default_g)]
    later_lines = (*later, *(rest if note else ()))
    _check_lines((*lines, *later_lines), total_fen(order))
    shipping_code = rows.shipping_codes.get(order["shipping_id"], "")
    discounts = sum(to_fen(line["goods_price"]) * line["goods_number"] for line in rows.lines if line["goods_id"] == 0)
    return Order(
        shop=rules.shop,
        shop_order_id=str(order["order_id"]),
        order_sn=order["order_sn"],
        queue=_queue(order, note),
        consignee=_consignee(rows),
        lines=lines,
        total_fen=total_fen(order),
        cod_fen=cod_fen(order, rows),
        shipping_code=shipping_code,
        shipping_name=clean(order["shipping_name"]),
        shipper_code=shipper_code_for(shipping_code, rules.shipper_map, rules.default_shipper),
        placed_at=to_utc(order["add_time"], rules.utc_offset_s, now) or now,
        paid_at=to_utc(order["pay_time"], rules.utc_offset_s, now),
        content_hash=content_hash(rows),
        buyer_note=clean(order["postscript"]),
        seller_note=clean(order["to_buyer"]),
        note_id=str(note.id) if note else "",
        shipping_fee_fen=to_fen(order["shipping_fee"]),
        discount_fen=to_fen(order["discount"]) - discounts,
        user_id=order["user_id"],
        later_lines=later_lines,
    )


def _queue(order: Row, note: Note | None) -> Queue:
    if note:
        return Queue.STAFF_NOTE
    return Queue.AWAIT_SHIP if order["shipping_status"] in UNSENT_SHIPPING else Queue.REMAINDER


def _check_lines(lines: tuple[OrderLine, ...], worth_fen: int) -> None:
    products: dict[str, set[tuple[int, int]]] = defaultdict(set)
    for line in lines:
        products[line.sku].add((line.goods_id, line.product_id))
    for sku, meant in products.items():
        if len(meant) > 1:
            raise Problem("sku_ambiguous", f"goods number {sku} means {len(meant)} different things in this order")
    weight_g = sum(line.weight_g * line.quantity for line in lines)
    if max(worth_fen, weight_g, *(line.price_fen for line in lines)) > _MOST:
        raise Problem("number_absurd", "a price, the weight or the total is beyond 21 million yuan or 2000 tonnes")
    if not weight_g:
        raise Problem("weight_zero", "no goods of the order have a weight; enter it, or set default_weight_g")


def _consignee(rows: OrderRows) -> Consignee:
    order = rows.order
    name, street = clean(order["consignee"]), clean(order["address"])
    if not name:
        raise Problem("consignee_blank", "the consignee's name is blank")
    if not street:
        raise Problem("address_blank", "the street address is blank")
    phone = usable_phone(order["mobile"], order["tel"])
    if not phone:
        raise Problem("phone_blank", "neither mobile nor landline has a usable phone number")
    return Consignee(name=name, phone=phone, address=_address(rows, street), email=clean(order["email"]))


def _address(rows: OrderRows, street: str) -> Address:
    order = rows.order
    province, city, district = (clean(rows.regions.get(order[level])) for level in ("province", "city", "district"))
    for level, name in (("province", province), ("city", city)):
        if not name:
            raise Problem("region_missing", f"the {level} is missing or no longer in the region table")
    if not district and (order["district"] or order["city"] in rows.cities_with_districts):
        raise Problem("region_missing", "the district is missing or no longer in the region table")
    return Address(province, city, district, street, clean(order["zipcode"]))
