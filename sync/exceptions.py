"""The exception desk: what needs a person, grouped by cause; opened, closed, retried and resolved here only."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from sync.clock import utc_now
from sync.db.models import AuditRow, ExceptionGroupRow, ExceptionRow, InboxRow, OrderRow, PeerRow, StepRow
from sync.db.session import insert_new

MAX_RESUMES = 3
"""How often a step parked during an outage goes on by itself; after that a person looks at it."""

SELF_HEALING = ("transient", "uncertain")


@dataclass(frozen=True, slots=True)
class Cause:
    """Why something needs a person. `code` groups, `subject` is unique in its group, `message` is for people."""

    code: str
    peer: str
    subject: str
    message: str
    order_id: int | None = None
    step_id: int | None = None
    inbox_id: int | None = None


def open_exception(session: Session, cause: Cause) -> bool:
    """Put a cause on the desk; returns False when it lies there already (it is counted again)."""
    now = utc_now()
    group = _group(session, cause, now)
    row = session.execute(
        select(ExceptionRow).where(ExceptionRow.group_id == group.id, ExceptionRow.subject == cause.subject)
    ).scalar_one_or_none()
    if row is None:
        session.add(
            ExceptionRow(
                group_id=group.id,
                subject=cause.subject,
                order_id=cause.order_id,
                step_id=cause.step_id,
                inbox_id=cause.inbox_id,
                message=cause.message,
                opened_at=now,
                last_seen_at=now,
            )
        )
        return True
    is_news = row.resolved_at is not None
    row.resolved_at, row.resolved_by, row.resolution = None, "", ""
    row.message, row.last_seen_at, row.times = cause.message, now, row.times + 1
    return is_news


def _group(session: Session, cause: Cause, now: datetime) -> ExceptionGroupRow:
    group = session.execute(
        select(ExceptionGroupRow)
        .where(ExceptionGroupRow.code == cause.code, ExceptionGroupRow.peer == cause.peer)
        .with_for_update()
    ).scalar_one_or_none()
    if group is None:
        group = _add_group(session, cause, now)
    if group.state == "resolved":
        group.state = "regressed"
    group.last_seen_at = now
    return group


def _add_group(session: Session, cause: Cause, now: datetime) -> ExceptionGroupRow:
    """Two workers may meet the first case of a cause at once; the second then finds the first one's group."""
    values = {"code": cause.code, "peer": cause.peer, "state": "new", "first_seen_at": now, "last_seen_at": now}
    session.execute(insert_new(session.get_bind().dialect.name, ExceptionGroupRow), values)
    return session.execute(
        select(ExceptionGroupRow).where(ExceptionGroupRow.code == cause.code, ExceptionGroupRow.peer == cause.peer)
    ).scalar_one()


def close_exceptions(session: Session, subject: str, resolution: str, *, code: str | None = None) -> int:
    """Take what lies on the desk about a subject off it, because the cause is gone; returns how many."""
    wanted = select(ExceptionRow).where(ExceptionRow.subject == subject, ExceptionRow.resolved_at.is_(None))
    if code:
        wanted = wanted.join(ExceptionGroupRow).where(ExceptionGroupRow.code == code)
    return _resolve(session, session.execute(wanted).scalars().all(), "ecsync", resolution)


def retell(session: Session, subject: str, message: str, *, code: str) -> None:
    """Say anew what lies open on the desk about a subject; what was resolved stays so."""
    wanted = (
        select(ExceptionRow)
        .join(ExceptionGroupRow)
        .where(ExceptionRow.subject == subject, ExceptionRow.resolved_at.is_(None), ExceptionGroupRow.code == code)
    )
    for row in session.execute(wanted).scalars():
        row.message = message


def _resolve(session: Session, rows: Sequence[ExceptionRow], by: str, resolution: str) -> int:
    now = utc_now()
    for row in rows:
        row.resolved_at, row.resolved_by, row.resolution = now, by, resolution
    session.flush()
    for group_id in {row.group_id for row in rows}:
        _settle_group(session, group_id)
    return len(rows)


def _settle_group(session: Session, group_id: int) -> None:
    still_open = session.execute(
        select(func.count())
        .select_from(ExceptionRow)
        .where(ExceptionRow.group_id == group_id, ExceptionRow.resolved_at.is_(None))
    ).scalar_one()
    if not still_open:
        session.execute(update(ExceptionGroupRow).where(ExceptionGroupRow.id == group_id).values(state="resolved"))


def open_messages(session: Session, subjects: Collection[str]) -> dict[str, str]:
    """What lies on the desk about these subjects: subject -> message."""
    wanted = select(ExceptionRow.subject, ExceptionRow.message).where(
        ExceptionRow.subject.in_(subjects), ExceptionRow.resolved_at.is_(None)
    )
    return {row.subject: row.message for row in session.execute(wanted)}


def is_settled(session: Session, subject: str) -> bool:
    """Whether a person resolved what lay on the desk about a subject, and nothing of it is open."""
    lines = session.execute(
        select(ExceptionRow.resolved_at, ExceptionRow.resolved_by).where(ExceptionRow.subject == subject)
    )
    found = lines.all()
    return all(at is not None for at, _ in found) and any(by not in ("", "ecsync") for _, by in found)


def open_subjects(session: Session, peer: str, prefix: str) -> list[str]:
    """What lies on the desk about a peer whose subject begins so."""
    wanted = (
        select(ExceptionRow.subject)
        .join(ExceptionGroupRow, ExceptionGroupRow.id == ExceptionRow.group_id)
        .where(
            ExceptionGroupRow.peer == peer,
            ExceptionRow.resolved_at.is_(None),
            ExceptionRow.subject.startswith(prefix, autoescape=True),
        )
    )
    return list(session.execute(wanted).scalars())


