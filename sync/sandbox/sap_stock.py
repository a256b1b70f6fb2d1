"""What lies on the sandbox SAP's shelves, as rows of A_MatlStkInAcctMod: open orders are not subtracted."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, ClassVar
from urllib.parse import urlencode

Place = tuple[str, str, str, str, str]
"""Material, plant, storage location, stock type, special stock type."""


@dataclass(slots=True)
class SapShelves:
    """Quantities by place; `page_size` is how many rows SAP gives at once, whatever it is asked."""

    page_size: int = 100
    FIELDS: ClassVar[frozenset[str]] = frozenset(
        {"Material", "Plant", "StorageLocation", "Batch", "InventoryStockType", "InventorySpecialStockType"}
    )
    _quantities: dict[Place, Decimal] = field(default_factory=dict, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def put(
        self, material: str, quantity: int | str, *, plant: str = "1010", location: str = "101A", kind: str = "01",
        special: str = "",
    ) -> None:  # fmt: skip
        """Say how much lies there."""
        with self._lock:
            self._quantities[material.upper(), plant, location, kind, special] = Decimal(quantity)

    def take(self, material: str, quantity: str) -> None:
        """A goods issue, from the first place that has the material unrestricted."""
        with self._lock:
            for place in sorted(self._quantities):
                if place[0] == material and place[3:] == ("01", ""):
                    self._quantities[place] -= Decimal(quantity)
                    return

    def clear(self) -> None:
        with self._lock:
            self._quantities.clear()

    def rows(self) -> list[dict[str, Any]]:
        """Every row, in the order of its key; quantities with all digits behind the point, as SAP writes them."""
        with self._lock:
            kept = sorted(self._quantities.items())
        return [
            {
                "Material": material,
                "Plant": plant,
                "StorageLocation": location,
                "Batch": "",
                "InventorySpecialStockType": special,
                "InventoryStockType": kind,
                "MaterialBaseUnit": "PC",
                "MatlWrhsStkQtyInMatlBaseUnit": f"{quantity:.3f}",
                "__metadata": {"type": "API_MATERIAL_STOCK_SRV.A_MatlStkInAcctMod"},
            }
            for (material, plant, location, kind, special), quantity in kept
        ]

    def page(self, rows: list[dict[str, Any]], asked: Mapping[str, str]) -> tuple[list[dict[str, Any]], str]:
        """One page, and the query of the next one (empty: there is none)."""
        start = int(asked.get("$skiptoken") or asked.get("$skip") or 0)
        end = start + min(self.page_size, int(asked.get("$top", self.page_size)))
        link = urlencode({"$skiptoken": end}) if end < len(rows) else ""
        return rows[start:end], link
