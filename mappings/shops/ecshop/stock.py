"""What the shop must show of a SKU, and which changes that means (docs/adr/0010-stock-figures.md).

The ERP's `available` is on hand less what it has reserved for orders it knows. The shop's own figure is something
else, and what follows from it depends on when the shop takes stock (`stock_dec_time`):

- at order (1): every open order, paid or not, is subtracted already, so the figure is
  `available - orders that the ERP does not know`. ECShop adds back what is cancelled.
- at shipping (0): what is ordered and not sent is still in the figure, and ECShop or ecsync subtracts it when the
  parcel goes, so it is `available + unsent orders that the ERP knows`.
- stock kept off (`use_storage` 0): nothing is written.

In both, what was shipped of orders that the ERP does not know (their push is late or parked) has left the house
without the ERP's knowledge, so it is subtracted. Safety stock takes from what is free only: never below what open
orders need, or the admin's own stock check would keep staff from shipping them. Nothing is ever shown below 0.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from mappings.errors import PermanentError
from mappings.model import StockChange, StockLine, StockMode
from mappings.shops.ecshop.rows import OrderRows, component_key, is_package, noted_components

NEVER_GUARDED = 5
"""So many SKUs may be zeroed or lowered whatever their share: a small shop sells out, too."""
_LARGEST = {"tinyint": 8, "smallint": 16, "mediumint": 24, "int": 32, "bigint": 64}
"""Bits of MySQL's integer columns."""


@dataclass(frozen=True, slots=True)
class Demand:
    """What is ordered of one SKU, by what the ERP knows of it.

    `known` is pushed to the ERP and not sent; `unreported` is sent, and the ERP does not know the order yet, or is
    ordered in another shop that sells the same stock and not known to the ERP.
    """

    known: int = 0
    unreported: int = 0


@dataclass(frozen=True, slots=True)
class StockRules:
    """How one shop's figures are made. Percentages are 0 to 100."""

    mode: StockMode
    safety: int = 0
    most_zeroed_percent: int = 20
    most_lowered_percent: int = 50


@dataclass(frozen=True, slots=True)
class Reckoning:
    """How one figure comes about, in pieces: what the ERP can sell, less `unheard`, less `kept_back`, plus `promised`.

    `unheard` is ordered or sent without the ERP's knowledge, `kept_back` the safety stock, `promised` what lies in the
    shop's figure until it is sent. `short` is how much of what open orders were promised is not there.
    """

    available: int
    unheard: int = 0
    kept_back: int = 0
    promised: int = 0
    short: int = 0

    @property
    def shown(self) -> int:
        """What the shop must show."""
        return max(0, self.available - self.unheard - self.kept_back + self.promised)


@dataclass(frozen=True, slots=True)
class StockPlan:
    """What is to be written, and what a person must look at.

    `reckonings` are by SKU, of all that the ERP speaks of. `too_large` are SKUs whose figure fits no column, `unclear`
    numbers that two goods share (blank: none at all), `silent` those that the ERP says nothing of, `guard` a sentence
    that forbids the whole plan, or empty.
    """

    changes: tuple[StockChange, ...]
    too_large: tuple[str, ...] = ()
    unclear: tuple[str, ...] = ()
    silent: tuple[str, ...] = ()
    guard: str = ""
    reckonings: Mapping[str, Reckoning] = field(default_factory=dict)

    @property
    def short(self) -> dict[str, int]:
        """SKU -> pieces that open orders were promised and that are not there."""
        return {sku: one.short for sku, one in self.reckonings.items() if one.short}


def stock_mode(use_storage: str | None, stock_dec_time: str | None, *, keep_stock: bool) -> StockMode:
    """What the shop's own settings make of its figures.

    Raises PermanentError where ECShop's figure is to fall at shipping and `keep_stock` is off: that says that another
    program writes this stock. Two writers with two definitions would count each parcel twice.
    """
    if use_storage != "1":
        return StockMode.OFF
    if stock_dec_time == "1":
        return StockMode.AT_ORDER
    if not keep_stock:
        raise PermanentError(
            "ecshop.stock.kept_elsewhere",
            "The shop takes stock at shipping, but KEEP_STOCK is off, which says that another program writes its "
            "stock; each parcel would be counted twice. Nothing was written. Stop the other program and set "
            "KEEP_STOCK=1, or leave STOCK_INTERVAL_S empty",
        )
    return StockMode.AT_SHIPPING