def step_subject(step: StepRow) -> str:
    return f"step:{step.id}"


def park_step(session: Session, step: StepRow, code: str, message: str, order_sn: str) -> None:
    """A step needs a person: it leaves the queue and goes to the desk."""
    step.state, step.finished_at = "parked", utc_now()
    open_exception(
        session,
        Cause(
            code=code,
            peer=step.peer,
            subject=step_subject(step),
            message=f"Order {order_sn}: {step.name} at {step.peer} is parked after {step.attempts} attempts. {message}",
            order_id=step.order_id,
            step_id=step.id,
        ),
    )


def resume_after_outage(session: Session, peer: str, since: datetime) -> None:
    """The peer answers again: steps parked since it began to fail go on by themselves, a few times at most."""
    parked = session.execute(
        select(StepRow).where(
            StepRow.peer == peer,
            StepRow.state == "parked",
            StepRow.last_outcome.in_(SELF_HEALING),
            StepRow.finished_at >= since - timedelta(minutes=1),
            StepRow.resumes < MAX_RESUMES,
        )
    ).scalars()
    for step in parked:
        step.resumes += 1
        reopen_step(session, step)
        close_exceptions(session, step_subject(step), f"{peer} answers again; the step went on by itself")
    close_exceptions(session, f"peer:{peer}", f"{peer} accepts us again")


def report_refused_peer(session: Session, peer: str, cause: str) -> None:
    """Our credentials are refused: one line on the desk for the peer, however many orders wait."""
    message = f"{peer} refuses our credentials; its orders wait and none is lost. Correct the settings. {cause}"
    open_exception(session, Cause(f"{peer}.refused", peer, f"peer:{peer}", message))


def reopen_step(session: Session, step: StepRow) -> None:
    """Owe a parked step again, with a full set of attempts; what is uncertain about it stays known."""
    step.state, step.attempts, step.losses = "owed", 0, 0
    step.not_before, step.enqueued_at, step.finished_at = utc_now(), None, None
    step.lease_until, step.lease_token = None, ""


@dataclass(frozen=True, slots=True)
class OpenException:
    """One line of the desk."""

    id: int
    code: str
    peer: str
    order_sn: str
    order_id: int | None
    subject: str
    message: str
    opened_at: datetime
    last_seen_at: datetime
    times: int


def list_open(session: Session, *, order_id: int | None = None, limit: int = 200) -> list[OpenException]:
    """What needs a person now, oldest first."""
    wanted = (
        select(ExceptionRow, ExceptionGroupRow, OrderRow.order_sn)
        .join(ExceptionGroupRow, ExceptionGroupRow.id == ExceptionRow.group_id)
        .outerjoin(OrderRow, OrderRow.id == ExceptionRow.order_id)
        .where(ExceptionRow.resolved_at.is_(None))
        .order_by(ExceptionRow.opened_at, ExceptionRow.id)
        .limit(limit)
    )
    if order_id is not None:
        wanted = wanted.where(ExceptionRow.order_id == order_id)
    return [
        OpenException(
            id=row.id,
            code=group.code,
            peer=group.peer,
            order_sn=order_sn or "",
            order_id=row.order_id,
            subject=row.subject,
            message=row.message,
            opened_at=row.opened_at,
            last_seen_at=row.last_seen_at,
            times=row.times,
        )
        for row, group, order_sn in session.execute(wanted)
    ]


def retry_exception(session: Session, exception_id: int, actor: str, reason: str = "") -> bool:
    """Try again what lies on the desk; returns False when the entry is closed or has nothing to retry."""
    row = session.get(ExceptionRow, exception_id, with_for_update=True)
    if row is None or row.resolved_at is not None:
        return False
    if row.step_id is not None:
        step = session.get(StepRow, row.step_id, with_for_update=True)
        if step is None or step.state != "parked":
            return False
        reopen_step(session, step)
    elif row.inbox_id is not None:
        inbox = session.get(InboxRow, row.inbox_id, with_for_update=True)
        if inbox is None:
            return False
        inbox.verdict, inbox.tellings, inbox.not_before = "waiting", 0, utc_now()
    elif row.subject.startswith("peer:"):
        return _probe_now(session, row, actor, reason)
    else:
        return False
    _resolve(session, [row], actor, f"retried. {reason}".strip())
    _audit(session, actor, "exceptions.retry", row, reason)
    return True


def _probe_now(session: Session, row: ExceptionRow, actor: str, reason: str) -> bool:
    """The credentials were corrected: let one call through at once; its success closes the line."""
    peer = session.get(PeerRow, row.subject.removeprefix("peer:"), with_for_update=True)
    if peer is None or peer.state == "on":
        return False
    peer.probe_at = utc_now()
    session.execute(
        update(StepRow).where(StepRow.peer == peer.peer, StepRow.state == "owed").values(not_before=utc_now())
    )
    _audit(session, actor, "peers.probe", row, reason)
    return True


def resolve_exception(session: Session, exception_id: int, actor: str, reason: str) -> bool:
    """A person settled it another way; a parked step of it is dropped, so that nothing does it twice."""
    row = session.get(ExceptionRow, exception_id, with_for_update=True)
    if row is None or row.resolved_at is not None:
        return False
    step = session.get(StepRow, row.step_id, with_for_update=True) if row.step_id is not None else None
    if step is not None and step.state == "parked":
        step.state = "dropped"
    _resolve(session, [row], actor, reason)
    _audit(session, actor, "exceptions.resolve", row, reason)
    return True


def _audit(session: Session, actor: str, action: str, row: ExceptionRow, reason: str) -> None:
    session.add(AuditRow(at=utc_now(), actor=actor, action=action, subject=f"exception:{row.id}", reason=reason))
