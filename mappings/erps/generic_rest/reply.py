"""Reading an ERP's answers without guessing: what is not recognised is never taken for an order."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mappings.erps.generic_rest.formats import (
    MISSING,
    UNDECODED,
    Format,
    garbled,
    pick,
    read_answer,
    read_object,
)
from mappings.erps.generic_rest.settings import SuccessRule, order_id_name
from mappings.errors import PermanentError
from mappings.model import ErpDocument
from mappings.wire import HttpReply, check_status

CODE = "generic_rest.order"
_NOT_UTF8 = "The ERP's number in the reply is not in UTF-8"


@dataclass(frozen=True, slots=True)
class AnswerForm:
    """Where one ERP's answers hold what we look for; all fields may be dotted paths."""

    form: Format
    order_id_field: str
    erp_no_field: str
    find_field: str
    find_erp_no_field: str
    sku_field: str
    success: SuccessRule | None

    @classmethod
    def of(cls, values: Mapping[str, Any], form: Format, success: SuccessRule | None) -> AnswerForm:
        """What a connector's settings describe."""
        return cls(
            form=form,
            order_id_field=order_id_name(values),
            erp_no_field=values["erp_no_field"],
            find_field=values["find_field"],
            find_erp_no_field=values["find_erp_no_field"] or values["erp_no_field"],
            sku_field=values["sku_field"],
            success=success,
        )

    def read_created(self, reply: HttpReply, external_ref: str) -> ErpDocument:
        """The document a push made; `erp_no` is empty when the answer does not tell it. Raises any PeerError."""
        check_status(reply, CODE)
        if not reply.text().strip() and self.success is None:
            return ErpDocument("", external_ref)
        answer = read_object(self.form, reply, CODE, changes_peer=True)
        self._check_success(answer, reply, changes_peer=True)
        return ErpDocument(self._erp_no(answer, self.erp_no_field, reply, changes_peer=True), external_ref)

    def read_found(self, reply: HttpReply, external_ref: str) -> ErpDocument | None:
        """The one document under our number, None when there is none. Never raises UncertainError: it was a read."""
        if reply.status in (204, 404):
            return None
        check_status(reply, CODE, changes_peer=False)
        answer = read_answer(self.form, reply, CODE, changes_peer=False)
        if isinstance(answer, dict):
            self._check_success(answer, reply, changes_peer=False)
        held = self.form.select(answer, self.find_field)
        if held is None or held == []:
            return None
        documents = held if isinstance(held, list) else [held]
        mine = [document for document in documents if self._is_mine(document, external_ref)]
        if len(mine) > 1:
            message = "The ERP holds this order more than once: cancel the surplus there"
            raise for_a_person(f"{CODE}.found_twice", message, reply)
        if not mine:
            message = "The look-up answered with something else: check find_path, find_field"
            raise for_a_person(f"{CODE}.found_other", message, reply)
        erp_no = self._erp_no(mine[0], self.find_erp_no_field, reply, changes_peer=False)
        return ErpDocument(erp_no, external_ref, adopted=True)

    def read_known(self, reply: HttpReply) -> bool:
        """Whether the ERP holds what it was asked for. Never raises UncertainError: it was a read."""
        if reply.status in (204, 404, 410):
            return False
        check_status(reply, CODE, changes_peer=False)
        answer = read_answer(self.form, reply, CODE, changes_peer=False)
        if isinstance(answer, dict) and answer:
            self._check_success(answer, reply, changes_peer=False)
        held = self.form.select(answer, self.sku_field)
        if held is MISSING:
            raise for_a_person(f"{CODE}.found_other", "The ERP answered for a SKU otherwise: check sku_field", reply)
        return bool(held)

    def _is_mine(self, document: object, external_ref: str) -> bool:
        """By our number; where the answer does not repeat it, an ERP number must at least be there."""
        order_id = pick(document, self.order_id_field)
        if order_id is MISSING:
            return bool(_number(pick(document, self.find_erp_no_field)))
        return _number(order_id) == external_ref

    def _erp_no(self, document: Any, path: str, reply: HttpReply, *, changes_peer: bool) -> str:
        number = _number(pick(document, path))
        if UNDECODED in number:
            raise garbled(self.form, reply, CODE, changes_peer=changes_peer, why=_NOT_UTF8)
        return number

    def _check_success(self, answer: dict[str, Any], reply: HttpReply, *, changes_peer: bool) -> None:
        if self.success is None:
            return
        value = pick(answer, self.success.field)
        if value is MISSING:
            why = f"The reply has no field {self.success.field!r} to tell success"
            raise garbled(self.form, reply, CODE, changes_peer=changes_peer, why=why)
        if not self.success.accepts(value):
            message = "The ERP answered that it did not succeed"
            raise PermanentError(f"{CODE}.rejected", message, peer_code=str(value)[:50], peer_text=spell(answer))


def for_a_person(code: str, message: str, reply: HttpReply) -> PermanentError:
    """An error with the answer beside it, for whoever must look into the ERP or the settings."""
    return PermanentError(code, message, peer_code=str(reply.status), peer_text=reply.text()[:200])


def spell(answer: object) -> str:
    """The beginning of an answer's values as people read them, without the escapes of the wire."""
    return json.dumps(answer, ensure_ascii=False, default=str)[:200]


def _number(value: object) -> str:
    """A document number as text: numbers come as text or whole number, anything else is none."""
    is_number = isinstance(value, (str, int)) and not isinstance(value, bool)
    return str(value).strip() if is_number else ""
