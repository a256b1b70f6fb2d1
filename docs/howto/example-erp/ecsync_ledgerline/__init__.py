"""Ledgerline: an ERP connector of a third party, as an example. The ERP is made up; the connector is complete."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, ClassVar
from urllib.parse import quote, urlencode

from mappings.connector import Config, Setting, Spec
from mappings.errors import DuplicateError, PermanentError, UncertainError
from mappings.model import ErpDocument, ErpOrder, StockFigure
from mappings.wire import Exchange, HttpCall, HttpReply, check_status, parse_base_url, read_json_object

SPEC = Spec(
    name="ledgerline",
    kind="erp",
    title_en="Ledgerline (example)",
    title_zh="Ledgerline（示例）",
    settings=(
        Setting("base_url", "Address", "接口地址", required=True, parse=parse_base_url),
        Setting("token", "Access token", "访问令牌", required=True, secret=True, parse=str.strip),
        Setting(
            "customer", "Customer that web orders are booked on", "网店订单记入的客户", required=True, parse=str.strip
        ),
    ),
    rate_per_s=5,
)

PAGE = 200


class LedgerlineErp:
    """The connector: it says what to send and reads what came back, and never sends anything itself."""

    spec: ClassVar[Spec] = SPEC

    def __init__(self, config: Config) -> None:
        self.config = config

    def _call(self, operation: str, method: str, path: str, fields: Mapping[str, Any] | None = None) -> HttpCall:
        token = str(self.config["token"])
        return HttpCall(
            operation,
            method,
            f"{self.config['base_url']}{path}",
            {"authorization": f"Bearer {token}", "content-type": "application/json"},
            b"" if fields is None else json.dumps(fields, ensure_ascii=False).encode(),
            changes_peer=method != "GET",
            secrets=(token,),
        )

    # --- one order, one document

    def find(self, external_ref: str) -> Exchange[ErpDocument | None]:
        """The one document under our reference. A failed read is never uncertain."""
        reply = yield self._call("find_order", "GET", f"/v1/orders?{urlencode({'reference': external_ref})}")
        check_status(reply, "ledgerline.order", changes_peer=False)
        answer = read_json_object(reply, "ledgerline.order", changes_peer=False)
        held = [row for row in _rows(answer, "orders") if row.get("reference") == external_ref]
        if len(held) > 1:
            raise PermanentError("ledgerline.order.found_twice", "Ledgerline holds this order twice: cancel one there")
        return ErpDocument(_number(held[0]), external_ref, adopted=True) if held else None

    def create(self, order: ErpOrder) -> Exchange[ErpDocument]:
        """Ledgerline refuses a reference that it holds: then that document is ours."""
        reply = yield self._call("create_order", "POST", "/v1/orders", self._document(order))
        if reply.status == 409:
            found = yield from self.find(order.external_ref)
            if found is None:
                message = "Ledgerline says that it holds this order, and does not find it"
                raise DuplicateError("ledgerline.order.duplicate", message, peer_code="409")
            return found
        _refuse_unknown_sku(reply)
        check_status(reply, "ledgerline.order")
        number = _number(read_json_object(reply, "ledgerline.order"))
        if not number:
            raise UncertainError("ledgerline.order.number_missing", "Ledgerline took the order and named no number")
        return ErpDocument(number, order.external_ref)

    def confirm(self, document: ErpDocument) -> Exchange[ErpDocument]:
        """Nothing to do: Ledgerline delivers what it took."""
        yield from ()
        return document

    # --- cancelling

    def cancel(self, document: ErpDocument) -> Exchange[None]:
        """That it is cancelled already is a success; that it is shipped is for a person."""
        path = f"/v1/orders/{quote(document.external_ref, safe='')}/cancel"
        reply = yield self._call("cancel_order", "POST", path, {})
        if reply.status == 409 and _error(reply) == "cancelled":
            return
        if reply.status == 409:
            message = "Ledgerline does not cancel the order any more: settle it there"
            raise PermanentError("ledgerline.cancel.too_late", message, peer_code="409", peer_text=_error(reply))
        check_status(reply, "ledgerline.cancel")
        read_json_object(reply, "ledgerline.cancel")  # a proxy's page with 200 is no yes

    # --- stock

    def read_stock(self, since: datetime | None, skus: Collection[str] = ()) -> Exchange[tuple[StockFigure, ...]]:
        """All pages. What Ledgerline does not know is left out, and never a zero."""
        figures: list[StockFigure] = []
        asked: dict[str, object] = {"limit": PAGE} | ({} if since is None else {"since": _iso(since)})
        while True:
            query = urlencode({**asked, "offset": len(figures)})
            reply = yield self._call("read_stock", "GET", f"/v1/stock?{query}")
            check_status(reply, "ledgerline.stock", changes_peer=False)
            rows = _rows(read_json_object(reply, "ledgerline.stock", changes_peer=False), "stock")
            figures += [_figure(row) for row in rows]
            if len(rows) < PAGE:
                return tuple(figures)

    # --- the document

    def _document(self, order: ErpOrder) -> dict[str, Any]:
        if not order.order.lines or any(not line.sku.strip() for line in order.order.lines):
            message = "An order line has no SKU: complete the goods number in the shop"
            raise PermanentError("ledgerline.order.sku_missing", message)
        return {
            "reference": order.external_ref,
            "customer": self.config["customer"],
            "date": date.fromisoformat(order.order_date).isoformat(),
            "total": _yuan(order.order.total_fen),
            "lines": [
                {"sku": line.sku, "count": line.quantity, "price": _yuan(line.price_fen)} for line in order.order.lines
            ],
        }


def _yuan(fen: int) -> str:
    """Exact: only the decimal point moves."""
    return f"{Decimal(fen).scaleb(-2):f}"


def _iso(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _rows(answer: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    rows = answer.get(name)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise PermanentError("ledgerline.answer.list_missing", f"Ledgerline's answer has no list {name!r}")
    return rows


def _number(row: Mapping[str, Any]) -> str:
    number = row.get("number")
    return number if isinstance(number, str) else ""


def _figure(row: Mapping[str, Any]) -> StockFigure:
    sku, free = row.get("sku"), row.get("free")
    if not isinstance(sku, str) or not isinstance(free, int) or isinstance(free, bool):
        raise PermanentError(
            "ledgerline.stock.figure_unreadable", "A stock row has no SKU, or no whole number of pieces"
        )
    return StockFigure(sku, free)


def _error(reply: HttpReply) -> str:
    try:
        said = json.loads(reply.body)
    except ValueError:
        return ""
    return str(said.get("error", ""))[:200] if isinstance(said, dict) else ""


def _refuse_unknown_sku(reply: HttpReply) -> None:
    if reply.status == 422 and _error(reply) == "unknown_sku":
        message = "Ledgerline does not know a SKU of the order: enter the material there, then retry"
        raise PermanentError("ledgerline.order.sku_unknown", message, peer_code="422", peer_text=reply.text()[:200])
