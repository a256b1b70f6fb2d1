"""The connector: a sale is looked for, made once, quoted and confirmed; Tryton's database refuses the second one."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import ClassVar

from mappings.connector import Config, Spec
from mappings.erps.tryton.explain import explain_sale
from mappings.erps.tryton.masters import choose_warehouse, find_customer, find_products, find_web_shop
from mappings.erps.tryton.order import AREA as CREATE
from mappings.erps.tryton.order import check_currency, check_customer, lines_of, write_sale
from mappings.erps.tryton.protocol import RestDoor, read_record, read_rows, said_no
from mappings.erps.tryton.sale import FIELDS, RELEASED, Sale
from mappings.erps.tryton.settings import SETTINGS, TrytonSettings
from mappings.erps.tryton.stock import read_figures
from mappings.errors import PermanentError, UncertainError
from mappings.explaining import Explained
from mappings.model import ErpDocument, ErpOrder, StockFigure
from mappings.wire import Exchange, HttpReply

CONFIRM, CANCEL = "tryton.confirm", "tryton.cancel"

_TOO_LATE = "Tryton has made shipment or invoice of this sale already: cancel those there, then the sale, and resolve"
_GONE = "Tryton has no sale of this order any more: look there whether somebody deleted it, then resolve"


class TrytonErp:
    """Tryton 8. `repeat_is_safe`: a repeated create is refused by the database, and the first sale is adopted."""

    spec: ClassVar[Spec] = Spec(
        name="tryton",
        kind="erp",
        title_en="Tryton",
        title_zh="Tryton",
        settings=SETTINGS,
        repeat_is_safe=True,
        needs_confirm=True,
    )

    def __init__(self, config: Config) -> None:
        """Raises ValueError when settings that are right alone do not fit together."""
        self._settings = TrytonSettings.of(config)
        root = f"{self._settings.base_url}/{self._settings.database}/rest/model"
        self._door = RestDoor(root, self._settings.key)

    def find(self, external_ref: str) -> Exchange[ErpDocument | None]:
        """The web shop's sale under our number; never raises UncertainError."""
        return (yield from self._find_sale(external_ref, CREATE))

    def create(self, order: ErpOrder) -> Exchange[ErpDocument]:
        """Make the sale as a draft; a refusal is followed by a look whether it is there. Raises any PeerError."""
        wanted = {line.sku for line in lines_of(order, self._settings)}
        shop = yield from find_web_shop(self._door, self._settings, CREATE)
        check_currency(shop, self._settings)
        warehouse = choose_warehouse(shop, self._settings, CREATE)
        customer = yield from find_customer(self._door, self._settings, CREATE)
        check_customer(shop, customer)
        products = yield from find_products(self._door, wanted, CREATE)
        values = write_sale(order, self._settings, shop, customer, warehouse, products)
        reply = yield self._door.post("create_order", "sale.sale", values, FIELDS)
        return (yield from self._read_created(reply, order.external_ref))

    def explain(self, order: ErpOrder) -> tuple[Explained, ...]:
        """Each field of the sale that `create` would make, and where it comes from; Tryton is not asked."""
        return tuple(explain_sale(order, self._settings))

    def confirm(self, document: ErpDocument) -> Exchange[ErpDocument]:
        """Quote and confirm, as far as that was not done; Tryton then reserves the goods. Raises any PeerError."""
        sale = document if isinstance(document, Sale) else (yield from self._find_sale(document.external_ref, CONFIRM))
        if sale is None:
            raise PermanentError(f"{CONFIRM}.not_found", _GONE)
        if sale.state == "draft":
            sale = yield from self._press("quote", sale, CONFIRM)
        if sale.state == "quotation":
            sale = yield from self._press("confirm", sale, CONFIRM)
        if sale.state == "cancelled":
            message = "The sale was cancelled in Tryton. To let it go on set it to draft there and retry, or resolve"
            raise PermanentError(f"{CONFIRM}.cancelled_there", message, **sale.said())
        if sale.state not in RELEASED:
            message = "Tryton did not confirm the sale and does not say why: confirm it there, then retry"
            raise PermanentError(f"{CONFIRM}.not_confirmed", message, **sale.said())
        return sale

    def cancel(self, document: ErpDocument) -> Exchange[None]:
        """Cancel the sale, over draft where it is confirmed; one in work is for a person. Raises any PeerError."""
        sale = yield from self._find_sale(document.external_ref, CANCEL)
        if sale is None:
            raise PermanentError(f"{CANCEL}.not_found", _GONE)
        if sale.state == "confirmed":
            sale = yield from self._press("draft", sale, CANCEL)
        if sale.state in ("draft", "quotation"):
            sale = yield from self._press("cancel", sale, CANCEL)
        if sale.state != "cancelled":
            raise PermanentError(f"{CANCEL}.too_late", _TOO_LATE, **sale.said())

    def read_stock(self, since: datetime | None, skus: Collection[str] = ()) -> Exchange[tuple[StockFigure, ...]]:
        """What the web shop's warehouses can still promise, of every product for sale: Tryton tells no changes."""
        return (yield from read_figures(self._door, self._settings))

    def _find_sale(self, external_ref: str, area: str) -> Exchange[Sale | None]:
        domain = [["web_shop.name", "=", self._settings.web_shop], ["web_id", "=", external_ref]]
        reply = yield self._door.search("find_order", "sale.sale", domain, FIELDS)
        _refuse(reply, area, "Tryton does not let our user see sales: give it the group Sales there")
        rows = read_rows(reply, area)
        if len(rows) > 1:
            message = "Tryton holds this order more than once: cancel the surplus there, and take its web ID away"
            raise PermanentError(f"{area}.found_twice", message, peer_text=f"{len(rows)} sales")
        return Sale.of(rows[0], external_ref, adopted=True) if rows else None

    def _read_created(self, reply: HttpReply, external_ref: str) -> Exchange[Sale]:
        """Every refusal is a 400, also that of a second sale: only a look can tell."""
        record = None if reply.status == 400 else read_record(reply, CREATE)
        if record is not None:
            return Sale.of(record, external_ref)
        found = yield from self._find_sale(external_ref, CREATE)
        if found is None:
            _refuse(reply, CREATE, "Tryton refuses the sale. Correct there what it names, then retry")
            read_record(reply, CREATE)  # a 400 that is none of Tryton's
            raise UncertainError(
                f"{CREATE}.garbled", "Tryton's answer shows no sale, and it finds none", peer_code=str(reply.status)
            )
        return found

    def _press(self, button: str, sale: Sale, area: str) -> Exchange[Sale]:
        """Press a button; Tryton leaves a sale as it is whose state has moved on meanwhile, and shows that state."""
        reply = yield self._door.post(f"{button}_order", f"sale.sale/{sale.id}/{button}", {}, FIELDS)
        _refuse(reply, area, f"Tryton does not let the sale be changed ({button}). Correct there what it names, retry")
        record = read_record(reply, area)
        if record is None:
            raise UncertainError(f"{area}.garbled", "Tryton does not show the sale", peer_code=str(reply.status))
        return Sale.of(record, sale.external_ref, adopted=sale.adopted)


def _refuse(reply: HttpReply, area: str, message: str) -> None:
    """Raise PermanentError where Tryton itself says no."""
    if why := said_no(reply):
        raise PermanentError(f"{area}.rejected", message, peer_code="400", peer_text=why[:200])
