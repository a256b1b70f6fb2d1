"""Which lines of a parcel went out, when a warehouse says SKUs and pieces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Packed:
    """One line of a parcel. The components of a package share its `package_id` and travel together; 0: no package."""

    line_no: int
    sku: str
    quantity: int
    package_id: int = 0


def find_sent(lines: Sequence[Packed], sent: Mapping[str, int]) -> dict[int, int]:
    """Line number -> pieces that went out, for those of which any did; without `sent` it is all of them.

    What the warehouse added of its own (gifts) is ignored. Raises ValueError when nothing of it is in the parcel, or
    when a package was torn apart: the shop counts it as one.
    """
    left = dict(sent) or {sku: sum(line.quantity for line in lines if line.sku == sku) for sku in _skus(lines)}
    found: dict[int, int] = {}
    for line in lines:
        pieces = min(line.quantity, left.get(line.sku, 0))
        if pieces > 0:
            found[line.line_no] = pieces
            left[line.sku] -= pieces
    if not found:
        raise ValueError("none of the SKUs that it names is in the parcel")
    packages = {line.package_id for line in lines if line.package_id}
    for package in packages:
        whole = [found.get(line.line_no, 0) == line.quantity for line in lines if line.package_id == package]
        begun = [line.line_no in found for line in lines if line.package_id == package]
        if any(begun) and not all(whole):
            raise ValueError("it holds a part of a package that the shop sells as one")
    return found


def _skus(lines: Sequence[Packed]) -> set[str]:
    return {line.sku for line in lines}
