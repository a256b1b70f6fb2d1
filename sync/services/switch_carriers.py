"""The switchboard: pause or drain a carrier, a courier company or an account there, resume it, name the default.

Every change is written to the audit table with who and why, and is in force in all processes within seconds.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from mappings.china_time import SHANGHAI
from sync.clock import utc_now
from sync.db.models import AuditRow, ShipmentRow, StepRow, SwitchRow
from sync.db.overview import read_doors
from sync.runtime import Runtime
from sync.services.route import BOOKING
from sync.switchboard import DEFAULT, DRAINING, PAUSED, Switch

MODES = {"pause": PAUSED, "drain": DRAINING}
ACTIONS = (*MODES, "resume", "default")

_PART = re.compile(r"[\w.-]{1,40}")
_COURIER = re.compile(r"[0-9A-Z_]{1,20}")
_SPAN = re.compile(r"(\d{1,4})([mhd])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


class SwitchRefused(Exception):
    """The wish cannot be granted; nothing was changed. The text says why."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants switched. `target` is `kdniao`, `kdniao/ZTO` or `kdniao/ACCOUNT`; `until` None: no end."""

    action: str
    target: str
    reason: str
    actor: str
    until: datetime | None = None


def parse_until(text: str) -> datetime:
    """`30m`, `2h`, `3d` from now, or an ISO time, which is Beijing time unless it says otherwise.

    Raises SwitchRefused for any other text and for a time that has passed.
    """
    now = utc_now()
    span = _SPAN.fullmatch(text.strip())
    try:
        if span is None:
            until = datetime.fromisoformat(text.strip())
        else:
            until = now + timedelta(**{_UNITS[span[2]]: int(span[1])})
    except ValueError:
        raise SwitchRefused(
            f"{text!r} is no end: write 30m, 2h, 3d, or a time such as 2026-12-01T18:00 (Beijing time)"
        ) from None
    until = until.replace(tzinfo=SHANGHAI) if until.tzinfo is None else until
    if until <= now:
        raise SwitchRefused(f"The end {until.isoformat(timespec='minutes')} has passed already")
    return until.astimezone(UTC)


def switch(rt: Runtime, wish: Wish) -> str:
    """Do it and say what it means, in one sentence; raises SwitchRefused."""
    what = _check(rt, wish)
    with rt.database.writing() as session:
        if wish.action == "resume":
            said = _resume(session, what)
        else:
            mode = MODES.get(wish.action) or f"carrier.{_name(wish.target)}"
            said = _set(session, what, mode, wish)
        reason = f"{wish.reason} ({said})"
        session.add(
            AuditRow(at=utc_now(), actor=wish.actor, action=f"carriers.{wish.action}", subject=what, reason=reason)
        )
    rt.switchboard.forget()
    return said


def _check(rt: Runtime, wish: Wish) -> str:
    """The name of the switch."""
    if wish.action not in ACTIONS:
        raise SwitchRefused(f"{wish.action!r} is none of {', '.join(ACTIONS)}")
    if not wish.reason.strip() or not wish.actor.strip():
        raise SwitchRefused("A reason and a name are needed: they are kept in the audit table and shown to others")
    if len(wish.actor) > 40 or len(wish.reason) > 500:
        raise SwitchRefused("A name has at most 40 characters, a reason at most 500")
    if wish.action == "resume" and wish.target == DEFAULT:
        return DEFAULT
    carrier, slash, part = _name(wish.target).partition("/")
    names = [peer.name for peer in rt.settings.carriers]
    if carrier not in names:
        raise SwitchRefused(f"No carrier is called {carrier!r}; configured are {', '.join(names)}")
    if slash and (wish.action == "default" or not _PART.fullmatch(part)):
        raise SwitchRefused(f"{wish.target!r} is not CARRIER" + ("" if wish.action == "default" else "/COURIER"))
    if wish.action == "default":
        return DEFAULT
    return f"carrier.{carrier}{slash}{_spelled(rt, carrier, part) if part else ''}"


