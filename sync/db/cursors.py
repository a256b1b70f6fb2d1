"""Named values with the time they were written: last polls, the heartbeat, reconciliation results."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from sync.clock import utc_now
from sync.db.models import CursorRow
from sync.db.session import insert_into


def set_cursor(session: Session, name: str, value: str) -> None:
    """Write a named value, now. Several processes may write the same one for the first time at once."""
    news = {"value": value, "at": utc_now()}
    written = insert_into(session.get_bind().dialect.name, CursorRow).values(name=name, **news)
    session.execute(written.on_conflict_do_update(index_elements=[CursorRow.name], set_=news))


def read_cursors(session: Session, prefix: str) -> dict[str, tuple[str, datetime]]:
    """Named values by prefix: name without the prefix -> (value, written at)."""
    rows = session.execute(select(CursorRow).where(CursorRow.name.startswith(prefix, autoescape=True))).scalars()
    return {row.name.removeprefix(prefix): (row.value, row.at) for row in rows}
