"""Reading an ERP's answers without guessing: what is not recognised is never taken for an order."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mappings.erps.generic_rest.settings import SuccessRule
from mappings.errors import PermanentError, TransientError, UncertainError
from mappings.model import ErpDocument
from mappings.wire import HttpReply, check_status, read_json_object

CODE = "generic_rest.order"
MISSING = object()


@dataclass(frozen=True, slots=True)
class AnswerForm:
    """Where one ERP's answers hold what we look for; all fields may be dotted paths."""

    order_id_field: str
    erp_no_field: str
    find_field: str
    find_erp_no_field: str
    success: SuccessRule | None

    def read_created(self, reply: HttpReply, external_ref: str) -> ErpDocument:
        """The document a push made; `erp_no` is empty when the answer does not tell it. Raises any PeerError."""
        check_status(reply, CODE)
        if not reply.text().strip() and self.success is None:
            return ErpDocument("", external_ref)
        answer = read_json_object(reply, CODE)
        self._check_success(answer, reply, changes_peer=True)
        return ErpDocument(_number(pick(answer, self.erp_no_field)), external_ref)

    def read_found(self, reply: HttpReply, external_ref: str) -> ErpDocument | None:
        """The one document under our number, None when there is none. Never raises UncertainError: it was a read."""
        if reply.status in (204, 404):
            return None
        check_status(reply, CODE, changes_peer=False)
        answer = read_json(reply, CODE)
        if isinstance(answer, dict):
            self._check_success(answer, reply, changes_peer=False)
        held = pick(answer, self.find_field) if self.find_field else answer
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
        return ErpDocument(_number(pick(mine[0], self.find_erp_no_field)), external_ref, adopted=True)

    def _is_mine(self, document: object, external_ref: str) -> bool:
        """By our number; where the answer does not repeat it, an ERP number must at least be there."""
        order_id = pick(document, self.order_id_field)
        if order_id is MISSING:
            return bool(_number(pick(document, self.find_erp_no_field)))
        return _number(order_id) == external_ref

    def _check_success(self, answer: dict[str, Any], reply: HttpReply, *, changes_peer: bool) -> None:
        if self.success is None:
            return
        value, text = pick(answer, self.success.field), json.dumps(answer, ensure_ascii=False)[:200]
        if value is MISSING:
            error = UncertainError if changes_peer else TransientError
            message = f"The reply has no field {self.success.field!r} to tell success"
            raise error(f"{CODE}.garbled", message, peer_code=str(reply.status), peer_text=text)
        if not self.success.accepts(value):
            message = "The ERP answered that it did not succeed"
            raise PermanentError(f"{CODE}.rejected", message, peer_code=str(value)[:50], peer_text=text)


def read_json(reply: HttpReply, code: str, *, parse_float: Callable[[str], object] = float) -> Any:
    """What a look-up answered, of whatever shape. Raises TransientError when it is no JSON: asking again is safe."""
    try:
        return json.loads(reply.text(), parse_float=parse_float)
    except (ValueError, RecursionError):
        raise TransientError(
            f"{code}.garbled",
            "The reply is not the protocol's JSON",
            peer_code=str(reply.status),
            peer_text=reply.text()[:200],
        ) from None


def for_a_person(code: str, message: str, reply: HttpReply) -> PermanentError:
    """An error with the answer beside it, for whoever must look into the ERP or the settings."""
    return PermanentError(code, message, peer_code=str(reply.status), peer_text=reply.text()[:200])


def pick(value: object, path: str) -> Any:
    """What stands at a dotted path, or MISSING."""
    for name in path.split("."):
        if not isinstance(value, dict) or name not in value:
            return MISSING
        value = value[name]
    return value


def _number(value: object) -> str:
    """A document number as text: numbers come as JSON string or integer, anything else is none."""
    is_number = isinstance(value, (str, int)) and not isinstance(value, bool)
    return str(value).strip() if is_number else ""
