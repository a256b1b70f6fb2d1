"""Cancelling an order in the ERP: one call, and what its answers mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from mappings.erps.generic_rest.formats import MISSING, Format, garbled, nest, pick, read_object
from mappings.erps.generic_rest.reply import spell
from mappings.erps.generic_rest.settings import SuccessRule, order_id_name
from mappings.errors import PermanentError
from mappings.model import ErpDocument
from mappings.wire import HttpCall, HttpReply, check_status

CODE = "generic_rest.cancel"

_NO_PATH = "No cancel_path is set for this ERP: cancel the order there by hand"
_NOT_FOUND = "The ERP knows no such order, or has nothing at cancel_path: look into the ERP, cancel there by hand"
_TOO_LATE = "The ERP does not let the order be cancelled any more: see there whether it is shipped or invoiced"


@dataclass(frozen=True, slots=True)
class CancelForm:
    """How one ERP is asked to cancel. `url` is empty where it cannot be asked.

    `is_cancelled` is how an answer tells that the order was cancelled before; `success` is the rule for a 200.
    """

    form: Format
    root: str
    url: str
    method: str
    order_id_field: str
    constants: Mapping[str, str]
    is_cancelled: SuccessRule | None
    success: SuccessRule | None

    @classmethod
    def of(
        cls, values: Mapping[str, Any], form: Format, success: SuccessRule | None, is_cancelled: SuccessRule | None
    ) -> CancelForm:
        """What a connector's settings describe."""
        return cls(
            form=form,
            root=values["xml_root"],
            url=values["base_url"] + values["cancel_path"] if values["cancel_path"] else "",
            method=values["cancel_method"].upper(),
            order_id_field=order_id_name(values),
            constants=values["cancel_fields"] or {},
            is_cancelled=is_cancelled,
            success=success,
        )

    @property
    def needs_erp_no(self) -> bool:
        return "{erp_no}" in self.url

    def call(self, document: ErpDocument) -> HttpCall:
        """The call; raises PermanentError where the ERP cannot be asked, or the document has no number to ask by."""
        if not self.url:
            raise PermanentError(f"{CODE}.cannot_cancel", _NO_PATH)
        if self.needs_erp_no and not document.erp_no:
            raise PermanentError(f"{CODE}.not_found", _NOT_FOUND)
        url = self.url.replace("{external_ref}", quote(document.external_ref, safe=""))
        headers, body = {"Accept": self.form.media_type}, b""
        if self.method != "DELETE":
            headers["Content-Type"] = f"{self.form.media_type}; charset=utf-8"
            body = self.form.write(self.root, nest({self.order_id_field: document.external_ref, **self.constants}))
        return HttpCall(
            operation="cancel_order",
            method=self.method,
            url=url.replace("{erp_no}", quote(document.erp_no, safe="")),
            headers=headers,
            body=body,
        )

    def read(self, reply: HttpReply) -> None:
        """Return when the order is cancelled, by this call or before. Raises any PeerError but DuplicateError."""
        if 400 <= reply.status < 500 and self._says_cancelled(reply):
            return
        number, text = str(reply.status), reply.text()[:200]
        if reply.status in (404, 410):
            raise PermanentError(f"{CODE}.not_found", _NOT_FOUND, peer_code=number, peer_text=text)
        if reply.status == 409:
            raise PermanentError(f"{CODE}.too_late", _TOO_LATE, peer_code=number, peer_text=text)
        check_status(reply, CODE)
        self._check_success(reply)

    def _says_cancelled(self, reply: HttpReply) -> bool:
        if self.is_cancelled is None:
            return False
        try:
            answer = self.form.read(reply.body)
        except ValueError:
            return False
        return self.is_cancelled.accepts(pick(answer, self.is_cancelled.field))

    def _check_success(self, reply: HttpReply) -> None:
        """A 200 counts unless the ERP says no inside it; an empty body is a success where no field is to tell."""
        if not reply.text().strip() and self.success is None:
            return
        answer = read_object(self.form, reply, CODE, changes_peer=True)
        if self.success is None or self._says_cancelled(reply):
            return
        value = pick(answer, self.success.field)
        if value is MISSING:
            why = f"The reply has no field {self.success.field!r} to tell success"
            raise garbled(self.form, reply, CODE, changes_peer=True, why=why)
        if not self.success.accepts(value):
            message = "The ERP answered that it did not cancel the order"
            raise PermanentError(f"{CODE}.rejected", message, peer_code=str(value)[:50], peer_text=spell(answer))
