"""Where each field of the document comes from: the field map, read backwards."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mappings.erps.generic_rest.order import OrderForm
from mappings.explaining import Explained
from mappings.model import ErpOrder

_SOURCES = {
    "order_id": "the order's number, with the shop's name where there are several shops",
    "order_sn": "the order's number in the shop",
    "customer_name": "consignee.name",
    "phone": "consignee.phone",
    "province": "consignee.address.province",
    "city": "consignee.address.city",
    "district": "consignee.address.district",
    "street": "consignee.address.street",
    "total_amount": "order.total_fen",
    "cod_amount": "order.cod_fen",
    "shipping_fee": "order.shipping_fee_fen",
    "discount": "order.discount_fen",
    "order_date": "order.placed_at",
    "waybill_no": "the waybill, when it is known",
    "sku": "line.sku",
    "name": "line.name",
    "quantity": "line.quantity",
    "price": "line.price_fen",
}
_BY_FORMAT = {
    **dict.fromkeys(("total_amount", "cod_amount", "shipping_fee", "discount", "price"), "amount_format"),
    "order_date": "date_format",
}


def explain_form(form: OrderForm, order: ErpOrder) -> Iterator[Explained]:
    """Every field of the document in its order; raises PermanentError as the document's writing does."""
    ours = {theirs: name for name, theirs in form.header_names.items()}
    for target, value in form.write(order).items():
        if ours.get(target) != "lines":
            yield _explain(target, target, value, ours)
            continue
        of_line = {theirs: name for name, theirs in form.line_names.items()}
        for number, line in enumerate(value):
            for name, found in line.items():
                yield _explain(f"{target}[{number}].{name}", name, found, of_line)


def _explain(target: str, name: str, value: Any, ours: Mapping[str, str]) -> Explained:
    fact = ours.get(name)
    if fact is None:
        return Explained(target, "the setting extra_fields", "constant", str(value))
    rules = ["field_map" if fact != name else "under its own name", *filter(None, [_BY_FORMAT.get(fact)])]
    return Explained(target, _SOURCES[fact], ", ".join(rules), str(value))
