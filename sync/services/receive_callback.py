"""Takes in one push: verify the signature on the bytes as received, keep them, answer. Nothing else happens here.

A worker applies the inbox later, so an answer never waits for the fold, the broker or another peer.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Collection
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address

from sqlalchemy import update
from sqlalchemy.exc import DBAPIError

from mappings.connector import CallbackRefused, CarrierConnector, NumberingErp
from mappings.wire import HttpReply
from sync.clock import utc_now
from sync.db.models import InboxRow
from sync.runtime import Runtime

log = logging.getLogger(__name__)

Pusher = CarrierConnector | NumberingErp


@dataclass(frozen=True, slots=True)
class Push:
    """A push as it came over the wire."""

    body: bytes
    content_type: str
    remote_addr: str


def receive_callback(rt: Runtime, source: str, push: Push) -> HttpReply:
    """Store a push and return the platform's own answer. Raises KeyError where `source` makes none (`rt.pusher`)."""
    pusher = rt.pusher(source)
    try:
        if len(push.body) > rt.settings.callback_max_bytes:
            raise CallbackRefused("the body is too large", status=413)
        if not _may_push(rt.peer(source).config.get("callback_allow") or (), push.remote_addr):
            raise CallbackRefused("its sender's address is not one that may push", status=403)
        pusher.verify_callback(push.body, push.content_type)
    except CallbackRefused as refusal:
        return _refuse(rt, source, pusher, push, refusal)
    is_new = _store(rt, source, push, "waiting", "")
    rt.counters.inbox.labels(source, "received" if is_new else "duplicate").inc()
    return pusher.callback_reply(ok=True, reason="", now=utc_now())


def _may_push(allowed: Collection[IPv4Network | IPv6Network], remote_addr: str) -> bool:
    """Whether the address that the connection came from lies in one of these networks; none at all lets all in."""
    if not allowed:
        return True
    try:
        address = ip_address(remote_addr)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return any((mapped or address) in network for network in allowed)


def _refuse(rt: Runtime, source: str, pusher: Pusher, push: Push, refusal: CallbackRefused) -> HttpReply:
    """Answer in the platform's form; a signed but malformed push is kept as evidence, a forged one is only counted."""
    if refusal.signature_ok:
        _store(rt, source, push, "unreadable", refusal.reason)
    rt.counters.inbox.labels(source, "unreadable" if refusal.signature_ok else "refused").inc()
    log.warning("callback from %s (%s) refused: %s", source, push.remote_addr, refusal.reason)
    reply = pusher.callback_reply(ok=False, reason=refusal.reason, now=utc_now())
    return HttpReply(refusal.status, reply.headers, reply.body)


def _store(rt: Runtime, source: str, push: Push, verdict: str, detail: str) -> bool:
    """One row a digest; returns False when this very push is here already (it is counted on its row).

    A connection that the database closed meanwhile is noticed at its next use; a repeated insert changes nothing.
    """
    try:
        return _insert(rt, source, push, verdict, detail)
    except DBAPIError as lost:
        if not lost.connection_invalidated:
            raise
    return _insert(rt, source, push, verdict, detail)


def _insert(rt: Runtime, source: str, push: Push, verdict: str, detail: str) -> bool:
    digest = hashlib.sha256(push.body).hexdigest()
    now = utc_now()
    row = {
        "source": source,
        "digest": digest,
        "received_at": now,
        "content_type": push.content_type[:120],
        "remote_addr": push.remote_addr[:64],
        "body": push.body,
        "verdict": verdict,
        "detail": detail,
        "not_before": now,
    }
    with rt.database.each_alone() as connection:
        inserted = connection.execute(rt.database.insert_new(InboxRow), row)
        if inserted.rowcount == 1:
            return True
        connection.execute(
            update(InboxRow)
            .where(InboxRow.source == source, InboxRow.digest == digest)
            .values(repeats=InboxRow.repeats + 1)
        )
    return False
