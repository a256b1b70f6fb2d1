"""Steps: owing, claiming, finishing. Every change of state is a conditional update, so two workers never both win."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, and_, bindparam, or_, select, update
from sqlalchemy.orm import QueryableAttribute, Session, aliased

from sync.clock import utc_now
from sync.db.models import ShipmentRow, StepRow, UtcDateTime
from sync.db.session import count_changed, insert_new

UNFINISHED = ("owed", "running", "parked")
_COLUMNS = StepRow.table().c
_MOMENT = bindparam("moment", type_=UtcDateTime())


@dataclass(frozen=True, slots=True)
class Wake:
    """Work to tell a worker about: this order owes something to this peer. Losing one costs seconds, never the work."""

    order_id: int
    peer: str


@dataclass(slots=True)
class StepBook:
    """Owes steps within one transaction and remembers whom to wake after the commit."""

    session: Session
    wakes: list[Wake] = field(default_factory=list)
    _woken: set[Wake] = field(init=False)

    def __post_init__(self) -> None:
        self._woken = set(self.wakes)

    def owe(
        self,
        name: str,
        peer: str,
        order_id: int,
        *,
        shipment_id: int | None = None,
        parcel_no: int = 0,
        not_before: datetime | None = None,
        again: bool = False,
        revives: bool = False,
    ) -> None:
        """Owe a step once; a step that stands there already stays as it is.

        Unless `again` and it is over, or `revives` and it was dropped.
        """
        now = utc_now()
        due = not_before or now
        place = {"order_id": order_id, "parcel_no": parcel_no, "name": name, "peer": peer}
        fresh = {"state": "owed", "attempts": 0, "losses": 0, "not_before": due, "created_at": now}
        fresh |= {"enqueued_at": now if due <= now else None, "finished_at": None}
        new = insert_new(self.session.get_bind().dialect.name, StepRow)
        if not count_changed(self.session.execute(new, {**place, "shipment_id": shipment_id, **fresh})):
            row = self.session.execute(_STANDING, place).scalar_one()
            if not ((again and row.state == "done") or ((again or revives) and row.state == "dropped")):
                return
            for column, value in fresh.items():
                setattr(row, column, value)
        if due <= now:
            self.wake(order_id, peer)

    def owe_again(self, name: str, peer: str, parcels: Sequence[tuple[int, int, int]]) -> None:
        """Owe one step of each parcel (order id, shipment id, parcel number) anew, in few statements; an unfinished
        one stays as it is."""
        if not parcels:
            return
        now = utc_now()
        over = (
            StepRow.name == name,
            StepRow.peer == peer,
            StepRow.shipment_id.in_([shipment_id for _, shipment_id, _ in parcels]),
            StepRow.state.not_in(UNFINISHED),
        )
        fresh: dict[str, Any] = {"state": "owed", "attempts": 0, "losses": 0, "is_uncertain": False}
        fresh |= {"not_before": now, "enqueued_at": now, "created_at": now}
        self.session.execute(
            update(StepRow).where(*over).values(finished_at=None, **fresh),
            execution_options={"synchronize_session": False},
        )
        rows = [
            {"name": name, "peer": peer, "order_id": order_id, "shipment_id": shipment_id, "parcel_no": parcel_no}
            for order_id, shipment_id, parcel_no in parcels
        ]
        new = insert_new(self.session.get_bind().dialect.name, StepRow)
        self.session.execute(new, [{**row, **fresh} for row in rows])
        for order_id, _, _ in parcels:
            self.wake(order_id, peer)

    def wake(self, order_id: int, peer: str) -> None:
        wake = Wake(order_id, peer)
        if wake not in self._woken:
            self._woken.add(wake)
            self.wakes.append(wake)

    def drop(self, order_id: int, *, names: tuple[str, ...] | None = None) -> None:
        """What is still owed for an order is no longer wanted; a running step ends by itself."""
        wanted = update(StepRow).where(StepRow.order_id == order_id, StepRow.state.in_(("owed", "parked")))
        if names:
            wanted = wanted.where(StepRow.name.in_(names))
        self.session.execute(wanted.values(state="dropped", finished_at=utc_now()))


class Claim(NamedTuple):
    """A step whose lease we hold, with its parcel. `step` is as it stood before: its uncertainty is the past's.

    `losses` counts a worker that died with it just now.
    """

    step: StepRow
    shipment: ShipmentRow | None
    token: str
    losses: int


def claim_next(session: Session, order_id: int, peer: str, lease_s: float) -> Claim | None:
    """Take the lease of the next due step of an order at a peer; None when nothing is due or another has it.

    From now on the step counts as uncertain: whoever holds the lease is about to call the peer. Steps of an order at
    a shop run in the order they were owed: a note comes before what is written on it.
    """
    now = utc_now()
    found = session.execute(_NEXT_DUE, {"wanted_order": order_id, "wanted_peer": peer, "moment": now}).one_or_none()
    if found is None:
        return None
    step, shipment = found
    lost = int(step.state == "running")
    token = secrets.token_hex(8)
    lease = {"wanted_step": step.id, "moment": now, "until": now + timedelta(seconds=lease_s), "token": token}
    if count_changed(session.execute(_TAKE_LEASE, {**lease, "lost": lost})) != 1:
        return None
    return Claim(step, shipment, token, step.losses + lost)


def finish(session: Session, step_id: int, token: str) -> bool:
    """The step is done; False when this lease no longer holds and another worker took over."""
    done = {"wanted_step": step_id, "wanted_token": token, "at": utc_now()}
    return count_changed(session.execute(_FINISH, done)) == 1


def is_unfinished(state: ColumnElement[str] | QueryableAttribute[str]) -> ColumnElement[bool]:
    """Said one by one: SQLAlchemy spells out an IN anew each time a statement is executed."""
    return or_(*(state == one for one in UNFINISHED))


def _is_blocked() -> ColumnElement[bool]:
    """Whether an earlier step of the order at the same shop is not over yet."""
    earlier = aliased(StepRow)
    unfinished = select(earlier.id).where(
        earlier.order_id == StepRow.order_id,
        earlier.peer == StepRow.peer,
        earlier.id < StepRow.id,
        is_unfinished(earlier.state),
    )
    return and_(StepRow.peer.startswith("shop."), unfinished.exists())


def _is_claimable(step: Any) -> ColumnElement[bool]:
    """`step` is the model, or the columns of its table."""
    return or_(
        and_(step.state == "owed", step.not_before <= _MOMENT),
        and_(step.state == "running", step.lease_until < _MOMENT),
    )


# Built once: every step of every order asks these, and building them took a quarter of its time.
_STANDING = select(StepRow).where(
    *(getattr(StepRow, name) == bindparam(name) for name in ("order_id", "parcel_no", "name", "peer"))
)
_NEXT_DUE = (
    select(StepRow, ShipmentRow)
    .outerjoin(ShipmentRow, ShipmentRow.id == StepRow.shipment_id)
    .where(
        StepRow.order_id == bindparam("wanted_order"),
        StepRow.peer == bindparam("wanted_peer"),
        _is_claimable(StepRow),
        ~_is_blocked(),
    )
    .order_by(StepRow.id)
    .limit(1)
)
_TAKE_LEASE = (
    update(StepRow.table())
    .where(_COLUMNS.id == bindparam("wanted_step"), _is_claimable(_COLUMNS))
    .values(
        state="running",
        lease_until=bindparam("until"),
        lease_token=bindparam("token"),
        losses=_COLUMNS.losses + bindparam("lost"),
        is_uncertain=True,
    )
)
_FINISH = (
    update(StepRow.table())
    .where(
        _COLUMNS.id == bindparam("wanted_step"),
        _COLUMNS.state == "running",
        _COLUMNS.lease_token == bindparam("wanted_token"),
    )
    .values(
        state="done",
        is_uncertain=False,
        finished_at=bindparam("at", type_=UtcDateTime()),
        last_outcome="ok",
        last_code="",
        last_message="",
    )
)


def hold(session: Session, step_id: int, token: str) -> StepRow | None:
    """The step, locked, if this lease still holds; None when another worker took over."""
    step = session.execute(select(StepRow).where(StepRow.id == step_id).with_for_update()).scalar_one_or_none()
    if step is None or step.state != "running" or step.lease_token != token:
        return None
    return step


def find_idle(
    session: Session,
    *,
    requeue_after_s: float,
    queue_depths: Mapping[str, int],
    closed_peers: Collection[str] = (),
    limit: int = 500,
) -> dict[int, Wake]:
    """Steps that are due and that nobody was told of, or whose message is lost: step id -> whom to wake.

    A message counts as lost when the peer's queue is empty and the step was due and told longer than
    `requeue_after_s` ago. While the queue still holds messages, theirs are waiting, not lost. Nobody is told of steps
    at `closed_peers`: they would only be put off again.
    """
    now = utc_now()
    told_long_ago = now - timedelta(seconds=requeue_after_s)
    told_very_long_ago = now - timedelta(seconds=60 * requeue_after_s)
    busy = [queue for queue, depth in queue_depths.items() if depth > 0]
    message_is_lost = or_(
        StepRow.enqueued_at.is_(None),
        and_(StepRow.enqueued_at < told_long_ago, StepRow.peer.not_in(busy)),
        StepRow.enqueued_at < told_very_long_ago,
    )
    worker_is_lost = and_(
        StepRow.state == "running",
        StepRow.lease_until < now,
        or_(StepRow.enqueued_at.is_(None), StepRow.enqueued_at < told_long_ago),
    )
    idle = or_(and_(StepRow.state == "owed", StepRow.not_before <= now, message_is_lost), worker_is_lost)
    rows = session.execute(
        select(StepRow.id, StepRow.order_id, StepRow.peer)
        .where(idle, StepRow.peer.not_in(closed_peers), ~_is_blocked())
        .order_by(StepRow.not_before)
        .limit(limit)
    )
    return {row.id: Wake(row.order_id, row.peer) for row in rows}


def mark_told(session: Session, step_ids: list[int]) -> None:
    """Remember that workers are being told of these steps now."""
    session.execute(update(StepRow).where(StepRow.id.in_(step_ids)).values(enqueued_at=utc_now()))
