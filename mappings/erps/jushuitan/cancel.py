"""What Jushuitan holds under our number, and cancelling it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mappings.erps.jushuitan.service import RULES, Service
from mappings.errors import PermanentError
from mappings.fields import objects_in, text_of
from mappings.model import ErpDocument
from mappings.wire import Exchange

AREA = "jushuitan.cancel"
CANCEL = "/open/jushuitan/orderbyoid/cancel"

CANCELLED, MERGED, SPLIT = "Cancelled", "Merged", "Split"
GONE = frozenset({CANCELLED, SPLIT})
"""What needs no cancel: a split order lives on in its parts, which have numbers of their own."""


@dataclass(frozen=True, slots=True)
class Held:
    """One order of Jushuitan's; staff may have split ours into several."""

    o_id: str
    status: str


def held_orders(service: Service, external_ref: str, area: str) -> Exchange[list[Held]]:
    """Every order under our number, oldest first. Raises PermanentError `<area>.found_other`; never UncertainError."""
    biz = {"shop_id": service.settings.shop_id, "so_ids": [external_ref], "page_index": 1, "page_size": 50}
    data = yield from service.ask("find_order", service.settings.find_path, lambda now: biz, area, changes_peer=False)
    found = data.get("orders", data.get("datas"))
    if found is None and (not data or "orders" in data or text_of(data, "data_count") == "0"):
        return []  # nothing there; taken wrongly for that, an upload brings the order's first number all the same
    if not isinstance(found, list):
        raise PermanentError(
            f"{area}.found_other",
            "Jushuitan's look-up of orders answers otherwise: check FIND_PATH, and whether our app may use it",
        )
    mine = [row for row in objects_in(found) if _is_mine(row, external_ref, service.settings.shop_id)]
    return sorted((Held(text_of(row, "o_id"), text_of(row, "status")) for row in mine), key=_age)


def document_of(held: list[Held], external_ref: str) -> ErpDocument | None:
    """The document that stands for ours: the oldest that is alive, else the oldest; None where there is none."""
    alive = [order for order in held if order.status not in (*GONE, MERGED)] or held
    return ErpDocument(alive[0].o_id, external_ref, adopted=True) if alive else None


def cancel(service: Service, document: ErpDocument) -> Exchange[None]:
    """Cancel all that is alive under our number; what is cancelled already is a success. Raises any PeerError."""
    held = yield from held_orders(service, document.external_ref, AREA)
    if not held:
        raise PermanentError(
            f"{AREA}.not_found",
            f"Jushuitan knows no order {document.external_ref} of this shop; nothing was cancelled. Look there under "
            f"its own number {document.erp_no or '(unknown)'}, cancel by hand, then resolve this line",
        )
    alive = [order for order in held if order.status not in GONE]
    _refuse_late(alive)
    if not alive:
        return
    biz = {"o_ids": [_number(order.o_id) for order in alive], "cancel_type": service.settings.cancel_reason}
    data = yield from service.ask("cancel_order", CANCEL, lambda now: biz, AREA)
    _read_rows(data)


def _refuse_late(alive: list[Held]) -> None:
    if sent := [order.o_id for order in alive if order.status == "Sent"]:
        raise PermanentError(
            f"{AREA}.too_late",
            f"Jushuitan has shipped {', '.join(sent)}; nothing was cancelled. Ask the courier to bring it back, then "
            "resolve this line",
        )
    if merged := [order.o_id for order in alive if order.status == MERGED]:
        raise PermanentError(
            f"{AREA}.cannot_cancel",
            f"Jushuitan has joined {', '.join(merged)} with another order, which a cancel would end too; nothing "
            "was cancelled. Take the goods out of it there by hand, then resolve this line",
        )


def _read_rows(data: Mapping[str, Any]) -> None:
    """Rows are optional in the answer to a cancel; one that says no counts."""
    for row in objects_in(data.get("datas")):
        if text_of(row, "issuccess").lower() == "false":
            ruling = RULES.judge_words(text_of(row, "msg"))
            if ruling.cls != "permanent":
                raise RULES.error(ruling, AREA, text_of(row, "o_id"), text_of(row, "msg"))
            raise PermanentError(
                f"{AREA}.rejected",
                "Jushuitan did not cancel the order. See there why, cancel by hand, then resolve this line",
                peer_code=text_of(row, "o_id"),
                peer_text=text_of(row, "msg")[:200],
            )


def _is_mine(row: Mapping[str, Any], external_ref: str, shop_id: int) -> bool:
    """By our number and the shop; where a row does not name its shop, the number alone."""
    return text_of(row, "so_id") == external_ref and text_of(row, "shop_id") in ("", str(shop_id))


def _age(order: Held) -> tuple[int, str]:
    return (int(order.o_id) if order.o_id.isdecimal() else 0, order.o_id)


def _number(o_id: str) -> int | str:
    return int(o_id) if o_id.isdecimal() else o_id
