"""Where each field of what an ERP is told comes from: for the person who sets up a field map or compares figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from mappings.model import ErpOrder


@dataclass(frozen=True, slots=True)
class Explained:
    """One field as it would be sent. `target` is the ERP's name of it (`lines[0].sku`), `source` ours
    (`order.lines[0].sku`, or a setting), `rule` what was done with it. `value` is not masked yet and is no secret.

    `is_personal`: a piece of the consignee's data that is not known by itself (the end of a street); mask it whole.
    """

    target: str
    source: str
    rule: str
    value: str
    is_personal: bool = False


@runtime_checkable
class ExplainingErp(Protocol):
    """An ERP connector that can say how it fills its fields; one that cannot is shown by its request."""

    def explain(self, order: ErpOrder) -> Sequence[Explained]:
        """Every field that `create` would send, in the order of sending. Raises PermanentError as `create` would."""
        ...
