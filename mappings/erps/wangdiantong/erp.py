"""The connector: one push an order, looked up, closed and followed by our own number."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import ClassVar

from mappings.connector import Config, Spec
from mappings.erps.wangdiantong import shipments, stock
from mappings.erps.wangdiantong.cancel import cancel_trade
from mappings.erps.wangdiantong.order import AREA, raw_trade
from mappings.erps.wangdiantong.service import Service
from mappings.erps.wangdiantong.settings import SPEC, WangdiantongSettings
from mappings.erps.wangdiantong.trade import document_of, find_trade, push_trade
from mappings.explaining import Explained
from mappings.field_sources import explain_fields, read_rows
from mappings.model import ErpDocument, ErpOrder, ErpShipment, StockFigure
from mappings.rulings import garbled
from mappings.wire import Exchange

FIELDS = read_rows(__package__)
ARGUMENTS = ("shop_no", "trades", "lines")
"""What the positional arguments of a push are called where people read of them."""


class WangdiantongErp:
    """The Wangdiantong connector. Raises ValueError when its settings do not fit together."""

    spec: ClassVar[Spec] = SPEC

    def __init__(self, config: Config) -> None:
        self.settings = WangdiantongSettings.of(config)
        self._service = Service(self.settings)

    def find(self, external_ref: str) -> Exchange[ErpDocument | None]:
        """Look the raw trade up by our number; what is found existed before, so it is `adopted`."""
        trade = yield from find_trade(self._service, external_ref, AREA)
        return document_of(external_ref, adopted=True) if trade is not None else None

    def create(self, order: ErpOrder) -> Exchange[ErpDocument]:
        """Push one raw trade. Wangdiantong keeps one for a number: a repeat changes it, which is an adoption."""
        args = raw_trade(order, self.settings)
        if self.settings.check_skus:
            yield from stock.check_skus(self._service, {line["spec_no"] for line in args[2]}, AREA)
        made, changed = yield from push_trade(self._service, args, order.external_ref, "create_order", AREA)
        if made or changed:
            return document_of(order.external_ref, adopted=not made)
        found = yield from self.find(order.external_ref)
        if found is None:
            raise garbled(AREA, "Wangdiantong made no order, changed none, and does not say why")
        return found

    def explain(self, order: ErpOrder) -> tuple[Explained, ...]:
        """Each field that `create` would tell of the order, and where it comes from; nobody is asked."""
        told = dict(zip(ARGUMENTS, raw_trade(order, self.settings), strict=True))
        return tuple(explain_fields(told, FIELDS))

    def confirm(self, document: ErpDocument) -> Exchange[ErpDocument]:
        """Nothing to do: Wangdiantong submits raw trades by its own settings."""
        yield from ()
        return document

    def cancel(self, document: ErpDocument) -> Exchange[None]:
        """Close the raw trade; Wangdiantong is asked first how it stands."""
        yield from cancel_trade(self._service, document.external_ref)

    def read_stock(self, since: datetime | None, skus: Collection[str] = ()) -> Exchange[tuple[StockFigure, ...]]:
        """What can be sold of these SKUs, or of those that changed since, by warehouse."""
        return (yield from stock.read_stock(self._service, since, skus))

    def poll_shipments(self, since: datetime) -> Exchange[tuple[ErpShipment, ...]]:
        """What waits to be told to the shop; entries wait until they are settled, so `since` does not matter."""
        return (yield from shipments.poll_shipments(self._service))

    def settle_shipments(self, taken: Mapping[str, str]) -> Exchange[None]:
        """Answer each entry, so that it waits no longer."""
        yield from shipments.settle_shipments(self._service, taken)
