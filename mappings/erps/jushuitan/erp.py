"""The connector: one upload an order, looked up and cancelled by the numbers that both sides keep."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, ClassVar

from mappings.connector import Config, Spec
from mappings.erps.jushuitan import cancel, shipments, stock
from mappings.erps.jushuitan.order import AREA, upload_row
from mappings.erps.jushuitan.service import RULES, Service
from mappings.erps.jushuitan.settings import SPEC, JushuitanSettings
from mappings.errors import PeerError, PermanentError
from mappings.explaining import Explained
from mappings.field_sources import explain_fields, read_rows
from mappings.fields import objects_in, text_of
from mappings.model import ErpDocument, ErpOrder, ErpShipment, StockFigure
from mappings.rulings import garbled
from mappings.wire import Exchange

UPLOAD = "/open/jushuitan/orders/upload"
FIELDS = read_rows(__package__)


class JushuitanErp:
    """The Jushuitan connector. Raises ValueError when its settings do not fit together."""

    spec: ClassVar[Spec] = SPEC

    def __init__(self, config: Config) -> None:
        self.settings = JushuitanSettings.of(config)
        self._service = Service(self.settings)

    def find(self, external_ref: str) -> Exchange[ErpDocument | None]:
        """Look the order up by our number; what is found existed before, so it is `adopted`."""
        held = yield from cancel.held_orders(self._service, external_ref, AREA)
        return cancel.document_of(held, external_ref)

    def create(self, order: ErpOrder) -> Exchange[ErpDocument]:
        """Upload one order. Jushuitan keeps one for a shop and number: a repeat brings the number of the first."""
        row = upload_row(order, self.settings)
        if self.settings.check_skus:
            yield from stock.check_skus(self._service, {item["sku_id"] for item in row["items"]}, AREA)
        data = yield from self._service.ask("create_order", UPLOAD, lambda now: [row], AREA)
        return _read_row(data, order.external_ref)

    def explain(self, order: ErpOrder) -> tuple[Explained, ...]:
        """Each field that `create` would tell of the order, and where it comes from; nobody is asked."""
        return tuple(explain_fields(upload_row(order, self.settings), FIELDS))

    def confirm(self, document: ErpDocument) -> Exchange[ErpDocument]:
        """Nothing to do: staff there release what was uploaded, or a rule of theirs."""
        yield from ()
        return document

    def cancel(self, document: ErpDocument) -> Exchange[None]:
        """Cancel the order, or all its parts; Jushuitan is asked first how it stands."""
        yield from cancel.cancel(self._service, document)

    def read_stock(self, since: datetime | None, skus: Collection[str] = ()) -> Exchange[tuple[StockFigure, ...]]:
        """What can be sold of these SKUs, or of those that changed since."""
        return (yield from stock.read_stock(self._service, since, skus))

    def poll_shipments(self, since: datetime) -> Exchange[tuple[ErpShipment, ...]]:
        """What its warehouses sent of our shop's orders; never raises UncertainError."""
        return (yield from shipments.read_shipments(self._service, since))

    def settle_shipments(self, taken: Mapping[str, str]) -> Exchange[None]:
        """Nobody is told: Jushuitan does not ask what became of them."""
        yield from ()


def _read_row(data: Mapping[str, Any], external_ref: str) -> ErpDocument:
    """A good answer says no more than that it was read: each order has its own yes or no."""
    rows = [row for row in objects_in(data.get("datas")) if text_of(row, "so_id") == external_ref]
    said = text_of(rows[0], "issuccess").lower() if rows else ""
    if said == "true":
        o_id = text_of(rows[0], "o_id")
        return ErpDocument("" if o_id == "0" else o_id, external_ref)
    if said == "false":
        raise _refusal(text_of(rows[0], "msg"))
    raise garbled(AREA, "Jushuitan's answer does not say what became of the order")


def _refusal(text: str) -> PeerError:
    """What a row's own words mean."""
    ruling = RULES.judge_words(text)
    if ruling.cls != "permanent":
        return RULES.error(ruling, AREA, "", text)
    return PermanentError(
        f"{AREA}.rejected",
        "Jushuitan refuses the order in its own words; nothing was entered there. Correct it, then retry",
        peer_text=text[:200],
    )