def _spelled(rt: Runtime, carrier: str, part: str) -> str:
    """An account as rules name it, or what is switched already; else a courier company's code, in capitals.

    Raises SwitchRefused for any other name: no parcel carries it, so switching it would stop nothing.
    """
    rules = rt.settings.routing.rules
    accounts = {offer.account for rule in rules for offer in rule.offers if offer.carrier == carrier}
    if part in accounts or f"carrier.{carrier}/{part}" in rt.switchboard.read().switches:
        return part
    code = part.upper()
    if not _COURIER.fullmatch(code):
        raise SwitchRefused(
            f"No routing rule names an account {part!r} at {carrier}, so no parcel goes by that name: switch the "
            f"courier company whose account it is, such as {carrier}/ZTO"
        )
    return code


def _name(target: str) -> str:
    return target.strip().removeprefix("carrier.")


def _set(session: Session, what: str, mode: str, wish: Wish) -> str:
    row = session.get(SwitchRow, what, with_for_update=True)
    if row is None:
        row = SwitchRow(what=what)
        session.add(row)
    row.mode, row.reason, row.actor, row.since, row.until = mode, wish.reason, wish.actor, utc_now(), wish.until
    until = f" until {wish.until:%Y-%m-%d %H:%M} UTC" if wish.until else " until it is resumed"
    if what == DEFAULT:
        return f"{mode} is the default carrier{until}"
    return f"{what} is {mode}{until}; {_count_owed(session, what)} parcels are owed a waybill there now"


def _count_owed(session: Session, what: str) -> int:
    """A number that shows at once when a courier company or account was misspelt."""
    peer, _, part = what.partition("/")
    owed = (
        select(func.count())
        .select_from(StepRow)
        .join(ShipmentRow, ShipmentRow.id == StepRow.shipment_id)
        .where(StepRow.name == BOOKING, StepRow.peer == peer, StepRow.state == "owed")
    )
    if part:
        owed = owed.where((ShipmentRow.shipper_code == part) | (ShipmentRow.account == part))
    return session.execute(owed).scalar_one()


def _resume(session: Session, what: str) -> str:
    """Open again what was closed; what waits there is due at once."""
    row = session.get(SwitchRow, what, with_for_update=True)
    if row is None or (row.until is not None and row.until <= utc_now()):
        raise SwitchRefused(f"{what} is not switched off; see: ecsync carriers list")
    session.execute(delete(SwitchRow).where(SwitchRow.what == what))
    if what == DEFAULT:
        return "the first of ECSYNC_CARRIERS is the default carrier again"
    waiting = (StepRow.peer == what.partition("/")[0], StepRow.state == "owed", StepRow.not_before > utc_now())
    session.execute(update(StepRow).where(*waiting).values(not_before=utc_now(), enqueued_at=None))
    return f"{what} is open again; parcels that have moved away stay where they are"


def read_switchboard(rt: Runtime) -> dict[str, Any]:
    """How every carrier stands, as JSON-ready values."""
    rt.switchboard.forget()
    standing = rt.switchboard.read()
    with rt.database.reading() as session:
        doors = read_doors(session)
        owed = dict(
            session.execute(
                select(StepRow.peer, func.count())
                .where(StepRow.name == BOOKING, StepRow.state.in_(("owed", "running")))
                .group_by(StepRow.peer)
            ).all()
        )
    default = standing.default_carrier([peer.key for peer in rt.settings.carriers])
    return {
        "default": default,
        "carriers": [
            {
                "carrier": peer.key,
                "is_default": peer.key == default,
                "door": doors.get(peer.key, "on"),
                "is_left": peer.key in standing.away,
                "owed": owed.get(peer.key, 0),
            }
            for peer in rt.settings.carriers
        ],
        "switches": [_shown(one) for one in standing.switches.values()],
    }


def _shown(one: Switch) -> dict[str, Any]:
    return {
        "what": one.what,
        "mode": one.mode,
        "reason": one.reason,
        "actor": one.actor,
        "since": one.since.isoformat(timespec="seconds"),
        "until": one.until.isoformat(timespec="seconds") if one.until else None,
    }