def largest_number(column_type: str) -> int | None:
    """The most that a MySQL integer column holds (`smallint(5) unsigned`: 65535); None for any other type."""
    found = re.match(r"(tinyint|smallint|mediumint|int|bigint)\b", column_type.lower())
    if found is None:
        return None
    bits = _LARGEST[found.group(1)]
    return int(2**bits - 1 if "unsigned" in column_type.lower() else 2 ** (bits - 1) - 1)


def reckon(mode: StockMode, available: int, unshipped: int, demand: Demand, safety: int = 0) -> Reckoning:
    """What the shop must show of a SKU; `unshipped` is the shop's own count of what is ordered and not sent."""
    known = min(demand.known, unshipped)  # what staff shipped by hand a moment ago is not unsent any more
    unheard = demand.unreported
    short = min(known, max(0, unheard - available))
    if mode is StockMode.AT_ORDER:
        unheard += unshipped - known
        known = 0
    kept_back = min(safety, max(0, available - unheard))
    return Reckoning(available, unheard, kept_back, known, short)


def plan_stock(
    lines: Sequence[StockLine], available: Mapping[str, int], demand: Mapping[str, Demand], rules: StockRules
) -> StockPlan:
    """The changes that make the shop show what it must; none for what the ERP is silent about.

    A number that two rows share, or that is blank, is never guessed. `lines` with no name in `available` stay.
    """
    times = Counter(line.sku for line in lines)
    unclear = tuple(sorted(sku for sku, count in times.items() if count > 1 or not sku))
    named = [line for line in lines if line.sku and times[line.sku] == 1]
    told = [line for line in named if line.sku in available]
    reckonings = {
        line.sku: reckon(rules.mode, available[line.sku], line.unshipped, demand.get(line.sku, Demand()), rules.safety)
        for line in told
    }
    changes = [
        StockChange(line.sku, line.goods_id, line.product_id, line.number, after)
        for line in told
        if (after := reckonings[line.sku].shown) != line.number
    ]
    held = _beyond(lines, changes)
    kept = tuple(change for change in changes if change.sku not in held)
    return StockPlan(
        changes=kept,
        too_large=tuple(sorted(held)),
        unclear=unclear,
        silent=tuple(sorted(line.sku for line in named if line.sku not in available)),
        guard=_guard(told, kept, rules),
        reckonings=reckonings,
    )


def _beyond(lines: Sequence[StockLine], changes: Sequence[StockChange]) -> set[str]:
    """SKUs whose own figure, or whose goods' sum, would be larger than the shop's column."""
    rises = {change.sku: change.after - change.before for change in changes if change.after > change.before}
    by_sku = {change.sku: change.after for change in changes}
    totals: Counter[int] = Counter()
    for line in lines:
        totals[line.goods_id] += by_sku.get(line.sku, line.number)
    return {
        line.sku
        for line in lines
        if line.limit is not None
        and line.sku in rises
        and (by_sku[line.sku] > line.limit or totals[line.goods_id] > line.limit)
    }


def _guard(told: Sequence[StockLine], changes: Sequence[StockChange], rules: StockRules) -> str:
    """Why so many figures must not fall at once without a person, or nothing."""
    shown = [line.number for line in told if line.number > 0]
    zeroed = sum(change.after == 0 for change in changes)
    if zeroed > max(NEVER_GUARDED, len(shown) * rules.most_zeroed_percent // 100):
        return f"{zeroed} of {len(shown)} SKUs that the shop sells would fall to 0"
    falls = [change.before - change.after for change in changes if change.after < change.before]
    if len(falls) > NEVER_GUARDED and sum(falls) * 100 > sum(shown) * rules.most_lowered_percent:
        return f"{len(falls)} SKUs would fall by {sum(falls)} of {sum(shown)} pieces"
    return ""


def packaged_demand(orders: Iterable[OrderRows]) -> Counter[tuple[int, int]]:
    """What of packages stands on no delivery note yet, by goods and product; a package's own row names neither."""
    owed: Counter[tuple[int, int]] = Counter()
    for rows in orders:
        for line in rows.lines:
            if not is_package(line):
                continue
            noted = noted_components(rows.notes, line["goods_id"])
            packages = line["goods_number"] - line["send_number"]
            for part in rows.packages.get(line["goods_id"], ()):
                ordered = part["goods_number"] * line["goods_number"]
                left = min(part["goods_number"] * packages, ordered - noted.get(component_key(part), 0))
                owed[component_key(part)] += max(0, left)
    return owed
