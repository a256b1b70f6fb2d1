"""Takes what an ERP's warehouse has sent: its numbers become the waybills of our parcels (docs/adr/0013-erps.md).

A number is taken once, whatever is told twice: the parcel that carries it is the proof. What cannot be taken goes to a
person. The next look begins where this one began, less an overlap, or as early as this one while anything may still be
taken by itself.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import cast

from mappings.connector import ShippingErp
from mappings.errors import PermanentError
from mappings.model import ErpShipment
from sync import exceptions as desk
from sync.clock import utc_now
from sync.db.cursors import read_cursors, set_cursor
from sync.db.steps import StepBook, Wake
from sync.gateway import CallContext
from sync.runtime import Runtime
from sync.services.adopt_shipment import NotTaken, NotYet, adopt_shipment, find_known, subject_of

log = logging.getLogger(__name__)

OVERLAP = timedelta(minutes=15)
"""Asked for again at each look: clocks differ, and an ERP may stamp a shipment before it commits it."""
FIRST_LOOK, LONGEST_LOOK = timedelta(days=1), timedelta(days=7)
"""How far back the first look goes, and any: some ERPs answer for a week at most."""

TAKEN, KNOWN, WAITING, PARKED = "taken", "known", "waiting", "parked"


@dataclass(slots=True)
class ShipmentRun:
    """What one look found: `counts` by what became of each shipment (taken, known, waiting, parked)."""

    erp: str
    counts: Counter[str] = field(default_factory=Counter)
    wakes: list[Wake] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Fate:
    """What became of one shipment. `answer` is for the ERP: empty when it was taken, None when it is not decided."""

    result: str
    answer: str | None = ""
    is_held: bool = False
    """It is to be told again."""


def take_shipments(rt: Runtime, erp_key: str) -> ShipmentRun:
    """Ask one ERP what it has sent and take it; raises any PeerError, or PeerAway.

    A PermanentError is on the desk until a later look goes well.
    """
    subject = f"shipments:{erp_key}"
    try:
        run = _run(rt, erp_key)
    except PermanentError as error:
        with rt.database.writing() as session:
            message = f"What {erp_key} has sent could not be read, so these orders wait. {error.message}"
            desk.open_exception(session, desk.Cause(error.code, erp_key, subject, message))
        raise
    with rt.database.writing() as session:
        desk.close_exceptions(session, subject, "a later look went well")
    return run


def _run(rt: Runtime, erp_key: str) -> ShipmentRun:
    erp, started = cast(ShippingErp, rt.erps[erp_key]), utc_now()
    since = _since(rt, erp_key, started)
    told = rt.gateway.run(erp_key, erp.poll_shipments(since), CallContext())
    run = ShipmentRun(erp_key)
    fates = _take_all(rt, erp_key, told, run)
    answers = {
        one.key: fate.answer for one, fate in zip(told, fates, strict=True) if one.key and fate.answer is not None
    }
    if answers:
        rt.gateway.run(erp_key, erp.settle_shipments(answers), CallContext())
    is_held = any(fate.is_held for fate in fates)
    with rt.database.writing() as session:
        next_since = max(since, started - LONGEST_LOOK) if is_held else started - OVERLAP
        set_cursor(session, _cursor(erp_key), next_since.isoformat())
    for result, count in run.counts.items():
        rt.counters.shipments.labels(erp_key, result).inc(count)
    if set(run.counts) - {KNOWN}:
        log.info("shipments of %s: %s", erp_key, ", ".join(f"{n} {what}" for what, n in sorted(run.counts.items())))
    return run


def _since(rt: Runtime, erp_key: str, now: datetime) -> datetime:
    with rt.database.reading() as session:
        found = read_cursors(session, _cursor(erp_key)).get("")
    return datetime.fromisoformat(found[0]) if found else now - FIRST_LOOK


def _take_all(rt: Runtime, erp_key: str, told: Sequence[ErpShipment], run: ShipmentRun) -> list[_Fate]:
    with rt.database.reading() as session:
        known = find_known(session, told)
    fates = []
    for shipment in told:
        is_known = (shipment.external_ref, shipment.waybill_no.strip()) in known
        fate = _Fate(KNOWN) if is_known else _take(rt, erp_key, shipment, run)
        run.counts[fate.result] += 1
        fates.append(fate)
    return fates


def _take(rt: Runtime, erp_key: str, shipment: ErpShipment, run: ShipmentRun) -> _Fate:
    subject, wakes = subject_of(erp_key, shipment), list[Wake]()
    try:
        with rt.database.writing() as session:
            if desk.is_settled(session, subject):
                return _Fate(KNOWN, "settled by a person")
            is_new = adopt_shipment(rt, StepBook(session, wakes), erp_key, shipment)
            desk.close_exceptions(session, subject, "its number was taken")
    except NotYet as why:
        log.info("shipment %s of %s waits: %s", shipment.waybill_no, shipment.external_ref, why)
        return _Fate(WAITING, None, is_held=True)
    except NotTaken as why:
        with rt.database.writing() as session:
            desk.open_exception(session, desk.Cause(why.code, erp_key, subject, str(why), why.order_id))
        return _Fate(PARKED, None if why.heals else str(why), is_held=why.heals)
    run.wakes += [wake for wake in wakes if wake not in run.wakes]
    return _Fate(TAKEN if is_new else KNOWN)


def _cursor(erp_key: str) -> str:
    return f"shipments.{erp_key}"
