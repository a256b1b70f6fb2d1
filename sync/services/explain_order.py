"""Shows what an ERP would be told of an order and where each field comes from; nothing is sent, nothing is changed."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, replace

from mappings.connector import ErpConnector
from mappings.errors import PeerError
from mappings.explaining import Explained, ExplainingErp
from mappings.model import ErpOrder
from mappings.wire import HttpCall, HttpReply
from sync.db.models import OrderRow
from sync.db.orders import find_by_sn, private_texts, read_order
from sync.redaction import mask, readable, redact
from sync.runtime import Runtime
from sync.services.push_now import read_from_shop
from sync.services.push_order import describe_order
from sync.services.take_in import external_ref_of

PREPARED = HttpReply(200, {"x-csrf-token": "unknown", "content-type": "application/json"}, b"{}")
"""Answers a call that only prepares the order (a token, a look-up), so that the order's own call can be shown."""
MOST_PREPARING = 5


@dataclass(frozen=True, slots=True)
class Explanation:
    """Field by field, or, of a connector that does not explain itself, its request. All of it masked.

    `request` is empty where there are fields, and where the connector wants real answers before it builds one.
    """

    order_sn: str
    erp: str
    fields: tuple[Explained, ...] = ()
    request: str = ""


def find_told(rt: Runtime, order_sn: str) -> list[ErpOrder]:
    """The orders of this number as ERPs are told of them: ours, else the shop's own, which is not taken in by this.

    Raises NoSuchOrder, or a PeerError where a shop cannot be read.
    """
    with rt.database.reading() as session:
        ours = [(read_order(session, row), row.external_ref) for row in find_by_sn(session, order_sn)]
    if not ours:
        order = read_from_shop(rt, order_sn)[1]
        ours = [(order, external_ref_of(rt, order))]
    return [describe_order(order, external_ref) for order, external_ref in ours]


def explain_order(rt: Runtime, row: OrderRow, erp_key: str) -> Explanation:
    """What `erp_key` would be told of a stored order; raises PermanentError for an order that would be parked."""
    with rt.database.reading() as session:
        order = read_order(session, row)
    return explain(rt, describe_order(order, row.external_ref), erp_key)


def explain(rt: Runtime, told: ErpOrder, erp_key: str) -> Explanation:
    """What `erp_key` would be told; raises PermanentError for an order that would be parked."""
    connector, peer, order_sn = rt.erps[erp_key], rt.peer(erp_key), told.order.order_sn
    private = private_texts(told.order)
    if isinstance(connector, ExplainingErp):
        fields = tuple(_masked(field, private, peer.secrets) for field in connector.explain(told))
        return Explanation(order_sn, erp_key, fields)
    call = _build_call(connector, told)
    if call is None:
        return Explanation(order_sn, erp_key)
    kind = next((value for name, value in call.headers.items() if name.lower() == "content-type"), "")
    text = f"{call.method} {call.url}\n{readable(call.body, kind)}"
    return Explanation(order_sn, erp_key, request=redact(text, private=private, secrets=(*peer.secrets, *call.secrets)))


def _masked(field: Explained, private: tuple[str, ...], secrets: tuple[str, ...]) -> Explained:
    shown = mask(field.value) if field.is_personal else redact(field.value, private=private, secrets=secrets)
    return replace(field, value=shown)


def _build_call(connector: ErpConnector, order: ErpOrder) -> HttpCall | None:
    """The call that would create the order, before it is signed; None where it depends on what the ERP answers."""
    with closing(connector.create(order)) as exchange:
        call = next(exchange, None)  # an order that would be parked unsent is refused here
        for _ in range(MOST_PREPARING):
            if call is None or call.operation == "create_order":
                return call
            try:
                call = exchange.send(PREPARED)
            except (StopIteration, PeerError):
                call = None
    return None
