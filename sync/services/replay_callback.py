"""Applies a stored push once more with today's tables; the facts it brought before have no effect again."""

from __future__ import annotations

from sync import exceptions as desk
from sync.clock import utc_now
from sync.db.models import AuditRow, InboxRow
from sync.db.steps import Wake
from sync.runtime import Runtime
from sync.services.apply_callback import apply_callback


class NoSuchCallback(Exception):
    """There is no stored push with this id."""


def replay_callback(rt: Runtime, inbox_id: int, actor: str) -> tuple[str, str, list[Wake]]:
    """Replay one push; returns its new verdict, what it did, and whom to wake. Raises NoSuchCallback."""
    with rt.database.writing() as session:
        row = session.get(InboxRow, inbox_id, with_for_update=True)
        if row is None:
            raise NoSuchCallback(f"There is no callback {inbox_id} in the inbox")
        row.verdict, row.tellings, row.not_before = "waiting", 1, utc_now()
        desk.close_exceptions(session, f"inbox:{inbox_id}", f"replayed by {actor}")
        session.add(AuditRow(at=utc_now(), actor=actor, action="callbacks.replay", subject=f"inbox:{inbox_id}"))
    wakes = apply_callback(rt, inbox_id)
    with rt.database.reading() as session:
        row = session.get_one(InboxRow, inbox_id)
        return row.verdict, row.detail, wakes
