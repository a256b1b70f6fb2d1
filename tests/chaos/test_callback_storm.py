"""A carrier that makes up for hours of silence: every push ten times, in any order, through the real web process."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
import requests
from sqlalchemy import func, select

from sync.clock import BusinessClock, utc_now
from sync.db.models import InboxRow, OrderRow, ShipmentRow, TrackingEventRow
from sync.exceptions import list_open
from sync.sandbox.http import HttpServer, Request, Response
from sync.sandbox.journeys import JourneyKind, JourneyMix
from sync.sandbox.kdniao import SandboxKdniao
from tests.chaos.conftest import OpenHouse, Tell
from tests.chaos.processes import children, kill_group, wait_for, worker
from tests.chaos.rig import Rig

ORDERS = 24
TIMES = 10
SENDERS = 12
FORM = "application/x-www-form-urlencoded;charset=utf-8"

WORKERS = {
    "callbacks": ("callbacks", 2),
    "rest": ("shop.main,carrier.kdniao,erp.generic_rest,sweeps,notices", 3),
}


@dataclass
class Recorder:
    """Stands in for the receiver: keeps every push as it came."""

    bodies: list[bytes] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, request: Request) -> Response:
        with self.lock:
            self.bodies.append(request.body)
        return Response(200, b'{"Success": true}', "application/json")


@contextmanager
def recording() -> Iterator[tuple[Recorder, str]]:
    recorder = Recorder()
    server = HttpServer(recorder, 0)
    server.start()
    try:
        yield recorder, f"{server.url}/callbacks/kdniao"
    finally:
        server.stop()


@dataclass
class Storm:
    """Sends pushes from several threads; one that is not accepted is sent again, as platforms do."""

    url: str
    sent: Counter[str] = field(default_factory=Counter)
    local: threading.local = field(default_factory=threading.local)

    def run(self, bodies: Sequence[bytes]) -> float:
        """Returns pushes accepted in a second."""
        began = time.monotonic()
        with ThreadPoolExecutor(SENDERS) as pool:
            accepted = list(pool.map(self.deliver, bodies))
        assert all(accepted)
        return len(bodies) / (time.monotonic() - began)

    def deliver(self, body: bytes) -> bool:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if self.post(body):
                return True
        return False

    def post(self, body: bytes) -> bool:
        session = getattr(self.local, "session", None) or requests.Session()
        self.local.session = session
        try:
            reply = session.post(self.url, data=body, headers={"Content-Type": FORM}, timeout=10)
        except requests.RequestException:
            self.sent["no answer"] += 1
            return False
        self.sent[str(reply.status_code)] += 1
        return reply.status_code == 200 and reply.json()["Success"] is True


def sandbox(callback_url: str, mix: JourneyMix) -> dict[str, Any]:
    return {"faults": {"push": {"late": 0.3}}, "callback_url": callback_url, "mix": mix}


@pytest.mark.chaos
def test_a_tenfold_storm_of_pushes_in_any_order_leaves_every_parcel_right(open_house: OpenHouse, tell: Tell) -> None:
    clock = BusinessClock(origin=utc_now(), started=utc_now(), speed=60_000)
    mix = JourneyMix(locker=0.2, exception=0.2, returned=0.2)
    with recording() as (recorder, url), open_house(clock=clock, sandbox=sandbox(url, mix)) as rig:
        rig.seed(ORDERS)
        rig.start_broker()
        rig.start_workers(WORKERS)
        rig.start_beat()
        receiver = f"{rig.start_web(workers=2)}/callbacks/kdniao"
        wait_for("the orders' fulfilment", lambda: rig.count_fulfilled() == ORDERS, 90)
        wait_for("the last scan", lambda: rig.peers.ledger(brief=True)["pushes"]["waiting"] == 0, 60)
        bodies = sorted(set(recorder.bodies))
        storm = Storm(receiver)
        rate = storm_and_kill(rig, storm, bodies * TIMES)

        wait_for("an applied inbox", lambda: not count_inbox(rig)["waiting"], 120)

        tell(f"{len(bodies) * TIMES} pushes, {rate:.0f}/s, answers {dict(storm.sent)}, verdicts {count_inbox(rig)}")
        assert_inbox_is_whole(rig, len(bodies), storm)
        assert_parcels_are_right(rig)


def storm_and_kill(rig: Rig, storm: Storm, bodies: list[bytes]) -> float:
    """Half the storm, then a web process and the worker of callbacks are killed under the other half."""
    random.Random(7).shuffle(bodies)
    half = len(bodies) // 2
    rate = storm.run(bodies[:half])
    before = storm.sent.total()
    (master,) = children(os.getpid(), "gunicorn")
    with ThreadPoolExecutor(1) as pool:
        rest = pool.submit(storm.run, bodies[half:])
        wait_for("the second half", lambda: storm.sent.total() > before + half // 4)
        kill_group(worker("callbacks"))
        os.kill(children(master.pid)[0].pid, signal.SIGKILL)
        rest.result(timeout=120)
    return rate


def count_inbox(rig: Rig) -> Counter[str]:
    with rig.database.reading() as session:
        rows = session.execute(select(InboxRow.verdict, func.count().label("total")).group_by(InboxRow.verdict))
        return Counter({row.verdict: row.total for row in rows})


def assert_inbox_is_whole(rig: Rig, distinct: int, storm: Storm) -> None:
    """Each push is stored once, however often it came, and each coming is counted."""
    with rig.database.reading() as session:
        rows, comings = session.execute(select(func.count(), func.sum(InboxRow.repeats + 1))).one()
    accepted = storm.sent["200"]
    assert rows == distinct
    assert accepted == distinct * TIMES
    assert accepted <= comings <= sum(storm.sent.values())
    assert set(count_inbox(rig)) <= {"applied", "stale"}


def assert_parcels_are_right(rig: Rig) -> None:
    """The end of every journey, by the carrier's own word, and every scan exactly once."""
    journeys = {code: entry["journey"] for code, entry in rig.peers.ledger()["carrier"]["orders"].items()}
    wanted: Any = (
        select(ShipmentRow.order_code, ShipmentRow.status, OrderRow.status, func.count(TrackingEventRow.id))
        .join(OrderRow, OrderRow.id == ShipmentRow.order_id)
        .outerjoin(TrackingEventRow, TrackingEventRow.shipment_id == ShipmentRow.id)
        .group_by(ShipmentRow.order_code, ShipmentRow.status, OrderRow.status)
    )
    with rig.database.reading() as session:
        parcels = {code: (parcel, order, scans) for code, parcel, order, scans in session.execute(wanted)}
    assert {code: found[:2] for code, found in parcels.items()} == {
        code: ("returned",) * 2 if kind == JourneyKind.RETURNED else ("delivered",) * 2
        for code, kind in journeys.items()
    }
    carrier = cast(SandboxKdniao, rig.peers._peers["carrier"])
    # a scan is told twice over: in the list of traces, and as the state of the whole parcel
    told = {code: 2 * len(parcel.scans) for code, parcel in carrier._by_order.items()}
    assert {code: found[2] for code, found in parcels.items()} == told
    with rig.database.reading() as session:
        assert list_open(session) == [], "what the carrier reported on the way closes by itself at the end"
