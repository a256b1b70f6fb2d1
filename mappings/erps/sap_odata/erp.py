"""The connector: one deep insert creates, one filter looks up, items are rejected to cancel."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import ClassVar

from mappings.connector import Config, Spec
from mappings.erps.sap_odata.access import SapAccess
from mappings.erps.sap_odata.cancel import reject_items
from mappings.erps.sap_odata.explain import explain_order
from mappings.erps.sap_odata.odata import address, literal
from mappings.erps.sap_odata.order import reference, write_order
from mappings.erps.sap_odata.products import check_materials
from mappings.erps.sap_odata.reply import ORDER_AREA, LostAnswer, read_created, read_found
from mappings.erps.sap_odata.settings import SETTINGS, SETTLE_S, SapSettings
from mappings.erps.sap_odata.shapes import ORDER
from mappings.erps.sap_odata.stock import SKUS_AT_ONCE, read_stock
from mappings.errors import PermanentError, UncertainError
from mappings.explaining import Explained
from mappings.model import ErpDocument, ErpOrder, StockFigure
from mappings.wire import Exchange

_FOUND_FIELDS = "SalesOrder,PurchaseOrderByCustomer,OverallSDDocumentRejectionSts"


class SapOdataErp:
    """SAP takes the same order twice without a word, so that each create wants a look before (`finds_first`)."""

    spec: ClassVar[Spec] = Spec(
        name="sap_odata",
        kind="erp",
        title_en="SAP S/4HANA (OData)",
        title_zh="SAP S/4HANA（OData）",
        settings=SETTINGS,
        finds_first=True,
        settle_s=lambda config: config.get("settle_s", SETTLE_S),
        skus_at_once=SKUS_AT_ONCE,
        stock_is_physical=True,
    )

    def __init__(self, config: Config) -> None:
        """Raises ValueError when settings that are right alone do not fit together."""
        self._given = SapSettings.of(config)
        self._access = SapAccess(self._given)

    def find(self, external_ref: str) -> Exchange[ErpDocument | None]:
        """Look the order up under PurchaseOrderByCustomer of our customer. Never raises UncertainError."""
        wanted = f"PurchaseOrderByCustomer eq {literal(reference(external_ref))} and SoldToParty eq "
        options = {
            **self._given.options,
            "$filter": wanted + literal(self._given.sold_to),
            "$select": _FOUND_FIELDS,
            "$orderby": "SalesOrder",
        }
        reply = yield from self._access.read("find_order", address(self._given.order_service, ORDER, options))
        return read_found(reply, external_ref)

    def create(self, order: ErpOrder) -> Exchange[ErpDocument]:
        """Create the order in one call, once its materials are known to be there (`product_path`). Raises any PeerError
        but DuplicateError: SAP knows no duplicates.

        Where the answer was lost, SAP may commit the order a moment later: the next look waits for that.
        """
        body = write_order(order, self._given)
        if self._given.product_path:
            materials = [item["Material"] for item in body["to_Item"]]
            yield from check_materials(self._access, self._given, materials)
        url = address(self._given.order_service, ORDER, self._given.options)
        try:
            reply = yield from self._access.change(ORDER_AREA, "create_order", "POST", url, body)
            return read_created(reply, order.external_ref)
        except UncertainError as lost:
            raise LostAnswer(lost, self._given.settle_s) from None

    def explain(self, order: ErpOrder) -> tuple[Explained, ...]:
        """Each field that `create` would send, and where it comes from."""
        return tuple(explain_order(order, self._given))

    def confirm(self, document: ErpDocument) -> Exchange[ErpDocument]:
        """Nothing to do: a created order is delivered unless SAP blocks it."""
        yield from ()
        return document

    def cancel(self, document: ErpDocument) -> Exchange[None]:
        """Reject all items with the reason of the settings; without one a person does. Raises any PeerError."""
        if not document.erp_no:
            found = yield from self.find(document.external_ref)
            if found is None:
                message = "SAP finds no sales order under the shop's order number: look there, cancel it by hand"
                raise PermanentError("sap_odata.cancel.not_found", message)
            document = found
        yield from reject_items(document.erp_no, self._access, self._given)

    def read_stock(self, since: datetime | None, skus: Collection[str] = ()) -> Exchange[tuple[StockFigure, ...]]:
        """What lies there of `skus`, or of every material; SAP does not say what changed since, so `since` is not
        asked for. Never raises UncertainError."""
        return (yield from read_stock(self._access, self._given, skus))
