"""An order as SAP is told of it: the facts that fill the IDoc, or the same as JSON where a REST channel wants that."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal
from html import escape

from mappings.address import clean_text
from mappings.bill import Bill, make_bill, whole_lines
from mappings.china_time import SHANGHAI
from mappings.connector import Config
from mappings.erps.sap_pi.idoc import (
    Facts,
    Flaw,
    Segment,
    build_cancel,
    build_order,
    find_flaw,
    split_text,
    write_idoc,
)
from mappings.erps.sap_pi.settings import LEFT_OUT
from mappings.errors import PermanentError
from mappings.model import Address, ErpDocument, ErpOrder, OrderLine
from mappings.sap_text import cut_text
from mappings.wire import to_json

CODE = "sap_pi.order"

PARTNERS = ("sender_port", "sender_type", "sender_partner", "receiver_port", "receiver_type", "receiver_partner")
CONSTANTS = (
    *PARTNERS,
    "sales_org",
    "distribution_channel",
    "division",
    "order_type",
    "sales_office",
    "sold_to",
    "currency",
    "payment_terms",
    "unit",
    "plant",
    "material_qualifier",
    "freight_condition",
    "discount_condition",
    "fee_condition",
)
"""Settings that the IDoc repeats as they are."""

PERSONAL = ("name", "name2", "street", "street2", "phone")
"""Facts that are the consignee's data, split and cut as they stand in the IDoc."""

NAME_PART, STREET_PART, SERIAL, ITEM_TEXT = 35, 35, 20, 70
"""Lengths in SAP of what is split or cut: a name and a street have two fields, the goods' text loses its end."""


def amount(fen: int) -> str:
    """Fen as yuan with a point and two places; exact, since only the decimal point moves."""
    return f"{Decimal(fen).scaleb(-2):f}"


def write_order_idoc(order: ErpOrder, config: Config) -> str:
    """The ORDERS05 IDoc; the same order gives the same bytes whenever it is sent.

    Raises PermanentError: a line without SKU, sums that do not make the total or that nobody named a condition type
    for, a text that SAP has no room for, a setting that does not fit.
    """
    return write_idoc(order_segments(order, config))


def order_segments(order: ErpOrder, config: Config) -> tuple[Segment, ...]:
    """What the IDoc holds, checked; raises PermanentError as its writing does."""
    return _checked(build_order(*order_facts(order, config)), order.external_ref)


def write_cancel_idoc(document: ErpDocument, config: Config) -> str:
    """The IDoc that asks SAP to cancel the whole order. Raises PermanentError."""
    facts = {name: str(config[name]) for name in PARTNERS}
    named = {"reference": document.external_ref, "erp_no": document.erp_no, "serial": _serial(document.external_ref)}
    return write_idoc(_checked(build_cancel({**facts, **named}), document.external_ref))


def write_order_json(order: ErpOrder) -> str:
    """The order in the shape of `POST /api/orders`, with the address that SAP's ship-to party needs."""
    bought, consignee = order.order, order.order.consignee
    facts = {
        "order_id": order.external_ref,
        "customer_name": consignee.name,
        "total_amount": amount(bought.total_fen),
        "order_date": f"{_order_date(order):%Y%m%d}",
        "phone": consignee.phone,
        "province": consignee.address.province,
        "city": consignee.address.city,
        "district": consignee.address.district,
        "street": consignee.address.street,
        "shipping_fee": amount(bought.shipping_fee_fen),
        "discount": amount(bought.discount_fen),
        "lines": [
            {"sku": line.sku, "name": line.name, "quantity": line.quantity, "price": amount(line.price_fen)}
            for line in _lines(order)
        ],
    }
    return to_json(facts)


def order_facts(order: ErpOrder, config: Config) -> tuple[Facts, list[Facts]]:
    """What the IDoc fills in, by the names in `idoc.toml`: for the order, and for each of its lines beyond that."""
    bill, placed = make_bill(order.order, CODE), order.order.placed_at.astimezone(SHANGHAI)
    delivery = _order_date(order) + timedelta(days=config["delivery_days"])
    facts = {
        **{name: str(config[name]) for name in CONSTANTS},
        **_consignee_facts(order, config["region_codes"] or {}),
        **_sums(bill, config),
        "reference": order.external_ref,
        "serial": _serial(order.external_ref),
        "placed_date": f"{placed:%Y%m%d}",
        "placed_time": f"{placed:%H%M%S}",
        "order_date": f"{_order_date(order):%Y%m%d}",
        "delivery_date": f"{delivery:%Y%m%d}",
        "ship_to": config["ship_to"] or config["sold_to"],
    }
    return facts, [_item_facts(number, item.line) for number, item in enumerate(bill.items, start=1)]


