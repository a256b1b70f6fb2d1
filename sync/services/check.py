"""`ecsync check`: looks at everything this installation stands on and says what to do about what is not well."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from kombu import Connection
from sqlalchemy.exc import SQLAlchemyError

from mappings.errors import AuthError, PeerError, TransientError, UncertainError
from mappings.wire import Exchange
from sync.clock import utc_now
from sync.db.cursors import read_cursors
from sync.db.migrate import pending
from sync.gateway import CallContext, PeerAway
from sync.runtime import Runtime
from sync.shops.port import Finding

MAX_CLOCK_OFFSET_S = 30
PROBE_REF = "ECSYNC-CHECK-0"
"""An order number that no ERP and a waybill number that no carrier has."""


def check(rt: Runtime) -> list[Finding]:
    """Every finding, good or bad, in the order in which things depend on each other."""
    database = list(_database(rt))
    findings = [
        Finding("settings", True, f"{rt.settings.environment}, {len(rt.settings.peers)} peers configured"),
        *database,
        *_broker(rt),
        *_notices(rt),
    ]
    if not database[0].is_ok:  # how the peers stand is kept there
        return [*findings, Finding("peers", False, "not asked", "put the database right first")]
    return [
        *findings,
        *(finding for key in rt.shops for finding in _shop(rt, key)),
        *(_carrier(rt, key) for key in rt.carriers),
        *(_erp(rt, key) for key in rt.erps),
    ]


def _database(rt: Runtime) -> Iterator[Finding]:
    where = rt.database.engine.url.render_as_string(hide_password=True)
    try:
        if pending(rt.database):
            yield Finding("database", False, f"{where} has an older schema", "run: ecsync migrate")
            return
        with rt.database.reading() as session:
            beats = read_cursors(session, "heartbeat")
    except SQLAlchemyError as problem:
        reason = str(getattr(problem, "orig", problem)).strip()
        yield Finding("database", False, f"{where}: {reason}", "start it, or correct ECSYNC_DATABASE_URL")
        return
    yield Finding("database", True, where)
    age = (utc_now() - beats[""][1]).total_seconds() if beats else None
    if age is None or age > 90:
        seen = "never" if age is None else f"{age:.0f} s ago"
        yield Finding("workers", False, f"last heartbeat: {seen}", "start Beat and a worker for the sweeps queue")
    else:
        yield Finding("workers", True, f"last heartbeat {age:.0f} s ago")


def _broker(rt: Runtime) -> Iterator[Finding]:
    with Connection(rt.settings.broker_url, connect_timeout=5) as connection:
        where = connection.as_uri()
        try:
            connection.ensure_connection(max_retries=1, timeout=5)
        except Exception as problem:  # each transport has its own classes
            yield Finding("broker", False, f"{where}: {problem}", "start it, or correct ECSYNC_BROKER_URL")
            return
        yield Finding("broker", True, where)
        if rt.settings.broker_url.startswith("redis"):
            yield from _redis(connection)


def _redis(connection: Any) -> Iterator[Finding]:
    """Eviction would remove queues; it is the one Redis setting that loses work silently."""
    try:
        policy = connection.default_channel.client.config_get("maxmemory-policy").get("maxmemory-policy", "")
    except Exception as refusal:  # hosted servers forbid CONFIG
        yield Finding("broker eviction", True, f"not readable here ({type(refusal).__name__})")
        return
    is_ok = policy in ("noeviction", "")
    yield Finding("broker eviction", is_ok, policy or "unknown", "" if is_ok else "set maxmemory-policy noeviction")


def _notices(rt: Runtime) -> Iterator[Finding]:
    for name, url in (("review", rt.settings.review_channel), ("service", rt.settings.service_channel)):
        variable = f"ECSYNC_{name.upper()}_CHANNEL"
        if url:
            yield Finding(f"notices: {name}", True, "set")
        else:
            yield Finding(f"notices: {name}", True, f"go to the log only; set {variable} to send them")


def _shop(rt: Runtime, key: str) -> Iterator[Finding]:
    try:
        findings = rt.shops[key].check(rt.clock.now())
    except (PeerError, PeerAway) as problem:
        yield Finding(key, False, str(problem), "correct the shop's settings")
        return
    yield from (Finding(f"{key}: {f.subject}", f.is_ok, f.detail, f.remedy) for f in findings)


def _carrier(rt: Runtime, key: str) -> Finding:
    def ask() -> Exchange[Any]:
        return rt.carriers[key].query_tracking(
            shipper_code="STO", waybill_no=PROBE_REF, order_code=PROBE_REF, phone="", asked_at=rt.clock.now()
        )

    return _ask(rt, key, ask)


def _erp(rt: Runtime, key: str) -> Finding:
    return _ask(rt, key, lambda: rt.erps[key].find(PROBE_REF))


def _ask(rt: Runtime, key: str, make: Callable[[], Exchange[Any]]) -> Finding:
    """A harmless question: does the peer answer, does it accept us, is its clock ours?"""
    context = CallContext()
    try:
        rt.gateway.run(key, make(), context)
    except PeerAway as away:
        return Finding(key, False, str(away), "see `ecsync exceptions list`; it is probed by itself")
    except AuthError as refusal:
        return Finding(key, False, str(refusal), "correct its credentials")
    except (TransientError, UncertainError) as failure:
        return Finding(key, False, str(failure), "check its address, the network and the firewall")
    except PeerError as answer:
        if answer.code.endswith(".signature_refused"):  # a question so plain spoils no signature: it is the key
            return Finding(key, False, str(answer), "correct its credentials")
        return Finding(key, True, f"answers ({answer.code}){_offset(context)}")
    return Finding(key, True, f"answers{_offset(context)}")


def _offset(context: CallContext) -> str:
    if not context.peer_date:
        return ""
    try:
        peer_time: datetime = parsedate_to_datetime(context.peer_date)
    except ValueError:
        return ""
    seconds = (utc_now() - peer_time.astimezone(UTC)).total_seconds()
    warning = "; set this machine's clock" if abs(seconds) > MAX_CLOCK_OFFSET_S else ""
    return f", clock offset {seconds:+.0f} s{warning}"
