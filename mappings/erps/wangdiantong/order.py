"""An order as Wangdiantong wants it: a raw trade and its lines, with nothing in it that would be refused or misread."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from mappings.address import clean_text, complete_region
from mappings.bill import Bill, BillItem, make_bill
from mappings.china_time import write_time
from mappings.cloud_orders import check_cod, check_phone, yuan_number
from mappings.erps.wangdiantong.settings import WangdiantongSettings
from mappings.errors import PermanentError
from mappings.model import ErpOrder

AREA = "wangdiantong.order"

_MOST = {"tid": 40, "oid": 40, "spec_no": 40, "receiver_name": 100, "receiver_area": 40, "receiver_address": 256}
"""Characters; what is longer would be refused, and a cut address finds nobody."""
_MOBILE = re.compile(r"1\d{10}")

TO_SHIP, UNPAID, PAID = 30, 0, 2
ON_PAYMENT, ON_DELIVERY = 1, 2


def raw_trade(order: ErpOrder, settings: WangdiantongSettings) -> list[Any]:
    """The arguments of `pushSelf2`: shop, raw trades, lines. Raises PermanentError for what would be refused."""
    bill = make_bill(order.order, AREA)
    check_phone(order.order, AREA)
    check_cod(order.order, settings.cod, AREA)
    trade = _trade(order, bill, settings)
    lines = [_line(order, item) for item in bill.items]
    for fields in (trade, *lines):
        _check_lengths(fields)
    return [settings.shop_no, [trade], lines]


def _trade(order: ErpOrder, bill: Bill, settings: WangdiantongSettings) -> dict[str, Any]:
    bought = order.order
    is_cod = bought.cod_fen > 0
    return {
        "tid": order.external_ref,
        "process_status": 10,
        "trade_status": TO_SHIP,
        "refund_status": 0,
        "pay_status": UNPAID if is_cod else PAID,
        "pay_method": int(settings.pay_method),
        "delivery_term": ON_DELIVERY if is_cod else ON_PAYMENT,
        "cod_amount": yuan_number(bought.cod_fen),
        "trade_time": write_time(bought.placed_at),
        "pay_time": "" if is_cod else write_time(bought.paid_at or bought.placed_at),
        "end_time": None,
        "buyer_nick": str(bought.user_id) if bought.user_id else order.external_ref,
        "buyer_message": clean_text(bought.buyer_note)[:1024],
        "remark": clean_text(bought.seller_note)[:1024],
        **_receiver(order),
        "post_amount": yuan_number(bill.freight_fen),
        "other_amount": yuan_number(bill.other_fen),
        "discount": yuan_number(bill.discount_fen),
        "receivable": yuan_number(bill.total_fen),
        "paid": 0 if is_cod else yuan_number(bill.total_fen),
        "order_count": len(bill.items),
        "goods_count": sum(item.line.quantity for item in bill.items),
        "is_auto_wms": False,
        "warehouse_no": "",
    }


def _receiver(order: ErpOrder) -> dict[str, str]:
    """Area names are those of Wangdiantong's address library; only a mobile number is one to it."""
    who = order.order.consignee
    region, is_mobile = complete_region(who.address), bool(_MOBILE.fullmatch(who.phone))
    return {
        "receiver_name": clean_text(who.name),
        "receiver_area": f"{region.province} {region.city} {region.district}",
        "receiver_address": clean_text(who.address.street),
        "receiver_zip": who.address.postcode,
        "receiver_mobile": who.phone if is_mobile else "",
        "receiver_telno": "" if is_mobile else who.phone,
    }


def _line(order: ErpOrder, item: BillItem) -> dict[str, Any]:
    line = item.line
    return {
        "tid": order.external_ref,
        "oid": f"{order.external_ref}-{item.key}",
        "status": TO_SHIP,
        "refund_status": 0,
        "goods_id": str(line.goods_id),
        "spec_id": str(line.product_id or line.goods_id),
        "goods_no": line.sku,
        "spec_no": line.sku,
        "goods_name": clean_text(line.name)[:255],
        "spec_name": clean_text(line.attributes)[:100],
        "num": line.quantity,
        "price": yuan_number(line.price_fen),
        "discount": 0,
        "share_discount": yuan_number(item.share_fen),
        "total_amount": yuan_number(item.amount_fen),
        "adjust_amount": 0,
        "refund_amount": 0,
        "remark": "",
        "json": "",
    }


def _check_lengths(fields: Mapping[str, Any]) -> None:
    for name, most in _MOST.items():
        if len(str(fields.get(name, ""))) > most:
            raise PermanentError(
                f"{AREA}.field_too_long",
                f"Wangdiantong takes {most} characters as {name}, and the order has more; nothing was sent. Shorten it "
                "in the shop, then retry; or enter the order there by hand",
            )
