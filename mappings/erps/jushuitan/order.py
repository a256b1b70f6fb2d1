"""An order as Jushuitan wants it: sums that agree to the fen, local times, and nothing that it would refuse."""

from __future__ import annotations

from typing import Any

from mappings.address import clean_text, complete_region
from mappings.bill import Bill, BillItem, make_bill
from mappings.china_time import write_time
from mappings.cloud_orders import check_cod, check_phone, yuan_number
from mappings.erps.jushuitan.settings import JushuitanSettings
from mappings.errors import PermanentError
from mappings.model import ErpOrder, Order

AREA = "jushuitan.order"
LONGEST_SO_ID = 50


def upload_row(order: ErpOrder, settings: JushuitanSettings) -> dict[str, Any]:
    """One order of `orders/upload`. Raises PermanentError for what Jushuitan would refuse or misread."""
    bought, bill = order.order, make_bill(order.order, AREA)
    _check(order, settings)
    region = complete_region(bought.consignee.address)
    row = {
        "shop_id": settings.shop_id,
        "so_id": order.external_ref,
        "order_date": write_time(bought.placed_at),
        "shop_status": "WAIT_SELLER_SEND_GOODS",
        "shop_buyer_id": _buyer(order),
        "receiver_state": region.province,
        "receiver_city": region.city,
        "receiver_district": region.district,
        "receiver_address": clean_text(bought.consignee.address.street),
        "receiver_name": clean_text(bought.consignee.name),
        "receiver_mobile": bought.consignee.phone,
        "receiver_zip": bought.consignee.address.postcode,
        "pay_amount": yuan_number(bill.total_fen),
        "freight": yuan_number(bill.freight_fen + bill.other_fen),
        "buyer_message": clean_text(bought.buyer_note),
        "remark": clean_text(bought.seller_note),
        "shop_modified": write_time(bought.paid_at or bought.placed_at),
        "items": [_item(order, item) for item in bill.items],
    }
    return row | ({"is_cod": True} if bought.cod_fen else {"pay": _payment(order, bill, settings)})


def _check(order: ErpOrder, settings: JushuitanSettings) -> None:
    if len(order.external_ref) > LONGEST_SO_ID:
        raise PermanentError(
            f"{AREA}.number_too_long",
            f"Jushuitan takes order numbers of up to {LONGEST_SO_ID} characters, and {order.external_ref} has "
            f"{len(order.external_ref)}; nothing was sent. Enter the order there by hand, then resolve this line",
        )
    check_phone(order.order, AREA)
    check_cod(order.order, settings.cod, AREA)


def _item(order: ErpOrder, item: BillItem) -> dict[str, Any]:
    """A line; its amount is net of its share of the discount, because an order has no field for one."""
    return {
        "sku_id": item.line.sku,
        "shop_sku_id": item.line.sku,
        "name": clean_text(item.line.name),
        "properties_value": clean_text(item.line.attributes),
        "qty": item.line.quantity,
        "base_price": yuan_number(item.line.price_fen),
        "amount": yuan_number(item.amount_fen - item.share_fen),
        "outer_oi_id": f"{order.external_ref}-{item.key}",
    }


def _payment(order: ErpOrder, bill: Bill, settings: JushuitanSettings) -> dict[str, Any]:
    """The payment; the shop's own number of it may be missing or used twice, so the order's stands for it."""
    bought: Order = order.order
    return {
        "outer_pay_id": order.external_ref,
        "pay_date": write_time(bought.paid_at or bought.placed_at),
        "payment": settings.payment,
        "seller_account": settings.seller_account,
        "buyer_account": _buyer(order),
        "amount": yuan_number(bill.total_fen),
    }


def _buyer(order: ErpOrder) -> str:
    """The buyer's number; guests share none, for Jushuitan joins what one buyer orders to one address."""
    return str(order.order.user_id) if order.order.user_id else order.external_ref
