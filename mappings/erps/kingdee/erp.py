"""The connector: looked for, saved, then submitted and audited by calls of their own; voided only where that is set."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from mappings.connector import Config, Spec
from mappings.erps.kingdee.explain import explain_save
from mappings.erps.kingdee.masters import check_customer, check_materials
from mappings.erps.kingdee.order import AREA as CREATE
from mappings.erps.kingdee.order import FORM, lines_of, write_save
from mappings.erps.kingdee.service import Service, number_of, quoted, read_status
from mappings.erps.kingdee.settings import SETTINGS, KingdeeSettings
from mappings.erps.kingdee.signing import Signer
from mappings.erps.kingdee.stock import read_figures
from mappings.errors import PermanentError
from mappings.explaining import Explained
from mappings.model import ErpDocument, ErpOrder, StockFigure
from mappings.wire import Exchange

CONFIRM, CANCEL = "kingdee.confirm", "kingdee.cancel"

_GONE = "Kingdee has no order of this number any more: look there whether somebody deleted it, then resolve"
_BY_HAND = "CANCEL is by_hand: void the order in Kingdee, then resolve; or set CANCEL to void and retry"
_SUBMITTED = "The order waits for approval in Kingdee: take it back and void it there, then resolve"
_VOIDED = "The order was voided in Kingdee. To let it go on restore it there and retry, or resolve"


@dataclass(frozen=True, slots=True)
class Bill(ErpDocument):
    """A sales order as its states were seen: A made, B submitted, C audited, D to be audited anew, Z a mere draft."""

    state: str = "A"
    is_void: bool = False


class KingdeeErp:
    """K3Cloud, beta. `finds_first`: a number in a field of the tenant's own is not unique there."""

    spec: ClassVar[Spec] = Spec(
        name="kingdee",
        kind="erp",
        title_en="Kingdee K3Cloud (beta)",
        title_zh="金蝶云星空（测试版）",
        settings=SETTINGS,
        finds_first=True,
        needs_confirm=True,
        stock_is_physical=True,
    )

    def __init__(self, config: Config) -> None:
        self._settings = KingdeeSettings.of(config)
        given = self._settings
        self._service = Service(given.base_url, Signer(given.app_id, given.app_secret, given.app_data))

    def find(self, external_ref: str) -> Exchange[ErpDocument | None]:
        """The sales order under our number; never raises UncertainError."""
        return (yield from self._find_bill(external_ref, CREATE))

    def create(self, order: ErpOrder) -> Exchange[ErpDocument]:
        """Save the order once its numbers are known there; a refusal is followed by a look whether it is there.

        Raises any PeerError.
        """
        save = write_save(order, self._settings)
        if self._settings.check_numbers:
            yield from check_materials(self._service, (line.sku for line in lines_of(order, self._settings)))
            yield from check_customer(self._service, self._settings.customer)
        reply = yield self._service.call("create_order", "Save", save)
        try:
            status = read_status(reply, CREATE)
        except PermanentError:
            found = yield from self._find_bill(order.external_ref, CREATE)
            if found is None:
                raise
            return found
        return Bill(number_of(status) or self._usual_number(order.external_ref), order.external_ref)

    def explain(self, order: ErpOrder) -> tuple[Explained, ...]:
        """Each field that `create` would save, and where it comes from."""
        return tuple(explain_save(order, self._settings))

    def confirm(self, document: ErpDocument) -> Exchange[ErpDocument]:
        """Submit and audit, as far as RELEASE says and it was not done. Raises any PeerError."""
        bill = document if isinstance(document, Bill) and document.erp_no else None
        bill = bill or (yield from self._find_bill(document.external_ref, CONFIRM))
        if bill is None:
            raise PermanentError(f"{CONFIRM}.not_found", _GONE)
        if bill.is_void:
            raise PermanentError(f"{CONFIRM}.cancelled_there", _VOIDED, peer_text=bill.erp_no)
        if bill.state not in "BC" and self._settings.release != "save":
            yield from self._do("submit_order", "Submit", bill, CONFIRM)
        if bill.state != "C" and self._settings.release == "audit":
            yield from self._do("audit_order", "Audit", bill, CONFIRM)
        return bill

    def cancel(self, document: ErpDocument) -> Exchange[None]:
        """Take the audit back and void the order, where CANCEL is void; else a person does. Raises any PeerError."""
        bill = yield from self._find_bill(document.external_ref, CANCEL)
        if bill is None:
            raise PermanentError(f"{CANCEL}.not_found", _GONE)
        if bill.is_void:
            return
        if self._settings.cancel == "by_hand":
            raise PermanentError(f"{CANCEL}.cannot_cancel", _BY_HAND, peer_text=bill.erp_no)
        if bill.state == "B":
            raise PermanentError(f"{CANCEL}.too_late", _SUBMITTED, peer_text=bill.erp_no)
        if bill.state == "C":
            yield from self._do("unaudit_order", "UnAudit", bill, CANCEL)
        yield from self._do("cancel_order", "ExcuteOperation", bill, CANCEL, opNumber="Cancel")

    def read_stock(self, since: datetime | None, skus: Collection[str] = ()) -> Exchange[tuple[StockFigure, ...]]:
        """What lies in each warehouse, of every material."""
        return (yield from read_figures(self._service, self._settings))

    def _find_bill(self, external_ref: str, area: str) -> Exchange[Bill | None]:
        fields = ("FBillNo", "FDocumentStatus", "FCancelStatus")
        where = f"{self._settings.number_field} = {quoted(external_ref)}"
        rows = yield from self._service.read("find_order", area, FORM, fields, where)
        if len(rows) > 1:
            raise PermanentError(
                f"{area}.found_twice",
                "Kingdee holds this order more than once: void the surplus there",
                peer_text=", ".join(sorted(str(number) for number, _, _ in rows)),
            )
        for number, state, cancelled in rows:
            return Bill(str(number), external_ref, adopted=True, state=str(state), is_void=cancelled == "B")
        return None

    def _do(self, operation: str, verb: str, bill: Bill, area: str, **more: str) -> Exchange[None]:
        body: Mapping[str, object] = {"formid": FORM, **more, "data": {"Numbers": [bill.erp_no]}}
        read_status((yield self._service.call(operation, verb, body)), area)

    def _usual_number(self, external_ref: str) -> str:
        """Where our number is the bill's own, it is known even if the answer does not repeat it."""
        return external_ref if self._settings.number_field == "FBillNo" else ""
