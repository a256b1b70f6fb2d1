"""Seventeen orders as a real ECShop stored them, and the rows of each as the reader would gather them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mappings.shops.ecshop import Note, OrderRows

_FOLDER = Path(__file__).parent / "data" / "ecshop_orders"
NAMES = sorted(path.stem for path in _FOLDER.glob("*.json"))


def recorded(name: str) -> dict[str, Any]:
    """A recorded order: its rows table by table."""
    found: dict[str, Any] = json.loads((_FOLDER / f"{name}.json").read_text("utf-8"))
    order = found["order_info"]
    names = {order[level]: region for level, region in found["regions"].items()}
    return found | {"region_names": names, "cities_with_districts": {order["city"]}}


def rows_of(fixture: dict[str, Any]) -> OrderRows:
    """The rows of one recorded order, narrowed as the reader's queries narrow them."""
    notes = [
        Note(row, tuple(item for item in fixture["delivery_goods"] if item["delivery_id"] == row["delivery_id"]))
        for row in fixture["delivery_order"]
        if row["status"] in (0, 2)
    ]
    return OrderRows(
        order=fixture["order_info"],
        lines=fixture["order_goods"],
        notes=notes,
        goods={row["goods_id"]: row for row in fixture["goods"]},
        products={row["product_id"]: row for row in fixture["products"]},
        regions=fixture["region_names"],
        cities_with_districts=fixture["cities_with_districts"],
        shipping_codes={row["shipping_id"]: row["shipping_code"] for row in fixture["shipping"]},
        cod_pay_ids={row["pay_id"] for row in fixture["payment"] if row["is_cod"]},
    )
