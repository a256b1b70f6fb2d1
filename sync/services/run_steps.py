"""Does what an order owes to a peer: claim the lease, call, record. The one place where attempts are counted.

The peer is called between two short transactions, never inside one. Whatever happens in between, the step stays
claimed until its lease ends, and then somebody else takes it up knowing that the outcome is uncertain.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from traceback import format_tb
from typing import Any

from sqlalchemy import insert
from sqlalchemy.orm import Session

from mappings.errors import AuthError, PeerError, TransientError, UncertainError
from sync import exceptions as desk
from sync.clock import utc_now
from sync.db.models import AttemptRow, StepRow
from sync.db.orders import close_if_done, private_texts, read_whole
from sync.db.steps import Claim, StepBook, Wake, claim_next, finish, hold
from sync.gateway import CallContext, PeerAway
from sync.redaction import redact
from sync.runtime import Runtime
from sync.services import (
    book_waybill,
    cancel,
    fetch_label,
    number_order,
    pickup,
    push_order,
    query_parcel,
    send_notice,
    subscribe,
    write_back,
)
from sync.services.work import Performer, Work

log = logging.getLogger(__name__)

_KEEP_ATTEMPTS = insert(AttemptRow.table())
MAX_LOSSES = 5
"""A step whose worker died this often is parked: it may be what kills them."""


class StepParked(Exception):
    """The step needs a person; the database and the exception list say why."""


PERFORMERS: dict[str, Performer] = {
    "book_waybill": book_waybill,
    "query_parcel": query_parcel,
    "book_pickup": pickup,
    "fetch_label": fetch_label,
    "subscribe": subscribe,
    "push_order": push_order,
    "number_order": number_order,
    "claim_order": write_back.CLAIM,
    "write_note": write_back.NOTE,
    "write_shipped": write_back.SHIPPED,
    "write_remark": write_back.REMARK,
    "write_number": write_back.NUMBER,
    "mark_received": write_back.RECEIVED,
    "remind_review": send_notice.REVIEW,
    "tell_service": send_notice.SERVICE,
    "tell_still": send_notice.STILL,
    "tell_undelivered": send_notice.UNDELIVERED,
    "tell_withdrawn": send_notice.WITHDRAWN,
    "cancel_waybill": cancel.CANCEL_WAYBILL,
    "cancel_order": cancel.CANCEL_ORDER,
}


def run_steps(rt: Runtime, order_id: int, peer: str) -> list[Wake]:
    """Do all that is due for an order at a peer; returns whom to wake next.

    Raises the PeerError of a step that is to be tried again after the retry delay, StepParked for one that a person
    must look at; both are recorded before they are raised.
    """
    wakes: list[Wake] = []
    work = _claim(rt, order_id, peer)
    while work is not None:
        performer = PERFORMERS[work.name]
        try:
            result = performer.perform(rt, work)
        except PeerAway as away:
            _postpone(rt, work, away.until)
            break
        except PeerError as error:
            _record_failure(rt, work, error)
            raise
        except Exception as crash:  # a defect of ours must not hold the lease until it expires
            said = redact(f"{type(crash).__name__}: {crash}"[:500], private=work.calls.private)
            trace = "".join(format_tb(crash.__traceback__))
            log.error("order %s: %s at %s crashed: %s\n%s", work.order_sn, work.name, work.peer, said, trace)
            unclear = UncertainError(f"{work.name}.crashed", said)
            _record_failure(rt, work, unclear)
            raise unclear from crash
        with rt.database.writing() as session:
            book = StepBook(session, wakes)
            is_ours = _finish(rt, book, work, performer, result)
        work = _claim(rt, order_id, peer) if is_ours and _may_owe_more(book, work) else None
    return [wake for wake in wakes if wake != Wake(order_id, peer)]


def _claim(rt: Runtime, order_id: int, peer: str) -> Work | None:
    with rt.database.claiming() as session:
        claim = claim_next(session, order_id, peer, rt.settings.lease_s)
        if claim is None:
            return None
        step = claim.step
        order_row, order = read_whole(session, order_id, step.parcel_no)
    if claim.losses >= MAX_LOSSES:
        _park_deadly(rt, claim, order.order_sn)
        return None
    return Work(
        step_id=step.id,
        name=step.name,
        peer=step.peer,
        token=claim.token,
        order_id=order_id,
        parcel_no=step.parcel_no,
        order_sn=order_row.order_sn,
        order_row=order_row,
        order=order,
        shipment=claim.shipment,
        may_have_happened=step.is_uncertain,
        calls=CallContext(private=private_texts(order), try_no=step.attempts + claim.losses + step.resumes + 1),
        was_lost=claim.losses > step.losses,
    )


def _park_deadly(rt: Runtime, claim: Claim, order_sn: str) -> None:
    message = f"Its worker was lost {claim.losses} times; look at the worker's log before you retry it."
    with rt.database.writing() as session:
        step = hold(session, claim.step.id, claim.token)
        if step is not None:
            desk.park_step(session, step, f"{step.name}.worker_lost", message, order_sn)


def _finish(rt: Runtime, book: StepBook, work: Work, performer: Performer, result: Any) -> bool:
    """Record a success and what it brought; False when another worker took over meanwhile."""
    _save_attempts(book.session, work)
    if not finish(book.session, work.step_id, work.token):
        log.warning("order %s: %s took longer than its lease; another worker has it", work.order_sn, work.name)
        return False
    performer.record(rt, book, work, result)
    close_if_done(book.session, work.order_id)
    rt.counters.finished.labels(work.name, work.peer, "done").inc()
    log.info("order %s: %s done at %s", work.order_sn, work.name, work.peer)
    return True


def _may_owe_more(book: StepBook, work: Work) -> bool:
    """At a shop a later step may have waited for this one, at a carrier there may be more parcels to void or
    numbers to follow; elsewhere only what was just owed is left to do."""
    is_one_of_several = work.peer.startswith("shop.") or work.name in ("cancel_waybill", "subscribe")
    return is_one_of_several or Wake(work.order_id, work.peer) in book.wakes


def _postpone(rt: Runtime, work: Work, until: datetime) -> None:
    """Nothing was sent: the step waits for the peer, uncounted."""
    with rt.database.writing() as session:
        _save_attempts(session, work)
        step = hold(session, work.step_id, work.token)
        if step is not None:
            _owe_later(step, until)
            step.is_uncertain = work.may_have_happened or any(a.outcome != "ok" for a in work.calls.attempts)


def _record_failure(rt: Runtime, work: Work, error: PeerError) -> None:
    """Count the failure and decide: again after the delay, wait for the peer, or a person. Raises StepParked."""
    with rt.database.writing() as session:
        _save_attempts(session, work)
        step = hold(session, work.step_id, work.token)
        if step is None:
            return
        step.last_outcome, step.last_code, step.last_message = error.outcome, error.code, str(error)
        if not isinstance(error, UncertainError):
            step.is_uncertain = work.may_have_happened
        if isinstance(error, AuthError) and not error.peer_is_well:
            _owe_later(step, utc_now() + timedelta(seconds=rt.settings.breaker_probe_s))
            return
        step.attempts += 1
        # A used quota comes back tomorrow, and so does whoever gives up: a parcel is told of today.
        is_for_today = error.peer_is_well and hasattr(PERFORMERS[work.name], "give_up")
        is_retried = isinstance(error, TransientError | UncertainError) and not is_for_today
        if is_retried and step.attempts < rt.settings.retry_attempts:
            _owe_again(step, _retry_at(rt, error))
            log.warning("order %s: %s failed at %s, again soon: %s", work.order_sn, work.name, work.peer, error)
            return
        if _give_up(rt, StepBook(session), work, step, error):
            return
        desk.park_step(session, step, error.code, str(error), work.order_sn)
        on_parked = getattr(PERFORMERS[work.name], "on_parked", None)
        if on_parked:
            on_parked(rt, StepBook(session), work)
    rt.counters.finished.labels(work.name, work.peer, "parked").inc()
    log.error("order %s: %s is parked at %s, a person must look: %s", work.order_sn, work.name, work.peer, error)
    raise StepParked(f"order {work.order_sn}: {work.name} at {work.peer}: {error}") from error


def _give_up(rt: Runtime, book: StepBook, work: Work, step: StepRow, error: PeerError) -> bool:
    """Drop a step that nobody need look at because it is owed anew when its time comes; False for any other."""
    give_up = getattr(PERFORMERS[work.name], "give_up", None)
    if give_up is None:
        return False
    step.state, step.finished_at = "dropped", utc_now()
    give_up(rt, book, work, error)
    close_if_done(book.session, work.order_id)
    rt.counters.finished.labels(work.name, work.peer, "given_up").inc()
    log.warning("order %s: %s given up at %s until its next time: %s", work.order_sn, work.name, work.peer, error)
    return True


def _retry_at(rt: Runtime, error: PeerError) -> datetime:
    wish = getattr(error, "retry_after_s", None) or 0
    return utc_now() + timedelta(seconds=max(rt.settings.retry_delay_s, wish))


def _owe_again(step: StepRow, at: datetime) -> None:
    """A retry message is on its way for that moment, so nobody need be told."""
    step.state, step.not_before, step.enqueued_at = "owed", at, at


def _owe_later(step: StepRow, at: datetime) -> None:
    step.state, step.not_before, step.enqueued_at = "owed", at, None


def _save_attempts(session: Session, work: Work) -> None:
    whose = {"order_id": work.order_id, "step_id": work.step_id, "try_no": work.calls.try_no}
    if rows := [whose | attempt._asdict() for attempt in work.calls.attempts]:
        session.execute(_KEEP_ATTEMPTS, rows)
    work.calls.attempts.clear()
