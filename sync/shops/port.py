"""What ecsync needs of a shop, whatever it is reached by."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol, TypeVar

from mappings.connector import ParcelToWrite
from mappings.model import Order, StockChange, StockLine, StockMode
from mappings.wire import Exchange

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An open order that cannot be fulfilled as it stands: parked with the reason, the others go on.

    `code` is the desk's group (`ecshop.order.sku_blank`), `reason` a sentence for people without personal data.
    """

    shop_order_id: str
    order_sn: str
    code: str
    reason: str
    content_hash: str


class Standing(StrEnum):
    """How the shop sees an order that we hold open."""

    OWED = "owed"
    """Paid (or confirmed COD) and not fully shipped: go on."""
    SHIPPED = "shipped"
    """Fully shipped in the shop, by us or by staff."""
    WITHDRAWN = "withdrawn"
    """Cancelled, invalid, returned or unpaid again: stop."""
    GONE = "gone"
    """The row is deleted (merged or removed): stop."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of `ecsync check`: what was looked at, whether it is well, and what to do if not."""

    subject: str
    is_ok: bool
    detail: str
    remedy: str = ""


class Line(Protocol):
    """The way out to a shop that is reached by HTTP: the third argument of such a shop (`Spec.over_http`)."""

    def run(self, exchange: Exchange[T]) -> T:
        """Drive an exchange to its result; raises its PeerErrors."""
        ...


class Shop(Protocol):
    """One configured shop. Every method opens and ends its own connection use; none holds a transaction open.

    All raise `mappings.errors` classes: TransientError when the shop's database is away, PermanentError when it
    refuses (missing table, read-only user, order in a state that forbids the write).
    """

    name: str

    def read_open(self, now: datetime) -> Iterator[Order | Unreadable]:
        """All orders of the three open queues, by state and not by time, in pages; unsettled ones are left out."""
        ...

    def read_one(self, shop_order_id: str, now: datetime) -> Order | Unreadable | None:
        """One order as `read_open` would give it, or None when it is in no open queue."""
        ...

    def read_standings(self, shop_order_ids: Sequence[str]) -> Mapping[str, Standing]:
        """How the shop sees each of these orders now; every id asked for is in the answer."""
        ...

    def read_hashes(self, shop_order_ids: Sequence[str]) -> Mapping[str, str]:
        """The content hash of each of these orders as it stands, whatever its state; those gone are left out."""
        ...

    def find_id(self, order_sn: str) -> str | None:
        """The shop's id for an order number, or None."""
        ...

    def claim(self, shop_order_id: str, now: datetime) -> None:
        """Show the order as 备货中/配货中 (idempotent; no effect once it is further)."""
        ...

    def write_note(self, parcel: ParcelToWrite, now: datetime) -> str:
        """Make (or find) the delivery note that carries the waybill number; returns the note's id. Idempotent."""
        ...

    def mark_shipped(self, parcel: ParcelToWrite, now: datetime) -> None:
        """Show the parcel as shipped at `parcel.shipped_at`. Idempotent, safe to repeat after a crash anywhere."""
        ...

    def paid_ids(self, now: datetime) -> Iterable[str]:
        """Ids of all settled orders in the open queues: the shop's side of the conservation check."""
        ...

    def read_numbers(self, shop_order_id: str) -> tuple[str, ...]:
        """The waybill numbers that the shop's shipped delivery notes of an order carry, staff's and ours."""
        ...

    def mark_received(self, shop_order_id: str, now: datetime) -> None:
        """Show a shipped order as received (确认收货). Idempotent; no effect on an order that is not shipped."""
        ...

    def add_remark(self, shop_order_id: str, text: str, now: datetime) -> None:
        """Write a line into the order's log that staff see; its states stay. The same text is written once."""
        ...

    def stock_mode(self) -> StockMode:
        """What the shop's stock figures mean, by the shop's own configuration."""
        ...

    def read_stock(self) -> Iterator[StockLine]:
        """What the shop shows of everything it sells that a parcel can hold; virtual cards and deleted goods are left
        out. All figures are read before what is unshipped: what is ordered meanwhile must make a change fail."""
        ...

    def write_stock(self, changes: Sequence[StockChange], now: datetime) -> tuple[StockChange, ...]:
        """Set figures, each only if it still is what it was; returns those that were set."""
        ...

    def check(self, now: datetime) -> list[Finding]:
        """Connection, tables, prefix, engine, character set, clock offset: what is well and what is not."""
        ...
