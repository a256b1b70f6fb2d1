"""What of an order is still to ship: real, unsent, packages taken apart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from mappings.model import OrderLine
from mappings.shops.ecshop.rows import (
    Note,
    OrderRows,
    Row,
    component_key,
    is_package,
    is_real,
    noted_components,
)
from mappings.shops.ecshop.text import clean


class Problem(Exception):
    """Why an order cannot be fulfilled as it stands; becomes an Unreadable."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = f"ecshop.order.{code}"
        self.reason = reason


def to_fen(amount: Decimal | str | int) -> int:
    """Fen of a decimal(10,2) amount in yuan."""
    return int((Decimal(amount) * 100).to_integral_value())


def unsent(line: Row) -> int:
    return max(0, int(line["goods_number"]) - int(line["send_number"]))


def unsent_lines(rows: OrderRows, default_weight_g: int) -> tuple[OrderLine, ...]:
    """The lines that stand on no delivery note yet."""
    found: list[OrderLine] = []
    for line in rows.lines:
        if is_real(line) and unsent(line):
            found.extend(_components(line, rows, default_weight_g) if is_package(line) else ())
            if not is_package(line):
                found.append(_line(line, line, unsent(line), to_fen(line["goods_price"]), rows, default_weight_g))
    return tuple(found)


def noted_lines(rows: OrderRows, note: Note, default_weight_g: int) -> tuple[OrderLine, ...]:
    """The lines of a delivery note that staff made."""
    if any(overdrawn(rows)):
        raise Problem(
            "note_inconsistent",
            f"delivery note {note.id} holds more than the order's lines say was put on notes; "
            "delete the note in the shop's admin, or ship it there",
        )
    found = []
    for item in note.goods:
        if is_real(item) and item["send_number"]:
            line = _line_of(item, rows.lines)
            price = _noted_price(item, line, rows) if is_package(item) else to_fen(line["goods_price"])
            found.append(_line(item, line, item["send_number"], price, rows, default_weight_g))
    if not found:
        raise Problem("note_empty", f"delivery note {note.id} has no goods; delete it in the shop's admin")
    return tuple(found)


def overdrawn(rows: OrderRows) -> Iterator[tuple[int, int]]:
    """Goods of which open notes hold more than send_number says; ECShop raises it when it makes the note."""
    noted: dict[tuple[int, int], int] = {}
    for note in rows.notes:
        for item in note.goods if note.is_open else ():
            if is_real(item) and not is_package(item):
                noted[component_key(item)] = noted.get(component_key(item), 0) + item["send_number"]
    for key, quantity in noted.items():
        if quantity > sum(line["send_number"] for line in plain_lines(rows.lines, key)):
            yield key


def plain_lines(lines: Sequence[Row], key: tuple[int, int]) -> list[Row]:
    """The real lines of one goods and product that are no package; a gift may repeat what was bought."""
    return [line for line in lines if is_real(line) and not is_package(line) and component_key(line) == key]


def _line_of(item: Row, lines: Sequence[Row]) -> Row:
    if is_package(item):
        fitting = [line for line in lines if is_package(line) and line["goods_id"] == item["parent_id"]]
    else:
        fitting = plain_lines(lines, component_key(item))
    if not fitting:
        raise Problem("note_inconsistent", f"a delivery note holds goods {item['goods_id']}, which no line orders")
    return next((line for line in fitting if line["goods_number"] == item["send_number"]), fitting[0])


def _components(line: Row, rows: OrderRows, default_weight_g: int) -> list[OrderLine]:
    contents = rows.packages.get(line["goods_id"], ())
    if not contents:
        raise Problem("package_unknown", f"the contents of package {line['goods_id']} are no longer in the shop")
    prices = _share_price(line, contents, rows.goods)
    noted = noted_components(rows.notes, line["goods_id"])
    found = []
    for part, price in zip(contents, prices, strict=True):
        ordered = part["goods_number"] * line["goods_number"]
        owed = min(part["goods_number"] * unsent(line), ordered - noted.get(component_key(part), 0))
        if owed > 0:
            found.append(_line(part, line, owed, price, rows, default_weight_g))
    return found


def _share_price(line: Row, contents: Sequence[Row], goods: Mapping[int, Row]) -> list[int]:
    """Split a package's price over its parts by their shop prices; whole fen, so a few may stay unassigned."""
    price = to_fen(line["goods_price"])
    worths = [to_fen(goods.get(part["goods_id"], {}).get("shop_price", 0)) * part["goods_number"] for part in contents]
    if not sum(worths):
        worths = [part["goods_number"] for part in contents]
    shares = [
        price * worth // sum(worths) // part["goods_number"] for worth, part in zip(worths, contents, strict=True)
    ]
    left = price - sum(share * part["goods_number"] for share, part in zip(shares, contents, strict=True))
    for index, part in enumerate(contents):
        if left % part["goods_number"] == 0:
            shares[index] += left // part["goods_number"]
            break
    return shares


def _noted_price(item: Row, line: Row, rows: OrderRows) -> int:
    contents = rows.packages.get(line["goods_id"], ())
    prices = zip(contents, _share_price(line, contents, rows.goods) if contents else (), strict=True)
    return next((price for part, price in prices if component_key(part) == component_key(item)), 0)


@dataclass(frozen=True, slots=True)
class _Thing:
    """What is known of a piece of goods, from the order's row first and the catalogue next."""

    sku: str
    name: str
    weight_g: int


def _thing(item: Row, rows: OrderRows, default_weight_g: int) -> _Thing:
    goods: Mapping[str, Any] = rows.goods.get(item["goods_id"], {})
    product = rows.products.get(item["product_id"] or 0, {})
    weight = int(Decimal(goods.get("goods_weight", 0)) * 1000)
    return _Thing(
        sku=clean(product.get("product_sn")) or clean(item.get("goods_sn") or goods.get("goods_sn")),
        name=clean(item.get("goods_name") or goods.get("goods_name")),
        weight_g=weight or default_weight_g,
    )


def _line(item: Row, line: Row, quantity: int, price_fen: int, rows: OrderRows, default_weight_g: int) -> OrderLine:
    thing = _thing(item, rows, default_weight_g)
    if not thing.sku:
        raise Problem("sku_blank", f"goods {item['goods_id']} have no goods number; give them one in the shop's admin")
    return OrderLine(
        shop_line_id=str(line["rec_id"]),
        sku=thing.sku,
        name=thing.name,
        quantity=int(quantity),
        price_fen=price_fen,
        weight_g=thing.weight_g,
        attributes=clean(item.get("goods_attr")),
        goods_id=item["goods_id"],
        product_id=item["product_id"] or 0,
        package_id=line["goods_id"] if is_package(line) else 0,
        is_gift=line["is_gift"] > 0,
    )
