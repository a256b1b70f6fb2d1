"""The final check, against what the peers and the shop hold themselves: nothing lost, nothing twice, nothing open."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from mappings.shops.ecshop.status import ShippingStatus
from sync.exceptions import OpenException
from sync.sandbox.journeys import JourneyKind
from sync.sandbox.shop import LedgerOrder, LedgerStock
from sync.services.track import STALE

SHIPPED = (ShippingStatus.SHIPPED, ShippingStatus.RECEIVED)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the check looks at. `peers` is the sandbox's ledger; `statuses` our own word for each order number."""

    orders: Sequence[str]
    peers: Mapping[str, Any]
    shop: Mapping[str, LedgerOrder]
    statuses: Mapping[str, str]
    open_exceptions: Sequence[OpenException]
    conservation: int
    stale_count: int
    stock: StockEvidence | None = None


@dataclass(frozen=True, slots=True)
class StockEvidence:
    """What the shop shows of each SKU and what it has sent; `erp` is what the ERP said last that it can sell.

    `on_hand` lay in the ERP before the first order, `kept_back` is never offered; `figures_set` counts what was set.
    """

    shop: Mapping[str, LedgerStock]
    erp: Mapping[str, int]
    on_hand: int
    kept_back: int
    figures_set: int

    def expected(self, sku: str) -> int:
        """Each piece that was ever ordered left the figure once: when its parcel went."""
        return self.on_hand - self.shop[sku].sent - self.kept_back

    @property
    def wrong(self) -> list[str]:
        """SKUs of which the shop shows something else."""
        return [sku for sku, stock in sorted(self.shop.items()) if stock.shown != self.expected(sku)]


