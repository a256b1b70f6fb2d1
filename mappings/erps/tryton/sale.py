"""One sale as Tryton shows it, and what its state allows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mappings.erps.tryton.protocol import Row
from mappings.fields import text_of
from mappings.model import ErpDocument

FIELDS = ("number", "state", "web_id")

RELEASED = ("confirmed", "processing", "done")
"""States of a sale that the warehouse may work on."""


@dataclass(frozen=True, slots=True)
class Sale(ErpDocument):
    """A document with what the next call needs: its `id`, and its state when it was last seen.

    `erp_no` is Tryton's number, which a sale gets with its quotation; a draft has none.
    """

    id: int = 0
    state: str = ""

    @classmethod
    def of(cls, row: Row, external_ref: str, *, adopted: bool = False) -> Sale:
        """The sale in an answer; `adopted` says that it was there before."""
        return cls(text_of(row, "number"), external_ref, adopted, id=int(row["id"]), state=text_of(row, "state"))

    def said(self) -> dict[str, Any]:
        """How a person finds it, for the peer's side of an error."""
        return {"peer_code": self.state, "peer_text": f"sale {self.erp_no or f'with id {self.id}'}"}
