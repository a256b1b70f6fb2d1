"""Tryton's REST protocol: how a question, a record and an action are spelled, and what an answer means.

Source: `trytond/protocols/rest.py` and `jsonrpc.py` of trytond 8.0, and calls recorded on a running 8.0.12.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from urllib.parse import urlencode

from mappings.errors import AuthError, TransientError, UncertainError
from mappings.wire import HttpCall, HttpReply, check_status, to_json

Row = Mapping[str, Any]

_BUSY = (409, 423)
"""Conflict and lock: Tryton rolled the transaction back."""
_NOT_THERE = "Tryton has no such database, or this is not its address: check BASE_URL and DATABASE"


@dataclass(frozen=True, slots=True)
class RestDoor:
    """One database behind `<base>/<database>/rest/model`, opened by a user application's key."""

    root: str
    key: str = field(repr=False)

    def search(
        self,
        operation: str,
        model: str,
        domain: Sequence[object],
        fields: Sequence[str],
        *,
        page: tuple[int, int] | None = None,
        context: Mapping[str, object] | None = None,
    ) -> HttpCall:
        """Ask for the records of a domain. `page` is offset and size; a paged answer is in the order of the ids."""
        query = [("d", _encoded(domain)), *(("f", name) for name in fields)]
        if page is not None:
            query += [("p", str(page[0])), ("s", str(page[1])), ("o", _encoded([["id", "ASC"]]))]
        headers = {"X-Tryton-Context": _encoded(context)} if context else {}
        return HttpCall(
            operation=operation,
            method="GET",
            url=f"{self.root}/{model}?{urlencode(query)}",
            headers={**self._headers(), **headers},
            changes_peer=False,
            secrets=(self.key,),
        )

    def post(self, operation: str, path: str, values: object, fields: Sequence[str]) -> HttpCall:
        """Create a record (`sale.sale`) or press one of its buttons (`sale.sale/7/quote`); `fields` come back."""
        return HttpCall(
            operation=operation,
            method="POST",
            url=f"{self.root}/{path}?{urlencode([('f', name) for name in fields])}",
            headers={**self._headers(), "Content-Type": "application/json"},
            body=to_json(values).encode(),
            secrets=(self.key,),
        )

    def _headers(self) -> dict[str, str]:
        return {"Accept": "application/json", "Authorization": f"Bearer {self.key}"}


def write_decimal(text: str) -> dict[str, str]:
    """An exact number, as Tryton's JSON wraps it."""
    return {"__class__": "Decimal", "decimal": text}


def write_date(day: date) -> dict[str, object]:
    """A calendar date, as Tryton's JSON wraps it."""
    return {"__class__": "date", "year": day.year, "month": day.month, "day": day.day}


def read_wrapped(value: Mapping[str, Any]) -> str:
    """What `write_decimal` or `write_date` wrapped, as people read it."""
    if value["__class__"] == "Decimal":
        return str(value["decimal"])
    return date(value["year"], value["month"], value["day"]).isoformat()


def read_rows(reply: HttpReply, code: str) -> list[Row]:
    """What a search found. Raises the class that the status means; TransientError when it is no list of records."""
    _check(reply, code, changes_peer=False)
    rows = _json(reply)
    if isinstance(rows, list) and all(isinstance(row, dict) and "id" in row for row in rows):
        return rows
    raise TransientError(
        f"{code}.garbled",
        "The answer is not a list of Tryton's records",
        peer_code=str(reply.status),
        peer_text=reply.text()[:200],
    )


def read_record(reply: HttpReply, code: str) -> Row | None:
    """What a call that changes something gave back; None where our user may write the record and not read it.

    Raises the class that the status means, and UncertainError for anything that is no record of Tryton's.
    """
    _check(reply, code, changes_peer=True)
    if reply.status == 204:
        return None
    record = _json(reply)
    if isinstance(record, dict) and isinstance(record.get("id"), int):
        return record
    raise UncertainError(
        f"{code}.garbled",
        "The answer is no record of Tryton's; the request may have been taken",
        peer_code=str(reply.status),
        peer_text=reply.text()[:200],
    )


def said_no(reply: HttpReply) -> str:
    """Why Tryton refuses, in the language of our user there; empty where the answer is no refusal of Tryton's.

    UserError, UserWarning, validation, missing rights and the uniqueness of `web_id` are all a 400 with this JSON.
    """
    answer = _json(reply) if reply.status == 400 else None
    if not isinstance(answer, dict) or not isinstance(answer.get("message"), str):
        return ""
    return " ".join(part for part in (answer["message"], answer.get("description")) if isinstance(part, str) and part)


def _json(reply: HttpReply) -> Any:
    """The answer in the charset that it was promised in; None for anything that is not Tryton's."""
    try:
        return json.loads(reply.body.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return None


def _check(reply: HttpReply, code: str, *, changes_peer: bool) -> None:
    """A record that is not there answers an empty list, so a 404 is about the address: all calls would end so."""
    number, text = str(reply.status), reply.text()[:200]
    if reply.status in _BUSY:
        message = "Tryton is at work on the same records; nothing was done"
        raise TransientError(f"{code}.busy", message, peer_code=number, peer_text=text)
    if reply.status == 404:
        raise AuthError(f"{code}.address", _NOT_THERE, peer_code=number, peer_text=text)
    check_status(reply, code, changes_peer=changes_peer)


def _encoded(value: object) -> str:
    return urlsafe_b64encode(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()).decode()
