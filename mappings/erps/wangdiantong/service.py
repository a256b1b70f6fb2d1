"""One call of Wangdiantong's gateway: positional arguments as JSON, our account in the address, signed as it leaves."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from mappings.erps.wangdiantong.settings import WangdiantongSettings
from mappings.fields import objects_in, text_of
from mappings.rulings import Rules, garbled, is_utf8
from mappings.wire import Exchange, HttpCall, HttpReply, Stamp, check_status, read_json_object, to_json

RULES = Rules.of("Wangdiantong", __package__)

EPOCH = 1_325_347_200
"""2012-01-01 in Shanghai: the gateway counts its seconds from there, and allows a difference of 120."""

MOST_PAGES = 2000

Args = Callable[[datetime], list[Any]]
"""The positional arguments by the moment of sending; most are the same at any."""


def always(args: list[Any]) -> Args:
    """Arguments that do not depend on the moment."""
    return lambda now: args


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a long answer is asked for; Wangdiantong counts from 0."""

    number: int
    size: int

    def fields(self) -> dict[str, str]:
        return {"page_size": str(self.size), "page_no": str(self.number), "calc_total": "1"}


def sign(fields: Mapping[str, str], secret: str) -> str:
    """md5 of every name with its value, in the order of the names, between the secret and the secret."""
    text = "".join(f"{name}{fields[name]}" for name in sorted(fields))
    return hashlib.md5(f"{secret}{text}{secret}".encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Service:
    """The way to Wangdiantong."""

    settings: WangdiantongSettings

    def ask(
        self,
        operation: str,
        method: str,
        args: Args,
        area: str,
        *,
        page: Page | None = None,
        changes_peer: bool = True,
    ) -> Exchange[dict[str, Any]]:
        """The whole of a good answer. Raises any PeerError; UncertainError only where `changes_peer`."""

        def sealed(call: HttpCall, stamp: Stamp) -> HttpCall:
            body = to_json(args(stamp.at))
            return replace(call, url=self._address(method, body, page, stamp), body=body.encode())

        reply = yield HttpCall(
            operation,
            "POST",
            self.settings.url,
            {"Content-Type": "application/json; charset=utf-8"},
            changes_peer=changes_peer,
            secrets=self.settings.secrets,
            stamped=sealed,
        )
        return read_answer(reply, area, changes_peer=changes_peer)

    def rows(
        self, operation: str, method: str, args: Args, area: str, list_name: str
    ) -> Exchange[list[Mapping[str, Any]]]:
        """All pages of a question; `list_name` is where `data` holds the rows, empty: it is the list itself."""
        rows: list[Mapping[str, Any]] = []
        for number in range(MOST_PAGES):
            page = Page(number, self.settings.page_size)
            answer = yield from self.ask(operation, method, args, area, page=page, changes_peer=False)
            found = _rows_in(answer, list_name)
            if found is None:
                raise garbled(area, "Wangdiantong's answer holds no list", changes_peer=False)
            rows += objects_in(found)
            if len(found) < page.size:
                return rows
        raise garbled(area, f"Wangdiantong gives more than {MOST_PAGES} pages", changes_peer=False)

    def _address(self, method: str, body: str, page: Page | None, stamp: Stamp) -> str:
        """The gateway's address with our account and the signature, which the body is part of."""
        given = self.settings
        fields = {
            "sid": given.sid,
            "key": given.app_key,
            "salt": given.salt,
            "method": method,
            "timestamp": str(int(stamp.at.timestamp()) - EPOCH),
            "v": "1.0",
            **(page.fields() if page else {}),
        }
        return f"{given.url}?{urlencode({**fields, 'sign': sign({**fields, 'body': body}, given.secret)})}"


def _rows_in(answer: Mapping[str, Any], list_name: str) -> list[Any] | None:
    """The list of an answer; one that is left out where the count says 0 is empty. None where there is none."""
    data = answer.get("data")
    holder, count = (data, "total_count") if list_name and isinstance(data, dict) else (answer, "total")
    found = holder.get(list_name or "data")
    if found is None and text_of(holder, count) == "0":
        return []
    return found if isinstance(found, list) else None


def read_answer(reply: HttpReply, area: str, *, changes_peer: bool = True) -> dict[str, Any]:
    """A good answer; raises any PeerError for one that says no, or that is none of Wangdiantong's."""
    check_status(reply, area, changes_peer=changes_peer)
    answer = read_json_object(reply, area, changes_peer=changes_peer)
    status, text = text_of(answer, "status"), text_of(answer, "message")
    if not status or not is_utf8(reply.body):
        raise garbled(area, "Wangdiantong's answer cannot be read", status, changes_peer=changes_peer)
    ruling = RULES.judge(status, text)
    if ruling.cls != "ok":
        raise RULES.error(ruling, area, status, text, changes_peer=changes_peer)
    return answer
