"""The plug-in's requests, each an exchange: what to send, and how to read what came back."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from mappings.errors import PermanentError
from mappings.model import StockChange
from mappings.shops.ecshop.rows import OrderRows
from mappings.shops.ecshop_api.answers import Page, Ping, StockPage, read_page, read_ping, read_stock_page
from mappings.shops.ecshop_api.errors import Asked, garbled, read_answer, refusal_word
from mappings.shops.ecshop_api.signing import Stamp, query_string, signed_headers
from mappings.wire import Exchange, HttpCall, HttpReply

T = TypeVar("T")
Read = Callable[[HttpReply, Asked], T]

_NAMED = {"Accept": "application/json", "User-Agent": "ecsync"}
"""Hosts' firewalls turn away the names that HTTP libraries give themselves."""


@dataclass(frozen=True, slots=True)
class Plugin:
    """One shop's plug-in. Every request takes a fresh stamp: a nonce serves once."""

    url: str
    key: str = field(repr=False)

    def ping(self, stamp: Stamp) -> Exchange[Ping]:
        return self._get("ping", {}, stamp, lambda reply, asked: read_ping(read_answer(reply, asked)))

    def open_page(
        self, stamp: Stamp, *, after: int, limit: int, accept_paying: bool, floor: int | None
    ) -> Exchange[Page]:
        """The next open orders by order_id."""
        parameters = {"after": str(after), "limit": str(limit), "accept_paying": str(int(accept_paying))}

        def read(reply: HttpReply, asked: Asked) -> Page:
            page = _read_page(reply, asked)
            if page.next is not None and page.next <= after:
                raise garbled(asked, "its pages do not go on")
            return page

        return self._get("orders", parameters | _since(floor), stamp, read)

    def orders(self, stamp: Stamp, ids: Sequence[int]) -> Exchange[Page]:
        """These orders whatever their state; those gone are left out."""
        return self._get("orders", {"ids": ",".join(map(str, ids))}, stamp, _read_page)

    def order(self, stamp: Stamp, order_id: int) -> Exchange[OrderRows | None]:
        return self._get("order", {"id": str(order_id)}, stamp, _read_order)

    def order_by_sn(self, stamp: Stamp, order_sn: str) -> Exchange[OrderRows | None]:
        return self._get("order", {"sn": order_sn}, stamp, _read_order)

    def ship(self, stamp: Stamp, order: str, body: Mapping[str, Any]) -> Exchange[int]:
        """Do one stage of the write-back; gives the delivery note's id, 0 where the stage has none.

        `order` names the order in what is refused.
        """
        return self._post("ship", body, stamp, _read_note_id, order)

    def stock_page(self, stamp: Stamp, after: str, *, accept_paying: bool, floor: int | None) -> Exchange[StockPage]:
        """The next figures after a page's mark, the first after none; paid orders of the floor on count as ordered."""
        parameters = {"accept_paying": str(int(accept_paying)), **_since(floor)}
        if after:
            parameters["after"] = after
        return self._get("stock", parameters, stamp, lambda reply, asked: read_stock_page(read_answer(reply, asked)))

    def write_stock(self, stamp: Stamp, changes: Sequence[StockChange]) -> Exchange[tuple[StockChange, ...]]:
        """Gives the changes that were set."""
        rows = [
            {"goods_id": one.goods_id, "product_id": one.product_id, "before": one.before, "after": one.after}
            for one in changes
        ]

        def read(reply: HttpReply, asked: Asked) -> tuple[StockChange, ...]:
            done = read_answer(reply, asked).get("changed")
            if not isinstance(done, list) or not all(isinstance(i, int) and 0 <= i < len(changes) for i in done):
                raise garbled(asked, "it does not list what was changed")
            return tuple(changes[index] for index in sorted(done))

        return self._post("stock", {"changes": rows}, stamp, read)

    def _get(self, route: str, parameters: Mapping[str, str], stamp: Stamp, read: Read[T]) -> Exchange[T]:
        query = query_string({**parameters, "r": route})
        call = HttpCall(
            operation=route,
            method="GET",
            url=f"{self.url}?{query}",
            headers=_NAMED | signed_headers(self.key, "GET", query, stamp, b""),
            changes_peer=False,
            secrets=(self.key,),
        )
        reply = yield call
        return read(reply, Asked(changes_peer=False, at=stamp.at))

    def _post(self, route: str, body: Mapping[str, Any], stamp: Stamp, read: Read[T], order: str = "") -> Exchange[T]:
        query = query_string({"r": route})
        sent = _encoded(body)
        headers = _NAMED | {"Content-Type": "application/json; charset=utf-8"}
        call = HttpCall(
            operation=route,
            method="POST",
            url=f"{self.url}?{query}",
            headers=headers | signed_headers(self.key, "POST", query, stamp, sent),
            body=sent,
            secrets=(self.key,),
        )
        reply = yield call
        return read(reply, Asked(changes_peer=True, at=stamp.at, order=order))


def _read_page(reply: HttpReply, asked: Asked) -> Page:
    return read_page(read_answer(reply, asked))


def _read_order(reply: HttpReply, asked: Asked) -> OrderRows | None:
    if refusal_word(reply) == "order_gone":
        return None
    page = read_page(read_answer(reply, asked))
    if len(page.orders) != 1:
        raise garbled(asked, f"it holds {len(page.orders)} orders instead of one")
    return page.orders[0]


def _read_note_id(reply: HttpReply, asked: Asked) -> int:
    answer = read_answer(reply, asked)
    note_id = answer.get("note_id", 0)
    if answer.get("done") is not True or not isinstance(note_id, int):
        raise garbled(asked, "it does not say that the work is done")
    return note_id


def _encoded(body: Mapping[str, Any]) -> bytes:
    """Raises PermanentError where a column that a parcel repeats holds bytes that are no text."""
    try:
        return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    except TypeError:
        message = "A row that the parcel needs holds bytes that are no text; correct them in the shop's database"
        raise PermanentError("ecshop.db.text_undecodable", message) from None


def _since(floor: int | None) -> dict[str, str]:
    return {} if floor is None else {"floor": str(max(0, floor))}