@dataclass(frozen=True, slots=True)
class Range:
    """The least and the most of a number over all orders."""

    min: int
    max: int

    @classmethod
    def of(cls, numbers: Iterable[int]) -> Range:
        found = list(numbers) or [0]
        return cls(min(found), max(found))


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome in numbers; `problems` says in sentences what is not as it should be."""

    orders: int
    by_status: dict[str, int]
    lost: int
    duplicates: int
    waybills_per_order: Range
    erp_documents_per_order: Range
    notices: dict[str, int]
    stale: int
    unexpected_exceptions: int
    conservation: int
    problems: tuple[str, ...]
    stock: dict[str, Any] | None = None

    def numbers(self) -> dict[str, Any]:
        """All but the sentences, ready for JSON."""
        return {name: value for name, value in asdict(self).items() if name != "problems"}


@dataclass(frozen=True, slots=True)
class Fate:
    """What the peers and the shop know of one order. `journey` is how its parcel was meant to go."""

    order_sn: str
    waybills: tuple[str, ...]
    documents: tuple[str, ...]
    journey: str
    status: str
    reviews: int
    warnings: int
    shop: LedgerOrder

    @property
    def is_stale(self) -> bool:
        return self.journey == JourneyKind.NEVER_PICKED_UP

    @property
    def extra(self) -> int:
        """Things that exist more than once."""
        return sum(max(0, n - 1) for n in (len(self.waybills), len(self.documents), self.reviews, self.warnings))

    def losses(self) -> list[str]:
        """What did not come to its expected end."""
        return [sentence for is_so, sentence in self._claims() if not is_so]

    def _claims(self) -> list[tuple[bool, str]]:
        expected = STALE if self.is_stale else "returned" if self.journey == JourneyKind.RETURNED else "delivered"
        number = self.waybills[0] if self.waybills else ""
        is_delivered, is_shipped = expected == "delivered", self.shop.shipping_status in SHIPPED
        carries = number in self.shop.invoice_nos or any(number in note.numbers for note in self.shop.notes)
        return [
            (bool(self.waybills), "the carrier has no waybill for it"),
            (bool(self.documents), "the ERP has no document for it"),
            (self.status == expected, f"it should be {expected} and is {self.status or 'unknown to us'}"),
            (bool(number) and carries, "the shop does not carry its waybill number"),
            (is_shipped is not self.is_stale, f"the shop shows it as {_shipping(self.shop.shipping_status)}"),
            (bool(self.reviews) is is_delivered, f"{self.reviews} review reminders were sent for it"),
            (bool(self.warnings) is self.is_stale, f"customer service was told {self.warnings} times"),
        ]


def judge(evidence: Evidence) -> Verdict:
    """Compare every order with what the ledgers say about it."""
    fates = list(_fates(evidence))
    losses = {fate.order_sn: found for fate in fates if (found := fate.losses())}
    unexpected = [entry for entry in evidence.open_exceptions if not _is_expected(entry, fates)]
    stale = sum(fate.is_stale and fate.status == STALE for fate in fates)
    duplicates = sum(fate.extra for fate in fates)
    problems = [f"order {order_sn}: {'; '.join(found)}" for order_sn, found in losses.items()]
    problems += [
        f"order {fate.order_sn}: waybills {fate.waybills}, ERP documents {fate.documents}, {fate.reviews} reminders, "
        f"{fate.warnings} warnings"
        for fate in fates
        if fate.extra
    ]
    problems += [f"open exception {entry.code}: {entry.message}" for entry in unexpected]
    if stale != evidence.stale_count:
        problems.append(f"{stale} pickups are overdue, expected {evidence.stale_count}")
    if evidence.conservation:
        problems.append(f"conservation: {evidence.conservation} paid orders are nowhere")
    problems += _stock_problems(evidence.stock)
    return Verdict(
        orders=len(fates),
        by_status=dict(sorted(Counter(fate.status for fate in fates).items())),
        lost=len(losses),
        duplicates=duplicates,
        waybills_per_order=Range.of(len(fate.waybills) for fate in fates),
        erp_documents_per_order=Range.of(len(fate.documents) for fate in fates),
        notices={"review": sum(fate.reviews for fate in fates), "service": sum(fate.warnings for fate in fates)},
        stale=stale,
        unexpected_exceptions=len(unexpected),
        conservation=evidence.conservation,
        problems=tuple(problems),
        stock=_stock_numbers(evidence.stock),
    )


def _stock_problems(stock: StockEvidence | None) -> list[str]:
    wrong = stock.wrong if stock else []
    return [
        f"stock of {sku}: the shop shows {stock.shop[sku].shown}, it should be {stock.expected(sku)}"
        for sku in wrong
        if stock
    ]


def _stock_numbers(stock: StockEvidence | None) -> dict[str, Any] | None:
    """In numbers, with the SKU that moved most."""
    if stock is None:
        return None
    sku = max(sorted(stock.shop), key=lambda one: stock.shop[one].sent)
    moved = {"sku": sku, "erp_had": stock.on_hand, "erp_has": stock.erp.get(sku), "shop_shows": stock.shop[sku].shown}
    counts = {"skus": len(stock.shop), "wrong": len(stock.wrong), "figures_set": stock.figures_set}
    return {**counts, "moved_most": moved}


def _fates(evidence: Evidence) -> Iterable[Fate]:
    notices = evidence.peers["notices"]
    shop = {order.order_sn: order for order in evidence.shop.values()}
    told = {
        channel: [str(notice.get("title")) for notice in notices if notice.get("channel") == channel]
        for channel in ("review", "service")
    }
    for order_sn in evidence.orders:
        # Whatever order code it came under: a waybill under a second code would be a second parcel all the same.
        booked = [
            entry
            for code, entry in evidence.peers["carrier"]["orders"].items()
            if code.startswith(f"{order_sn}-") and entry["waybills"]
        ]
        yield Fate(
            order_sn=order_sn,
            waybills=tuple(number for entry in booked for number in entry["waybills"]),
            documents=tuple(evidence.peers["erp"]["orders"].get(order_sn, {}).get("documents", ())),
            journey=booked[0]["journey"] if booked else "",
            status=evidence.statuses.get(order_sn, ""),
            reviews=sum(order_sn in title for title in told["review"]),
            warnings=sum(order_sn in title for title in told["service"]),
            shop=shop[order_sn],
        )


def _is_expected(entry: OpenException, fates: Sequence[Fate]) -> bool:
    """The overdue pickup, and a parcel that came back: a person has to see to both."""
    fate = next((fate for fate in fates if fate.order_sn == entry.order_sn), None)
    if fate is None:
        return False
    if entry.code == STALE:
        return fate.is_stale
    return fate.journey == JourneyKind.RETURNED and entry.code.startswith("tracking.")


def _shipping(status: int) -> str:
    return ShippingStatus(status).name.lower() if status in list(ShippingStatus) else str(status)
