"""Pauses one account at a carrier, or one courier company, that is refused: its orders wait or go another way."""

from __future__ import annotations

import logging
from datetime import timedelta

from mappings.errors import AuthError
from sync.clock import utc_now
from sync.db.models import SwitchRow
from sync.runtime import Runtime
from sync.switchboard import PAUSED

log = logging.getLogger(__name__)

ACTOR = "ecsync"
PAUSE = timedelta(minutes=5)
"""As rare as a refused peer is probed; one order is tried after it, and pauses the account again if need be."""


def pause_account(rt: Runtime, peer: str, refusal: AuthError) -> None:
    """Switch off what the refusal names, for a while; what a person has switched there stays as it is."""
    what, now = f"{peer}/{refusal.account}", utc_now()
    values = {
        "what": what,
        "mode": PAUSED,
        "reason": f"the courier company refuses this account [{refusal.code}]; see the desk",
        "actor": ACTOR,
        "since": now,
        "until": now + PAUSE,
    }
    with rt.database.writing() as session:
        row = session.get(SwitchRow, what, with_for_update=True)
        if row is None:
            session.execute(rt.database.insert_new(SwitchRow), values)
        elif row.actor == ACTOR or (row.until is not None and row.until <= now):
            for name, value in values.items():
                setattr(row, name, value)
    rt.switchboard.forget()
    log.error("%s is paused for %s: %s", what, PAUSE, refusal)
