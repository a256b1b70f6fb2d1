"""What ecsync needs of a shop, whatever it is reached by."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from mappings.connector import ParcelToWrite
from mappings.model import Order


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

    def check(self, now: datetime) -> list[Finding]:
        """Connection, tables, prefix, engine, character set, clock offset: what is well and what is not."""
        ...
