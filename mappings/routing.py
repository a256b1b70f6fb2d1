"""Which carrier, courier company and account a parcel goes to: rules as data, and a choice that explains itself.

Rules stand in order of preference. The first one that fits and whose carrier is open wins; the default carrier stands
after the last rule and fits everything. `mappings.routing_rules` reads rules from a text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain

from mappings.address import full_cities, full_province
from mappings.model import Order

DEFAULT = "default"
"""The name of what stands after the last rule; no rule may be called so."""

Closed = Mapping[str, str]
"""`kdniao`, `kdniao/ZTO` (a courier company there) or `kdniao/main` (an account there) -> why it is closed."""


@dataclass(frozen=True, slots=True)
class ParcelFacts:
    """What rules ask about. Regions are full names where they are known; `shipper_code` is what the shop's shipping
    method means."""

    shop: str
    shipping_code: str
    shipper_code: str
    province: str
    cities: frozenset[str]
    weight_g: int
    is_cod: bool
    total_fen: int


def facts_of(order: Order) -> ParcelFacts:
    """What an order says about its next parcel: the weight is that of the lines it holds, the total is the order's."""
    where = order.consignee.address
    province = full_province(where.province)
    return ParcelFacts(
        shop=order.shop,
        shipping_code=order.shipping_code,
        shipper_code=order.shipper_code,
        province=province or where.province,
        cities=full_cities(where.city, province) or frozenset({where.city}),
        weight_g=order.weight_g,
        is_cod=order.cod_fen > 0,
        total_fen=order.total_fen,
    )


@dataclass(frozen=True, slots=True)
class When:
    """Conditions, all of which must hold; what is not given is not asked. Limits are inclusive."""

    provinces: frozenset[str] = frozenset()
    cities: frozenset[str] = frozenset()
    min_weight_g: int | None = None
    max_weight_g: int | None = None
    cod: bool | None = None
    shops: frozenset[str] = frozenset()
    shipping: frozenset[str] = frozenset()
    min_total_fen: int | None = None
    max_total_fen: int | None = None

    def why_not(self, parcel: ParcelFacts) -> str:
        """The first condition that does not hold, in words; empty when the parcel fits."""
        return next((why for holds, why in self._asked(parcel) if not holds), "")

    def _asked(self, parcel: ParcelFacts) -> Iterator[tuple[bool, str]]:
        if self.provinces:
            yield parcel.province in self.provinces, f"not for {parcel.province}"
        if self.cities:
            yield bool(self.cities & parcel.cities), f"not for {' or '.join(sorted(parcel.cities))}"
        if self.min_weight_g is not None:
            yield parcel.weight_g >= self.min_weight_g, f"{parcel.weight_g} g is under {self.min_weight_g} g"
        if self.max_weight_g is not None:
            yield parcel.weight_g <= self.max_weight_g, f"{parcel.weight_g} g is over {self.max_weight_g} g"
        if self.cod is not None:
            yield self.cod == parcel.is_cod, "only for cash on delivery" if self.cod else "not for cash on delivery"
        if self.shops:
            yield parcel.shop in self.shops, f"not for shop {parcel.shop}"
        if self.shipping:
            yield parcel.shipping_code in self.shipping, f"not for the shipping method {parcel.shipping_code or '-'}"
        yield from self._asked_of_total(parcel.total_fen)

    def _asked_of_total(self, total_fen: int) -> Iterator[tuple[bool, str]]:
        if self.min_total_fen is not None:
            yield total_fen >= self.min_total_fen, f"{_yuan(total_fen)} is under {_yuan(self.min_total_fen)}"
        if self.max_total_fen is not None:
            yield total_fen <= self.max_total_fen, f"{_yuan(total_fen)} is over {_yuan(self.max_total_fen)}"