def private_texts(order: ErpOrder) -> tuple[str, ...]:
    """The consignee's data as they stand in the IDoc, split and cut, so that records can mask them there too."""
    facts = _consignee_facts(order, {})
    told = {facts[name] for name in PERSONAL}
    return tuple(sorted(told | {escape(text, quote=False) for text in told} - {""}))


def _consignee_facts(order: ErpOrder, region_codes: Mapping[str, str]) -> dict[str, str]:
    consignee = order.order.consignee
    address = consignee.address
    name, name2 = split_text(clean_text(consignee.name), NAME_PART, 2)
    street, street2 = split_text(clean_text(address.street), STREET_PART, 2)
    region = region_codes.get(clean_text(address.province), "")
    return {
        "name": name,
        "name2": name2,
        "street": street,
        "street2": street2,
        "city": _city(address, has_region=bool(region)),
        "district": clean_text(address.district),
        "region": region,
        "postcode": clean_text(address.postcode),
        "phone": clean_text(consignee.phone),
    }


def _city(address: Address, *, has_region: bool) -> str:
    """The city, after its province where SAP is not told that by a code: 朝阳区 and 鼓楼区 stand in several."""
    province, city = clean_text(address.province), clean_text(address.city)
    return city if has_region or city.startswith(province) else f"{province}{city}"


def _item_facts(number: int, line: OrderLine) -> Facts:
    return {
        "position": f"{number * 10:06d}",
        "quantity": f"{line.quantity}.000",
        "price": amount(line.price_fen),
        "sku": line.sku.strip(),
        "item_text": cut_text(clean_text(line.name), ITEM_TEXT),
    }


def _sums(bill: Bill, config: Config) -> dict[str, str]:
    """The total, and what stands on the order beside its goods; a sum that SAP is not told of is empty.

    Raises PermanentError for one that nobody named a condition type for.
    """
    told = {"total": amount(bill.total_fen)}
    for name, words, fen in (
        ("freight", "shipping fee", bill.freight_fen),
        ("discount", "discount", bill.discount_fen),
        ("fee", "sum of other fees (tax, insurance, packing …)", bill.other_fen),
    ):
        setting = f"{name}_condition"
        if fen and not config[setting]:
            raise PermanentError(
                "sap_pi.order.condition_unset",
                f"The order has a {words} of {amount(fen)}, and nobody said how SAP is told of it; nothing was sent. "
                f"Name its condition type in {setting.upper()} (or - to leave it out), restart, then retry",
            )
        told[name] = amount(fen) if fen and config[setting] != LEFT_OUT else ""
    return told


def _serial(reference: str) -> str:
    return reference[-SERIAL:]


def _order_date(order: ErpOrder) -> date:
    return date.fromisoformat(order.order_date)


def _lines(order: ErpOrder) -> tuple[OrderLine, ...]:
    """All of the order's lines, those of later parcels too. Raises PermanentError for one without SKU, or for none."""
    lines = whole_lines(order.order)
    if not lines or any(not line.sku.strip() for line in lines):
        raise PermanentError(
            "sap_pi.order.sku_missing",
            "An order line has no SKU, or there is no line: complete the goods number in the shop",
        )
    return lines


def _checked(segments: tuple[Segment, ...], reference: str) -> tuple[Segment, ...]:
    flaw = find_flaw(segments)
    if flaw:
        raise _refusal(flaw, reference)
    return segments


def _refusal(flaw: Flaw, reference: str) -> PermanentError:
    if flaw.kind == "too_long":
        return PermanentError(
            "sap_pi.order.field_too_long",
            f"Order {reference} was not sent, {flaw.where}: {flaw.why}. Shorten it in the shop "
            "(NAME: the consignee, STR: the street, IDTNR: the goods number), or in the settings",
        )
    return PermanentError(
        "sap_pi.order.idoc_invalid",
        f"Order {reference} was not sent, its IDoc would be refused: {flaw.where}: {flaw.why}. "
        "Correct the setting that fills this field, then retry",
    )
