"""An order as the OMS takes it: flat form fields, some of which hold JSON."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from mappings.address import clean_text, full_cities, full_province
from mappings.bill import whole_lines
from mappings.china_time import write_time
from mappings.erps.shopex_oms.settings import OmsSettings
from mappings.errors import PermanentError
from mappings.fields import objects_in, text_of
from mappings.model import Address, Consignee, ErpOrder, Order, OrderLine
from mappings.wire import to_json

LONGEST_NUMBER = 32
"""What the OMS holds of an order number; a longer one would be cut, and never found again."""
_MOBILE = re.compile(r"1\d{10}")
_ENCRYPTED = "_hash"
"""How a text ends that the OMS gives out encrypted."""

Fields = dict[str, str]


def order_fields(pushed: ErpOrder, settings: OmsSettings) -> Fields:
    """The fields of `ome.order.add` as they are sent. Raises as `order_values` does."""
    values = order_values(pushed, settings)
    return {name: value if isinstance(value, str) else to_json(value) for name, value in values.items()}


def order_values(pushed: ErpOrder, settings: OmsSettings) -> dict[str, Any]:
    """What `ome.order.add` is told of an order. Raises PermanentError for one that the OMS would take wrongly."""
    order, ref = pushed.order, pushed.external_ref
    lines = whole_lines(order)
    _check(ref, lines)
    paid_fen = order.total_fen - order.cod_fen
    goods_fen = sum(line.price_fen * line.quantity for line in lines)
    promotion_fen = max(order.discount_fen, 0)
    # What the fees and reductions of the shop come to, beyond goods, freight and promotion: below 0 they reduce.
    rest_fen = order.total_fen - goods_fen - order.shipping_fee_fen + promotion_fen
    return {
        "order_bn": ref,
        "status": "active",
        "pay_status": _pay_status(paid_fen, order.cod_fen),
        "ship_status": "0",
        "is_delivery": "Y",
        "createtime": write_time(order.placed_at),
        "title": lines[0].name,
        "total_amount": yuan(order.total_fen),
        "cur_amount": yuan(order.total_fen),
        "cost_item": yuan(goods_fen),
        "payed": yuan(paid_fen),
        "pmt_goods": yuan(0),
        "pmt_order": yuan(promotion_fen),
        "discount": yuan(rest_fen),
        "cost_tax": yuan(0),
        "is_tax": "false",
        "currency": "CNY",
        "cur_rate": "1.0000",
        "pay_bn": settings.pay_bn,
        "score_u": "0",
        "score_g": "0",
        "weight": str(sum(line.weight_g * line.quantity for line in lines)),
        "order_objects": [_object(ref, place, line) for place, line in enumerate(lines, 1)],
        "consignee": _consignee(order.consignee),
        "payinfo": {"pay_name": _pay_name(order, settings), "cost_payment": yuan(0)},
        "shipping": _shipping(order),
        "payments": _payments(pushed, paid_fen, settings),
        "pmt_detail": [],
        "consigner": {},
        "mark_text": order.seller_note,
        "custom_mark": order.buyer_note,
        "node_version": "2.0",
    }


def cancel_fields(row: Mapping[str, Any], ref: str) -> Fields:
    """What voids an order: the order again as the OMS shows it, dead and refunded. It takes none without its lines.

    An address that it shows encrypted or hidden is left out; it may then be empty in the dead order there.
    """
    kept = (
        "total_amount",
        "cost_item",
        "payed",
        "pmt_goods",
        "pmt_order",
        "discount",
        "cost_tax",
        "currency",
        "pay_bn",
    )
    return {
        "order_bn": ref,
        "status": "dead",
        "pay_status": "5",
        "ship_status": "0",
        "createtime": text_of(row, "order_createtime"),
        "cur_amount": text_of(row, "final_amount"),
        **{name: text_of(row, name) for name in kept},
        "is_tax": "false",
        "order_objects": to_json(_shown_objects(row)),
        "consignee": to_json(_shown_consignee(row)),
        "payments": "[]",
        "node_version": "2.0",
    }


def yuan(fen: int) -> str:
    """Fen as yuan with two places; exact, since only the decimal point moves."""
    return f"{Decimal(fen).scaleb(-2):.2f}"


def _check(ref: str, lines: tuple[OrderLine, ...]) -> None:
    if len(ref) > LONGEST_NUMBER:
        raise PermanentError(
            "shopex_oms.order.number_too_long",
            f"Order {ref} was not sent: the OMS holds {LONGEST_NUMBER} characters of an order number. Enter it by hand",
        )
    if not lines or any(not line.sku.strip() for line in lines):
        raise PermanentError(
            "shopex_oms.order.sku_missing",
            f"Order {ref} was not sent: a line has no SKU, or there is no line. Complete the goods number in the shop",
        )


def _pay_status(paid_fen: int, cod_fen: int) -> str:
    """1 paid, 0 nothing of it (COD), 3 in part."""
    if not cod_fen:
        return "1"
    return "3" if paid_fen > 0 else "0"


def _pay_name(order: Order, settings: OmsSettings) -> str:
    return "货到付款" if order.cod_fen else settings.pay_name


def _object(ref: str, place: int, line: OrderLine) -> dict[str, Any]:
    """A line, once as what was sold and once as what is to be packed."""
    price, amount = yuan(line.price_fen), yuan(line.price_fen * line.quantity)
    same = {
        "shop_goods_id": str(line.goods_id),
        "bn": line.sku,
        "name": line.name,
        "price": price,
        "amount": amount,
        "quantity": str(line.quantity),
        "sale_price": amount,
        "pmt_price": yuan(0),
        "weight": str(line.weight_g * line.quantity),
        "score": "0",
    }
    item = {
        **same,
        "shop_product_id": str(line.product_id),
        "item_type": "product",
        "cost": "0",
        "sendnum": "0",
        "status": "active",
        "original_str": line.attributes,
        "product_attr": [],
    }
    return {"oid": f"{ref}-{place}", "obj_type": "goods", "obj_alias": "goods", **same, "order_items": [item]}


def _consignee(consignee: Consignee) -> dict[str, str]:
    phone = consignee.phone.strip()
    is_mobile = bool(_MOBILE.fullmatch(phone))
    return {
        "name": clean_text(consignee.name),
        **_area(consignee.address),
        "addr": clean_text(consignee.address.street),
        "zip": consignee.address.postcode,
        "telephone": "" if is_mobile else phone,
        "mobile": phone if is_mobile else "",
        "email": consignee.email,
        "r_time": "",
    }


def _area(address: Address) -> dict[str, str]:
    """Region names in full where they are known; the OMS adds to its own list what it does not find there."""
    province = full_province(address.province)
    cities = full_cities(address.city, province) if province else frozenset()
    return {
        "area_state": province or clean_text(address.province),
        "area_city": next(iter(cities)) if len(cities) == 1 else clean_text(address.city),
        "area_district": clean_text(address.district),
    }


def _shipping(order: Order) -> dict[str, str]:
    return {
        "shipping_name": order.shipping_name,
        "cost_shipping": yuan(order.shipping_fee_fen),
        "is_protect": "false",
        "cost_protect": yuan(0),
        "is_cod": "true" if order.cod_fen else "false",
    }


def _payments(pushed: ErpOrder, paid_fen: int, settings: OmsSettings) -> list[dict[str, str]]:
    """The one payment. The OMS wants its number to be unique in the shop; pay logs may lack one, or repeat it."""
    order = pushed.order
    if paid_fen <= 0:
        return []
    return [
        {
            "trade_no": f"{pushed.external_ref}-{order.shop_order_id}",
            "money": yuan(paid_fen),
            "paymethod": settings.pay_name,
            "pay_bn": settings.pay_bn,
            "pay_time": write_time(order.paid_at or order.placed_at),
            "paycost": yuan(0),
            "account": "",
            "bank": "",
            "memo": "",
        }
    ]


def _shown_objects(row: Mapping[str, Any]) -> list[dict[str, Any]]:
    items = row.get("order_items")
    shown = objects_in(list(items.values()) if isinstance(items, Mapping) else items)
    names = ("oid", "obj_type", "shop_goods_id", "bn", "name", "price", "quantity", "sale_price", "pmt_price")
    return [
        {
            **{name: text_of(sold, name) for name in names},
            "order_items": [_shown_item(item) for item in shown if text_of(item, "obj_id") == text_of(sold, "obj_id")],
        }
        for sold in objects_in(row.get("order_objects"))
    ]


def _shown_item(item: Mapping[str, Any]) -> dict[str, str]:
    names = ("shop_goods_id", "shop_product_id", "item_type", "bn", "name", "price", "sale_price", "pmt_price")
    shown = {name: text_of(item, name) for name in names}
    return {**shown, "quantity": text_of(item, "nums"), "amount": text_of(item, "sales_amount")}


def _shown_consignee(row: Mapping[str, Any]) -> dict[str, str]:
    names = {"name": "name", "addr": "addr", "zip": "zip", "telephone": "tel", "mobile": "mobile", "email": "email"}
    shown = {ours: text_of(row, f"ship_{theirs}") for ours, theirs in names.items()}
    state, city, district = [*text_of(row, "ship_area").split("-"), "", "", ""][:3]
    area = {"area_state": state, "area_city": city, "area_district": district}
    return area | {name: "" if text.endswith(_ENCRYPTED) else text for name, text in shown.items()}
