"""The sandbox ERP's stock: what was put on its shelves less what its orders reserve or took."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sync.clock import utc_now
from sync.sandbox.http import Request, Response
from sync.sandbox.peer import json_response

MOST_ROWS = 500

Place = tuple[str, str]
"""SKU and warehouse."""


@dataclass(slots=True)
class StockRoom:
    """Figures by SKU and warehouse. Orders take from a SKU's first warehouse; its figure may fall below 0."""

    _shelves: dict[Place, int] = field(default_factory=dict)
    _told: dict[Place, tuple[int, datetime]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def put(self, sku: str, on_hand: int, warehouse: str = "") -> None:
        """Say how much there is before any order; a SKU that was never put has no figure."""
        with self._lock:
            self._shelves[sku, warehouse] = on_hand

    def remove(self, sku: str) -> None:
        """The ERP knows this SKU no more."""
        with self._lock:
            for place in [place for place in self._shelves if place[0] == sku]:
                del self._shelves[place]

    def clear(self) -> None:
        with self._lock:
            self._shelves.clear()
            self._told.clear()

    def answer(self, request: Request, orders: Iterable[Mapping[str, Any]]) -> Response:
        """One page of the figures that changed since; `orders` are those that were not cancelled."""
        try:
            since = datetime.fromisoformat(request.query["since"]) if "since" in request.query else None
            page, limit = int(request.query.get("page", "1")), int(request.query.get("limit", MOST_ROWS))
        except ValueError:
            return json_response({"error": "malformed", "message": "since, page or limit"}, 400, note="refused 400")
        start, size = (page - 1) * min(limit, MOST_ROWS), min(limit, MOST_ROWS)
        rows = [
            {"sku": sku, "warehouse": warehouse, "available": available}
            for (sku, warehouse), (available, changed_at) in sorted(self._figures(orders).items())
            if since is None or changed_at >= since
        ]
        return json_response({"stock": rows[start : start + size]}, note="told")

    def _figures(self, orders: Iterable[Mapping[str, Any]]) -> dict[Place, tuple[int, datetime]]:
        """A figure that differs from what was told last changed now: nobody can have asked in between."""
        taken: Counter[str] = Counter()
        for order in orders:
            for line in order["lines"]:
                taken[line["sku"]] += line["quantity"]
        now = utc_now()
        with self._lock:
            for place in sorted(self._shelves):
                available = self._shelves[place] - taken.pop(place[0], 0)
                if place not in self._told or self._told[place][0] != available:
                    self._told[place] = available, now
            self._told = {place: told for place, told in self._told.items() if place in self._shelves}
            return dict(self._told)
