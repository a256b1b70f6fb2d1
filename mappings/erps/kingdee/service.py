"""Kingdee's web API: calls are signed as they leave, and an HTTP 200 says nothing about success.

A failure stands in `Result.ResponseStatus`; ExecuteBillQuery answers rows, or wraps that failure as `[[{…}]]`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from mappings.erps.kingdee.signing import Signer
from mappings.errors import PeerError, PermanentError, TransientError, UncertainError
from mappings.fields import objects_in, text_of
from mappings.rulings import Rules
from mappings.wire import Exchange, HttpCall, HttpReply, Stamp, check_status, spellings, to_json

_STUB = "Kingdee.BOS.WebApi.ServicesStub.DynamicFormService"
_RULES = Rules.of("Kingdee", __package__)
PAGE, MOST_PAGES = 2000, 1000

Row = Sequence[Any]


@dataclass(frozen=True, slots=True)
class Service:
    """One account set behind its address."""

    base_url: str
    signer: Signer = field(repr=False)

    def call(self, operation: str, verb: str, body: Mapping[str, object], *, changes_peer: bool = True) -> HttpCall:
        """One call of `verb` (Save, Submit, ExecuteBillQuery …); it is signed at the moment it leaves."""
        return HttpCall(
            operation=operation,
            method="POST",
            url=f"{self.base_url}/{_STUB}.{verb}.common.kdsvc",
            headers={"Accept": "application/json", "Content-Type": "application/json"},
            body=to_json(body).encode(),
            changes_peer=changes_peer,
            secrets=spellings((self.signer.app_id, self.signer.app_secret)),
            stamped=self._sign,
        )

    def read(self, operation: str, area: str, form: str, fields: Sequence[str], where: str) -> Exchange[list[Row]]:
        """All rows of a form's fields, page by page; never raises UncertainError.

        The first field must tell rows apart: one that moves to the next page meanwhile counts once.
        """
        found: dict[str, Row] = {}
        for page in range(MOST_PAGES):
            asked = {
                "FormId": form,
                "FieldKeys": ",".join(fields),
                "FilterString": where,
                "OrderString": fields[0],
                "TopRowCount": (page + 1) * PAGE,  # a page beyond it is empty
                "StartRow": page * PAGE,
                "Limit": PAGE,
            }
            reply = yield self.call(operation, "ExecuteBillQuery", {"data": asked}, changes_peer=False)
            rows = _read_rows(reply, area, len(fields))
            found |= {str(row[0]): row for row in rows}
            if len(rows) < PAGE:
                return list(found.values())
        raise PermanentError(f"{area}.endless", f"Kingdee gives more than {MOST_PAGES * PAGE} rows of {form}")

    def _sign(self, call: HttpCall, stamp: Stamp) -> HttpCall:
        return replace(call, headers={**call.headers, **self.signer.headers(call.url, stamp.at)})


def quoted(text: str) -> str:
    """A text as a filter holds it."""
    return "'" + text.replace("'", "''") + "'"


def read_status(reply: HttpReply, area: str) -> Mapping[str, Any]:
    """The `ResponseStatus` of a call that succeeded. Raises the error that a failed one means."""
    check_status(reply, area)
    status = _status_in(_json(reply))
    if status is None:
        raise _garbled(reply, area, changes_peer=True)
    _refuse(status, area, changes_peer=True)
    return status


def _read_rows(reply: HttpReply, area: str, width: int) -> list[Row]:
    """The rows that a query found, each of `width` fields."""
    check_status(reply, area, changes_peer=False)
    answer = _json(reply)
    status = _status_in(answer)
    if status is not None:
        _refuse(status, area, changes_peer=False)
    if isinstance(answer, list) and all(isinstance(row, list) and len(row) == width for row in answer):
        return answer
    raise _garbled(reply, area, changes_peer=False)


def number_of(status: Mapping[str, Any]) -> str:
    """The number of the document that a call made or changed; empty where the answer does not tell it."""
    return next((text_of(entity, "Number") for entity in objects_in(status.get("SuccessEntitys"))), "")


def _json(reply: HttpReply) -> Any:
    """The answer in the charset that it was promised in; words in another could not be compared."""
    try:
        return json.loads(reply.body.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return None


def _status_in(answer: Any) -> Mapping[str, Any] | None:
    """Where a failure may stand: at the top, or wrapped as a query's only row."""
    while isinstance(answer, list) and len(answer) == 1:
        answer = answer[0]
    result = answer.get("Result") if isinstance(answer, dict) else None
    status = result.get("ResponseStatus") if isinstance(result, dict) else None
    return status if isinstance(status, dict) and isinstance(status.get("IsSuccess"), bool) else None


def _refuse(status: Mapping[str, Any], area: str, *, changes_peer: bool) -> None:
    if status["IsSuccess"]:
        return
    code = text_of(status, "MsgCode")
    ruling = _RULES.judge(code)
    raise _RULES.error(ruling, area, code, _words_of(status), changes_peer=changes_peer)


def _words_of(status: Mapping[str, Any]) -> str:
    """Every message with the field that it is about."""
    said = []
    for error in objects_in(status.get("Errors")):
        field, message = text_of(error, "FieldName"), text_of(error, "Message")
        said.append(f"{field}: {message}" if field else message)
    return "; ".join(said)


def _garbled(reply: HttpReply, area: str, *, changes_peer: bool) -> PeerError:
    error = UncertainError if changes_peer else TransientError
    return error(
        f"{area}.garbled",
        "The answer is not Kingdee's" + ("; the request may have been taken" if changes_peer else ""),
        peer_code=str(reply.status),
        peer_text=reply.text()[:200],
    )
