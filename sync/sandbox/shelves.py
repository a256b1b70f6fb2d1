"""The shelves of a sandbox ERP that tells what is there and what is locked, each by SKU, and when it last changed."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sync.clock import utc_now


@dataclass(frozen=True, slots=True)
class Shelf:
    """One SKU: pieces on hand, how many of them orders have locked, and when either last changed."""

    sku: str
    on_hand: int
    locked: int
    changed_at: datetime


@dataclass(slots=True)
class Shelves:
    """Every SKU that the ERP knows: of one that was never put there are `usual` pieces, unless it is `unknown`."""

    usual: int = 1000
    unknown: frozenset[str] = frozenset()
    _on_hand: dict[str, int] = field(default_factory=dict)
    _locked: Counter[str] = field(default_factory=Counter)
    _changed: dict[str, datetime] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def put(self, sku: str, on_hand: int) -> None:
        """Say how much there is."""
        with self._lock:
            self._on_hand[sku] = on_hand
            self._changed[sku] = utc_now()

    def lock(self, quantities: Mapping[str, int]) -> None:
        """An order takes these pieces; negative ones are free again."""
        with self._lock:
            for sku, pieces in quantities.items():
                self._locked[sku] += pieces
                self._changed[sku] = utc_now()

    def clear(self) -> None:
        with self._lock:
            self._on_hand.clear()
            self._locked.clear()
            self._changed.clear()

    def named(self, skus: list[str]) -> list[Shelf]:
        """These SKUs; one that is not known is left out, as the vendors do."""
        with self._lock:
            return [self._shelf(sku) for sku in skus if sku not in self.unknown]

    def changed(self, begin: datetime, end: datetime) -> list[Shelf]:
        """What changed in that time, in the order of SKUs."""
        with self._lock:
            return [self._shelf(sku) for sku, at in sorted(self._changed.items()) if begin <= at <= end]

    def _shelf(self, sku: str) -> Shelf:
        changed_at = self._changed.get(sku) or utc_now()
        return Shelf(sku, self._on_hand.get(sku, self.usual), self._locked[sku], changed_at)
