"""What an ERP's connector brings to its conformance tests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import Any

from mappings.conformance.case import NOW, Answer, ConnectorCase, Operation, an_order, play
from mappings.connector import ErpConnector, ShippingErp
from mappings.model import ErpDocument, ErpOrder, Order, StockFigure
from mappings.wire import Exchange

EXTERNAL_REF = "2026112100001"
EARLIER = NOW - timedelta(minutes=1)


@dataclass(frozen=True)
class ErpCase(ConnectorCase):
    """An ERP's connector and the ERP that is played for it, which holds no order yet and knows the SKU `TS-1`.

    It keeps what it is told: an order is found afterwards under our reference, a second one of the same reference is
    answered as documented, and so are a second confirm and a second cancel. `unknown_sku` it does not know.
    """

    unknown_sku: str = "NO-SUCH-SKU"

    def order(self, **changes: Any) -> ErpOrder:
        """An order as the product hands it over, or with other facts."""
        told: Order = replace(an_order(), **changes)
        return ErpOrder(told, EXTERNAL_REF, idempotency_key="main-1001", order_date="20261201")

    def of_sku(self, sku: str) -> ErpOrder:
        """The order with another SKU."""
        return self.order(lines=tuple(replace(line, sku=sku) for line in an_order().lines))

    def made(self, erp: ErpConnector, peer: Answer) -> ErpDocument:
        """The document of the order, which then stands at the ERP. Raises AssertionError where it refuses."""
        talk = play(lambda: erp.create(self.order()), peer, at=EARLIER)
        if not isinstance(talk.result, ErpDocument):
            raise AssertionError(f"a create that the ERP took ended as {talk.ending}")
        return talk.result

    def operations(self) -> dict[str, Operation]:
        found = {
            "find": Operation(lambda erp, _: erp.find(EXTERNAL_REF), is_read=True, stage=self.made),
            "create": Operation(lambda erp, _: erp.create(self.order()), must_change=True),
            "cancel": Operation(lambda erp, made: erp.cancel(made), must_change=True, stage=self.made),
        }
        if self.spec.needs_confirm:
            found["confirm"] = Operation(lambda erp, made: erp.confirm(made), must_change=True, stage=self.made)
        if self.spec.reads_stock:
            found["read_stock"] = Operation(lambda erp, _: self.stock(erp), is_read=True)
        if self.spec.polls_shipments:
            found["poll_shipments"] = Operation(_poll, is_read=True)
        return found

    def stock(self, erp: ErpConnector) -> Exchange[tuple[StockFigure, ...]]:
        return erp.read_stock(None, ("TS-1",) if self.spec.skus_at_once else ())

    def impossible(self) -> dict[str, Callable[[Any], Exchange[Any]]]:
        orders = {
            "an order without goods": self.order(lines=()),
            "goods without a SKU": self.of_sku("  "),
            "a SKU that the ERP does not know": self.of_sku(self.unknown_sku),
        }
        return {what: partial(_create, order=order) for what, order in orders.items()}


def _create(erp: ErpConnector, order: ErpOrder) -> Exchange[ErpDocument]:
    return erp.create(order)


def _poll(erp: ShippingErp, _: None) -> Exchange[Any]:
    return erp.poll_shipments(NOW - timedelta(hours=1))
