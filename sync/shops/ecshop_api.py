"""An ECShop reached by our plug-in in its root (ecsync.php): the Shop port over signed HTTP."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import Any, ClassVar, TypeVar

from mappings.connector import Config, ParcelToWrite, Spec
from mappings.errors import PermanentError
from mappings.model import Order, StockChange, StockLine, StockMode
from mappings.shops.ecshop import OrderRows, ReadRules, hash_if_readable, standing
from mappings.shops.ecshop.refusals import admit_number, found_order, order_number
from mappings.shops.ecshop.stock import stock_mode
from mappings.shops.ecshop.times import to_stored
from mappings.shops.ecshop.unreadable import find_culprit
from mappings.shops.ecshop.writeback import remark_text, shown_numbers
from mappings.shops.ecshop_api import SPEC, Plugin, Stamp, bare_fields, parcel_fields, read_settings
from sync.clock import utc_now
from sync.shops.ecshop_api_check import check_plugin
from sync.shops.ecshop_judge import judge
from sync.shops.port import Finding, Line, Standing, Unreadable

T = TypeVar("T")

_LARGEST_ID = 4_294_967_295
"""order_info.order_id at its widest; the plug-in refuses what cannot be an id."""
_CHANGES_AT_ONCE = 500


class EcshopApiShop:
    """One configured shop. Construction asks nothing; it may be shared between threads."""

    spec: ClassVar[Spec] = SPEC

    def __init__(self, name: str, config: Config, line: Line) -> None:
        self.name = name
        self._settings = read_settings(config)
        self._plugin = Plugin(self._settings.url, self._settings.key)
        self._line = line

    def read_open(self, now: datetime) -> Iterator[Order | Unreadable]:
        """All orders of the three open queues, a page in memory at a time."""
        for rows in self._open_rows():
            if found := judge(rows, self._rules, now):
                yield found

    def read_one(self, shop_order_id: str, now: datetime) -> Order | Unreadable | None:
        """One order as `read_open` would give it, or None when it is in no open queue."""
        rows = self._one(shop_order_id)
        floor = self._settings.stored_floor(self._offset_s)
        if rows is None or (floor is not None and rows.order["add_time"] < floor):
            return None
        return judge(rows, self._rules, now)

    def read_standings(self, shop_order_ids: Sequence[str]) -> Mapping[str, Standing]:
        """How the shop sees each of these orders now; an id that is no number is gone.

        An order whose row cannot be read is neither shipped nor withdrawn by that.
        """
        standings = dict.fromkeys(shop_order_ids, Standing.GONE)
        for order_id, rows in self._these(standings):
            is_readable = not find_culprit(OrderRows(rows.order, ()))
            standings[order_id] = Standing(standing(rows, self._rules)) if is_readable else Standing.OWED
        return standings

    def read_hashes(self, shop_order_ids: Sequence[str]) -> Mapping[str, str]:
        """What is no number or cannot be read is left out, too."""
        found = ((order_id, hash_if_readable(rows)) for order_id, rows in self._these(shop_order_ids))
        return {order_id: found_hash for order_id, found_hash in found if found_hash}

    def find_id(self, order_sn: str) -> str | None:
        rows = self._line.run(self._plugin.order_by_sn(_stamp(), order_sn))
        return None if rows is None else str(rows.order["order_id"])

    def claim(self, shop_order_id: str, now: datetime) -> None:
        """Show the order as 配货中, which blocks merging; raises PermanentError when it is withdrawn or gone."""
        self._ship("claim", order_number(shop_order_id), now)

    def write_note(self, parcel: ParcelToWrite, now: datetime) -> str:
        """Make (or find) the delivery note that carries the waybill number; repeats change nothing."""
        return str(self._write("note", parcel, now))

    def mark_shipped(self, parcel: ParcelToWrite, now: datetime) -> None:
        """Ship the parcel's note in the shop as its admin would, once however often it is called."""
        shipped_at = int((parcel.shipped_at or now).timestamp())
        keep, grant = int(self._settings.keep_stock), int(self._settings.grant_points)
        self._write("shipped", parcel, now, shipped_at=shipped_at, keep_stock=keep, grant_points=grant)

    def paid_ids(self, now: datetime) -> Iterable[str]:
        """Ids of all orders that `read_open` gives, readable or not."""
        return [found.shop_order_id for found in self.read_open(now)]

    def read_numbers(self, shop_order_id: str) -> tuple[str, ...]:
        """In capitals, none for an order that is gone or has none."""
        rows = self._one(shop_order_id)
        return () if rows is None else shown_numbers(rows)

    def mark_received(self, shop_order_id: str, now: datetime) -> None:
        """Show a shipped order as 收货确认, once; raises PermanentError when it is gone."""
        self._ship("received", order_number(shop_order_id), now)

    def add_remark(self, shop_order_id: str, text: str, now: datetime) -> None:
        """Write a line into the order's log, once; raises PermanentError when the order is gone."""
        self._ship("remark", order_number(shop_order_id), now, text=remark_text(text))

    def stock_mode(self) -> StockMode:
        """By the shop's own settings; raises PermanentError where another program is said to keep stock."""
        ping = self._line.run(self._plugin.ping(_stamp()))
        return stock_mode(ping.use_storage, ping.stock_dec_time, keep_stock=self._settings.keep_stock)

    def read_stock(self) -> Iterator[StockLine]:
        """A page in memory at a time, each with what is ordered of it at that moment."""
        if self.stock_mode() is StockMode.OFF:
            return
        after, floor = "", self._settings.stored_floor(self._offset_s)
        while True:
            ask = self._plugin.stock_page(_stamp(), after, accept_paying=self._rules.accept_paying, floor=floor)
            page = self._line.run(ask)
            yield from page.lines
            if not page.next:
                return
            after = page.next

    def write_stock(self, changes: Sequence[StockChange], now: datetime) -> tuple[StockChange, ...]:
        """Products and the sums of their goods, each figure only if it is what it was; ECShop stamps no time here."""
        written: list[StockChange] = []
        for some in _chunked(changes, _CHANGES_AT_ONCE):
            written.extend(self._line.run(self._plugin.write_stock(_stamp(), some)))
        return tuple(written)

    def check(self, now: datetime) -> list[Finding]:
        return check_plugin(self.name, self._settings, lambda: self._line.run(self._plugin.ping(_stamp())), now)

    @cached_property
    def _offset_s(self) -> int:
        """The shop is asked once, unless it is set: `$timezone` changes as rarely as a setting does."""
        given = self._settings.utc_offset_s
        return self._line.run(self._plugin.ping(_stamp())).utc_offset_s if given is None else given

    @cached_property
    def _rules(self) -> ReadRules:
        return self._settings.rules(self.name, self._offset_s)

    def _open_rows(self) -> Iterator[OrderRows]:
        size, after = self._settings.page_size, 0
        paying, floor = self._rules.accept_paying, self._settings.stored_floor(self._offset_s)
        while True:
            ask = self._plugin.open_page(_stamp(), after=after, limit=size, accept_paying=paying, floor=floor)
            page = self._line.run(ask)
            yield from page.orders
            if page.next is None:
                return
            after = page.next

    def _these(self, shop_order_ids: Iterable[str]) -> Iterator[tuple[str, OrderRows]]:
        ids = [int(order_id) for order_id in shop_order_ids if _is_id(order_id)]
        for some in _chunked(ids, self._settings.page_size):
            for rows in self._line.run(self._plugin.orders(_stamp(), some)).orders:
                yield str(rows.order["order_id"]), rows

    def _one(self, shop_order_id: str) -> OrderRows | None:
        if not _is_id(shop_order_id):
            return None
        return self._line.run(self._plugin.order(_stamp(), int(shop_order_id)))

    def _write(self, stage: str, parcel: ParcelToWrite, now: datetime, **more: Any) -> int:
        """Plan the parcel by the order as it is now, and have it carried out.

        Where the plan refuses it, the shop is still asked by number alone: its log, which only it sees, may say that
        this was done before the order became what it is.
        """
        number = admit_number(parcel, self._settings.environment)
        order_id = order_number(parcel.shop_order_id)
        refusal: PermanentError | None = None
        rows = found_order(self._one(parcel.shop_order_id), order_id)
        try:
            fields = parcel_fields(rows, parcel, number, self._rules)
        except PermanentError as problem:
            fields, refusal = bare_fields(rows, parcel, number, self._rules), problem
        try:
            return self._ship(stage, order_id, now, order_sn=parcel.order_sn, **fields, **more)
        except PermanentError as problem:
            raise refusal or problem from None

    def _ship(self, stage: str, order_id: int, now: datetime, *, order_sn: str = "", **fields: Any) -> int:
        body = {
            "order_id": order_id,
            "stage": stage,
            "action_user": self._settings.action_user,
            "accept_paying": int(self._rules.accept_paying),
            "now_stored": to_stored(now, self._offset_s),
            **fields,
        }
        return self._line.run(self._plugin.ship(_stamp(), order_sn or str(order_id), body))


def _stamp() -> Stamp:
    """The machine's time: the shop compares it with its own."""
    return Stamp(int(utc_now().timestamp()), secrets.token_hex(16))


def _is_id(text: str) -> bool:
    return text.isdecimal() and 0 < int(text) <= _LARGEST_ID


def _chunked(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