@dataclass(frozen=True, slots=True)
class Zone:
    """One line of a tariff: what the first weight costs and every begun step after it; no provinces: all the others."""

    provinces: frozenset[str]
    first_weight_g: int
    first_fee_fen: int
    step_weight_g: int
    step_fee_fen: int

    def fee_fen(self, weight_g: int) -> int:
        steps = -(-max(0, weight_g - self.first_weight_g) // self.step_weight_g)
        return self.first_fee_fen + steps * self.step_fee_fen


Tariff = tuple[Zone, ...]


def find_fee(tariff: Tariff, province: str, weight_g: int) -> int | None:
    """What a parcel costs by a tariff, in fen; None where the tariff does not reach."""
    named = (zone for zone in tariff if province in zone.provinces)
    others = (zone for zone in tariff if not zone.provinces)
    zone = next(chain(named, others), None)
    return None if zone is None else zone.fee_fen(weight_g)


@dataclass(frozen=True, slots=True)
class Offer:
    """A carrier with, where they are given, a courier company and an account there. `tariff` names its cost table."""

    carrier: str
    shipper: str = ""
    account: str = ""
    tariff: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """Parcels that fit `when` go to the first open offer, the cheapest first where several compete by tariff."""

    name: str
    offers: tuple[Offer, ...]
    when: When = field(default_factory=When)
    is_cheapest: bool = False


@dataclass(frozen=True, slots=True)
class Routing:
    """The whole rule set; empty, everything goes to the default carrier."""

    rules: tuple[Rule, ...] = ()
    tariffs: Mapping[str, Tariff] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Skipped:
    """A rule that did not get the parcel, why, and what was closed where it would have."""

    rule: str
    why: str
    closed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Choice:
    """Where a parcel goes. `is_open` is False when all that fits is closed: the parcel then waits for the first."""

    rule: str
    carrier: str
    shipper_code: str
    account: str
    reason: str
    skipped: tuple[Skipped, ...]
    is_open: bool

    @property
    def passed_over(self) -> frozenset[str]:
        """What was closed at the moment of choosing and would have been preferred."""
        return frozenset(target for skipped in self.skipped for target in skipped.closed)


@dataclass(frozen=True, slots=True)
class _Bid:
    """One offer for one parcel."""

    offer: Offer
    shipper_code: str
    fee_fen: int | None = None

    def closed_by(self, closed: Closed) -> tuple[str, ...]:
        carrier = self.offer.carrier
        parts = (part for part in dict.fromkeys((self.shipper_code, self.offer.account)) if part)
        return tuple(target for target in (carrier, *(f"{carrier}/{part}" for part in parts)) if target in closed)


def choose(routing: Routing, parcel: ParcelFacts, closed: Closed, default: str) -> Choice:
    """The first rule that fits and is open, `default` being the carrier after the last rule."""
    skipped: list[Skipped] = []
    first: tuple[Rule, list[_Bid]] | None = None
    last_resort = Rule(DEFAULT, (Offer(default),))
    for rule in (*routing.rules, last_resort):
        bids = _bids(routing, rule, parcel)
        why = rule.when.why_not(parcel) or ("" if bids else f"no tariff of it reaches {parcel.province}")
        if why:
            skipped.append(Skipped(rule.name, why))
            continue
        first = first or (rule, bids)
        shut = [bid.closed_by(closed) for bid in bids]
        preferred = next((number for number, targets in enumerate(shut) if not targets), len(bids))
        targets = tuple(dict.fromkeys(chain(*shut[:preferred])))
        if targets:
            skipped.append(Skipped(rule.name, ", ".join(closed[target] for target in targets), targets))
        if preferred < len(bids):
            return _choice(rule, bids[preferred], len(bids), skipped, is_open=True)
    rule, bids = first or (last_resort, _bids(routing, last_resort, parcel))
    return _choice(rule, bids[0], len(bids), skipped, is_open=False)


def _bids(routing: Routing, rule: Rule, parcel: ParcelFacts) -> list[_Bid]:
    """What the rule's offers come to, cheapest first; of equal ones the first. One that does not reach is left out."""
    bids = []
    for offer in rule.offers:
        shipper_code = offer.shipper or parcel.shipper_code
        if not rule.is_cheapest:
            bids.append(_Bid(offer, shipper_code))
            continue
        fee_fen = find_fee(routing.tariffs[offer.tariff], parcel.province, parcel.weight_g)
        if fee_fen is not None:
            bids.append(_Bid(offer, shipper_code, fee_fen))
    return sorted(bids, key=lambda bid: bid.fee_fen or 0)


def _choice(rule: Rule, bid: _Bid, bids: int, skipped: list[Skipped], *, is_open: bool) -> Choice:
    return Choice(
        rule=rule.name,
        carrier=bid.offer.carrier,
        shipper_code=bid.shipper_code,
        account=bid.offer.account,
        reason=_explain(rule, bid, bids, skipped, is_open=is_open),
        skipped=tuple(skipped),
        is_open=is_open,
    )


def _explain(rule: Rule, bid: _Bid, bids: int, skipped: list[Skipped], *, is_open: bool) -> str:
    """One sentence: the rule, what it chose, and every rule before it with why not."""
    where = f"{bid.offer.carrier} by {bid.shipper_code or 'no courier'}"
    if bid.offer.account:
        where += f", account {bid.offer.account}"
    if bid.fee_fen is not None:
        where += f", at {_yuan(bid.fee_fen)} of {bids} priced"
    said = f"{_called(rule.name)}: {where}"
    if not is_open:
        said = f"waits for {said}, because all that fits is closed"
    passed = [f"{_called(one.rule, is_own=is_open and one.rule == rule.name)} ({one.why})" for one in skipped]
    return f"{said}; passed over: {', '.join(passed)}" if passed else said


def _called(rule: str, *, is_own: bool = False) -> str:
    name = "the default carrier" if rule == DEFAULT else f'rule "{rule}"'
    return f"a better offer of {name}" if is_own else name


def _yuan(fen: int) -> str:
    return f"{fen // 100}.{fen % 100:02d} CNY"
