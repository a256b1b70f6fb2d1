"""The connector: PI takes an order for SAP, a look-up brings SAP's number.

What becomes of an order whose answer was lost depends on the sender. `http` repeats it under the same message ID, which
PI drops; so do `soap` and `rest` where the merchant declares `duplicate_check`. Without it an order is never repeated
before a look-up (`find_url`) has found none some minutes later; and where there is no look-up, a person looks.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import ClassVar
from urllib.parse import quote

from mappings.bill import whole_lines
from mappings.connector import Config, Spec
from mappings.erps.sap_pi.cancel import cancel_call, read_cancelled
from mappings.erps.sap_pi.envelope import Carriage, basic_auth
from mappings.erps.sap_pi.explain import explain_order
from mappings.erps.sap_pi.lookup import read_found, read_known, read_pushed
from mappings.erps.sap_pi.order import private_texts, write_order_idoc, write_order_json
from mappings.erps.sap_pi.reply import read_accepted
from mappings.erps.sap_pi.settings import SETTINGS, SETTLE_S, check_together, tells_numbers
from mappings.errors import PermanentError, UncertainError, UndecidedError
from mappings.explaining import Explained
from mappings.model import ErpDocument, ErpOrder, StockFigure
from mappings.parsing import fill_in
from mappings.wire import Exchange, HttpCall, HttpReply


class SapPiErp:
    """SAP behind PI or PO. `repeat_is_safe` stays False: it depends on the sender, and `find` answers accordingly."""

    spec: ClassVar[Spec] = Spec(
        name="sap_pi",
        kind="erp",
        title_en="SAP by PI/PO (ORDERS05)",
        title_zh="SAP PI/PO（ORDERS05）",
        settings=SETTINGS,
        numbers_later=True,
        tells_numbers=tells_numbers,
        pushes_numbers=lambda config: bool(config.get("ordrsp_pushed")),
        settle_s=lambda config: config.get("settle_s", SETTLE_S) if config.get("find_url") else 0,
        reads_stock=False,
    )

    def __init__(self, config: Config) -> None:
        """Raises ValueError when settings that are right alone do not fit together."""
        self._values = fill_in(self.spec.settings, config)
        check_together(self._values)
        self._carriage = Carriage(self._values)

    def find(self, external_ref: str) -> Exchange[ErpDocument | None]:
        """SAP's document under our number. Without `find_url`: None where a repeat is safe, else PermanentError.

        Never raises UncertainError.
        """
        if not self._values["find_url"]:
            if self._carriage.is_safe:
                return None
            raise _outcome_unknown(external_ref)
        reply = yield self._question("find_order", "find_url", "{external_ref}", external_ref)
        return read_found(reply, external_ref, self._values)

    def create(self, order: ErpOrder) -> Exchange[ErpDocument]:
        """Hand the order to PI, once SAP is known to have its materials (`sku_url`).

        The document is without a number as a rule. Raises any PeerError but DuplicateError.
        """
        is_json = self._values["payload"] == "json"
        payload = write_order_json(order) if is_json else write_order_idoc(order, self._values)
        if self._values["sku_url"]:
            yield from self._check_skus(order)
        try:
            reply = yield self._carriage.call(payload, order.idempotency_key, private_texts(order))
            return read_accepted(reply, order.external_ref, self._values)
        except UncertainError as lost:
            if self._carriage.is_safe or not self._values["find_url"]:
                raise
            raise _ask_later(lost, self._values["settle_s"]) from None

    def _check_skus(self, order: ErpOrder) -> Exchange[None]:
        """Raise PermanentError before anything is sent: PI takes whatever comes, and in SAP the IDoc fails later."""
        unknown: list[str] = []
        for sku in dict.fromkeys(line.sku.strip() for line in whole_lines(order.order)):
            reply = yield self._question("check_skus", "sku_url", "{sku}", sku)
            unknown += [] if read_known(reply) else [sku]
        if unknown:
            raise PermanentError(
                "sap_pi.order.sku_unknown",
                f"SAP does not know the goods number {', '.join(unknown)}; nothing was sent. Create it there, or "
                "correct the goods number in the shop, then retry",
            )

    def _question(self, operation: str, setting: str, place: str, asked: str) -> HttpCall:
        """A read at the address of a setting, with what is asked for in its place."""
        headers, secrets = basic_auth(self._values)
        return HttpCall(
            operation=operation,
            method="GET",
            url=self._values[setting].replace(place, quote(asked, safe="")),
            headers={**headers, "Accept": "application/json, application/xml, text/xml"},
            changes_peer=False,
            secrets=secrets,
        )

    def explain(self, order: ErpOrder) -> tuple[Explained, ...]:
        """Each field of the IDoc, or of the JSON, that `create` would send, and where it comes from."""
        return explain_order(order, self._values)

    def verify_callback(self, body: bytes, content_type: str) -> None:
        """That a push is an ORDRSP or its numbers in JSON. Raises CallbackRefused."""
        read_pushed(body, self._values)

    def read_numbers(self, body: bytes, content_type: str) -> tuple[ErpDocument, ...]:
        """The sales orders that an ORDRSP confirms. Raises CallbackRefused."""
        return read_pushed(body, self._values)

    def callback_reply(self, *, ok: bool, reason: str, now: datetime) -> HttpReply:
        """An empty 200; a refusal's reason stands in PI's message monitor."""
        return HttpReply(200 if ok else 400, {"content-type": "text/plain; charset=utf-8"}, reason.encode())

    def confirm(self, document: ErpDocument) -> Exchange[ErpDocument]:
        """Nothing to do: SAP releases what it has posted."""
        yield from ()
        return document

    def cancel(self, document: ErpDocument) -> Exchange[None]:
        """Ask SAP to cancel, where SAP's people made an address for that; raises any PeerError."""
        reply = yield cancel_call(document, self._values)
        read_cancelled(reply, self._values)

    def read_stock(self, since: datetime | None, skus: Collection[str] = ()) -> Exchange[tuple[StockFigure, ...]]:
        """PI gives none; raises PermanentError."""
        yield from ()
        raise PermanentError("sap_pi.stock.not_offered", "SAP PI gives no stock: take it from another ERP connector")


def _outcome_unknown(external_ref: str) -> PermanentError:
    return PermanentError(
        "sap_pi.order.outcome_unknown",
        f"Whether SAP holds order {external_ref} cannot be asked, so nothing more is sent for it. Look for it in PI's "
        f"message monitor and in SAP (VA05 by customer reference {external_ref}, WE02 for an IDoc that failed). If it "
        "should be there and is not, enter it by hand; if it should not, cancel it there; then resolve this line. With "
        "FIND_URL, or with DUPLICATE_CHECK=1 where PI or SAP drops repeats, a retry settles it by itself",
    )


def _ask_later(lost: UncertainError, settle_s: int) -> UndecidedError:
    """The same failure, to be looked up once SAP has had time to post the order: sooner, none found says nothing."""
    later = UndecidedError(
        lost.code, lost.message, retry_after_s=settle_s, peer_code=lost.peer_code, peer_text=lost.peer_text
    )
    later.peer_is_well = False  # a lost answer still counts against PI
    return later
