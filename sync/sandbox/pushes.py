"""Tells the receiver of every scan: push 102 with the full history, signed, repeated until it is accepted."""

from __future__ import annotations

import contextlib
import heapq
import http.client
import itertools
import json
import random
import socket
import threading
import time
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar
from urllib.parse import urlencode, urlsplit

from sync.clock import BusinessClock, utc_now
from sync.sandbox.faults import PushFaults
from sync.sandbox.journeys import Parcel, Scan, wire_time
from sync.sandbox.kdniao_rules import sign
from sync.sandbox.ledger import Ledger, Push

TRACKING, PICKUP = "102", "103"
_AFTER_NEXT_S = 0.05
_TIMEOUT_S = 10.0
_JOIN_S = 15.0


@dataclass(frozen=True, slots=True)
class Job:
    """One push: for each parcel in it, up to which scan. `body` is fixed by the first try, so repeats are equal."""

    legs: tuple[tuple[Parcel, int], ...]
    kind: str = "regular"
    request_type: str = TRACKING
    attempt: int = 1
    body: bytes = b""


class Poster:
    """A keep-alive client of one sender thread; http only, the sandbox never leaves the machine."""

    def __init__(self, content_type: str) -> None:
        self._content_type = content_type
        self._connection: http.client.HTTPConnection | None = None
        self._place = ""

    def post(self, url: str, body: bytes) -> tuple[int, bytes]:
        """Post a form once; (0, reason) when no answer came."""
        parts = urlsplit(url)
        if self._connection is None or self._place != parts.netloc:
            self.close()
            self._connection = http.client.HTTPConnection(parts.netloc, timeout=_TIMEOUT_S)
            self._place = parts.netloc
        reused = self._connection.sock is not None
        try:
            return self._exchange(parts.path or "/", body)
        except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError) as error:
            self.close()
            # A kept connection that the other side closed meanwhile says nothing about this push.
            return self.post(url, body) if reused else (0, type(error).__name__.encode())
        except (OSError, http.client.HTTPException) as error:
            self.close()
            return 0, type(error).__name__.encode()

    def _exchange(self, path: str, body: bytes) -> tuple[int, bytes]:
        assert self._connection is not None  # noqa: S101 - set by post
        self._connection.request("POST", path, body, {"Content-Type": self._content_type})
        reply = self._connection.getresponse()
        return reply.status, reply.read(65536)

    def interrupt(self) -> None:
        """Cut an exchange short, from another thread."""
        connection = self._connection
        sock = connection.sock if connection else None
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


@dataclass(slots=True)
class PushSender:
    """A heap of due pushes and a few threads that send them; business times become machine times by the clock.

    A push is accepted when the receiver answers 200 and `Success: true`; else it is tried again, `tries` times in
    all, `backoff_s` machine seconds later and twice as long each time. Nothing is sent while `url` is empty.
    """

    clock: BusinessClock
    ledger: Ledger
    ebusiness_id: str
    app_key: str
    seed: int = 1
    url: str = ""
    faults: PushFaults = field(default_factory=PushFaults)
    threads: int = 3
    tries: int = 6
    backoff_s: float = 0.5
    sends_pickups: bool = False
    content_type: ClassVar[str] = "application/x-www-form-urlencoded;charset=utf-8"
    _changed: threading.Condition = field(default_factory=threading.Condition, repr=False)
    _heap: list[tuple[float, int, Job]] = field(default_factory=list, repr=False)
    _order: itertools.count[int] = field(default_factory=itertools.count, repr=False)
    _running: list[tuple[threading.Thread, Poster]] = field(default_factory=list, repr=False)
    _is_stopping: bool = False

    def start(self) -> None:
        for number in range(self.threads):
            poster = Poster(self.content_type)
            thread = threading.Thread(target=self._work, args=(poster,), name=f"sandbox-push-{number}", daemon=True)
            self._running.append((thread, poster))
            thread.start()

    def stop(self) -> None:
        """Cut running exchanges and wait for the threads; pushes not yet due are dropped."""
        with self._changed:
            self._is_stopping = True
            self._heap.clear()
            self._changed.notify_all()
        for thread, poster in self._running:
            poster.interrupt()
            thread.join(_JOIN_S)

    def send_to(self, url: str) -> None:
        """Name the receiver; pushes that fell due meanwhile go out at once. Raises ValueError unless plain http."""
        if url and urlsplit(url).scheme != "http":
            raise ValueError(f"{url!r} is not an http address")
        with self._changed:
            self.url = url
            self._changed.notify_all()

    def forget(self) -> None:
        """Drop every push that is waiting."""
        with self._changed:
            self._heap.clear()

    @property
    def waiting(self) -> int:
        with self._changed:
            return len(self._heap)

    def follow(self, parcel: Parcel) -> None:
        """Push every scan of the parcel as it comes due; scans of the past at once."""
        for index, scan in enumerate(parcel.scans):
            if not self._is_worth_telling(parcel, index):
                continue
            due = self._due(scan)
            self._schedule(Job(((parcel, index),)), due)
            if self.sends_pickups and scan.action == "1":
                self._schedule(Job(((parcel, index),), request_type=PICKUP), due)

    def _due(self, scan: Scan) -> float:
        """The monotonic machine time of a scan; with batching the next tick, so that several fall together."""
        due = time.monotonic() + self.clock.seconds_until(scan.at)
        every = self.faults.batch_every_s
        return (due // every + 1) * every if self.faults.batch > 1 and every > 0 else due

    def _schedule(self, job: Job, due: float) -> None:
        with self._changed:
            if not self._is_stopping:
                heapq.heappush(self._heap, (due, next(self._order), job))
                self._changed.notify()

    def _work(self, poster: Poster) -> None:
        while job := self._next_job():
            self._deliver(job, poster)
        poster.close()

    def _next_job(self) -> Job | None:
        """Wait for the next due push; None when it is time to stop."""
        with self._changed:
            while not self._is_stopping:
                wait_s = self._heap[0][0] - time.monotonic() if self._heap and self.url else None
                if wait_s is not None and wait_s <= 0:
                    # The next push may be due before any other thread would wake by itself.
                    self._changed.notify()
                    return self._gather(heapq.heappop(self._heap)[2])
                self._changed.wait(wait_s)
            return None

    def _gather(self, job: Job) -> Job:
        """Put further due pushes of the same type and of other parcels into this one, up to the batch size."""
        legs = list(job.legs)
        seen = {id(parcel) for parcel, _ in legs}
        while len(legs) < self.faults.batch and _is_fresh(job) and self._heap:
            due, _, other = self._heap[0]
            is_alike = _is_fresh(other) and other.request_type == job.request_type
            if due > time.monotonic() or not is_alike or id(other.legs[0][0]) in seen:
                break
            heapq.heappop(self._heap)
            legs += other.legs
            seen.add(id(other.legs[0][0]))
        return replace(job, legs=tuple(legs))

    def _deliver(self, job: Job, poster: Poster) -> None:
        # A body once fixed goes out as it is, as would one that is on its way when the waybill is cancelled.
        legs = tuple(leg for leg in job.legs if job.body or not leg[0].is_cancelled)
        if not legs:
            return
        job = replace(job, legs=legs)
        dice = random.Random(f"{self.seed}:push:{legs[0][0].order_code}:{legs[0][1]}")  # noqa: S311 - not a secret
        draws = {name: dice.random() for name in ("reorder", "duplicate", "late", "forged")}
        if _is_fresh(job) and draws["reorder"] < self.faults.reorder and self._hold_back(job):
            return
        job = replace(job, body=job.body or self._body(job))
        if _is_fresh(job):
            self._add_faults(job, draws)
        if not self._post(job, poster) and job.kind != "forged":
            self._try_again(job)

    def _hold_back(self, job: Job) -> bool:
        """Send each snapshot only after the parcel's next one; False when there is no next."""
        if any(index + 1 >= len(parcel.scans) for parcel, index in job.legs):
            return False
        following = max(self._due(parcel.scans[index + 1]) for parcel, index in job.legs)
        held = replace(job, kind="reorder", body=self._body(job))
        self._schedule(held, following + _AFTER_NEXT_S)
        return True

    def _add_faults(self, job: Job, draws: dict[str, float]) -> None:
        soon = time.monotonic() + _AFTER_NEXT_S
        if draws["duplicate"] < self.faults.duplicate:
            self._schedule(replace(job, kind="duplicate"), soon)
        if draws["late"] < self.faults.late and all(index > 0 for _, index in job.legs):
            older = tuple((parcel, index - 1) for parcel, index in job.legs)
            self._schedule(replace(job, kind="late", legs=older, body=b""), soon)
        if draws["forged"] < self.faults.forged:
            self._schedule(replace(job, kind="forged", body=b""), time.monotonic())

    def _post(self, job: Job, poster: Poster) -> bool:
        status, answer = poster.post(self._place(job), job.body)
        accepted, reason = self._read_answer(status, answer)
        self.ledger.record_push(
            Push(
                at=utc_now().isoformat(timespec="milliseconds"),
                kind=job.kind,
                request_type=job.request_type,
                order_codes=tuple(parcel.order_code for parcel, _ in job.legs),
                waybills=tuple(parcel.waybill_no for parcel, _ in job.legs),
                states=tuple(parcel.scans[index].action for parcel, index in job.legs),
                attempt=job.attempt,
                status=status,
                accepted=accepted,
                reason=reason,
            )
        )
        return accepted

    def _place(self, job: Job) -> str:
        return self.url

    def _is_worth_telling(self, parcel: Parcel, index: int) -> bool:
        return True

    def _read_answer(self, status: int, answer: bytes) -> tuple[bool, str]:
        """Whether the receiver's answer accepts the push, and its reason when it does not."""
        if status == 0:
            return False, answer.decode(errors="replace")
        try:
            reply = json.loads(answer)
        except ValueError:
            reply = None
        if not isinstance(reply, dict):
            return False, "the answer is not a JSON object"
        accepts, reason = self._read_reply(reply)
        return status == 200 and accepts, str(reason or "")

    def _read_reply(self, reply: dict[str, Any]) -> tuple[bool, object]:
        """What the carrier's protocol takes for yes, and where it looks for a reason."""
        return reply.get("Success") is True, reply.get("Reason")

    def _try_again(self, job: Job) -> None:
        if job.attempt >= self.tries:
            self.ledger.record_given_up()
            return
        due = time.monotonic() + self.backoff_s * 2 ** (job.attempt - 1)
        self._schedule(replace(job, attempt=job.attempt + 1), due)

    def _body(self, job: Job) -> bytes:
        now = wire_time(self.clock.now())
        items = [item for parcel, index in job.legs for item in self._items(job, parcel, index)]
        text = json.dumps(
            {"PushTime": now, "EBusinessID": self.ebusiness_id, "Count": str(len(items)), "Data": items},
            ensure_ascii=False,
            separators=(",", ":"),
        )
        key = "another-key" if job.kind == "forged" else self.app_key
        form = {"RequestData": text, "RequestType": job.request_type, "DataSign": sign(text, key)}
        return urlencode(form).encode()

    def _items(self, job: Job, parcel: Parcel, index: int) -> list[dict[str, Any]]:
        if job.request_type == PICKUP:
            return [self._pickup_item(parcel, parcel.scans[index], state) for state in ("104", "301")]
        return [parcel.snapshot(self.ebusiness_id, self._told(job, parcel, index))]

    def _told(self, job: Job, parcel: Parcel, index: int) -> tuple[Scan, ...]:
        """The parcel's history up to the scan; a forged push ends it with a signature that nobody gave."""
        scans = parcel.scans[: index + 1]
        if job.kind != "forged":
            return scans
        return (*scans, Scan(self.clock.now(), "301", "3", "已签收，签收人：本人", scans[-1].location))

    def _pickup_item(self, parcel: Parcel, scan: Scan, state: str) -> dict[str, Any]:
        return {
            "EBusinessID": self.ebusiness_id,
            "OrderCode": parcel.order_code,
            "ShipperCode": parcel.shipper_code,
            "LogisticCode": parcel.waybill_no,
            "KDNOrderCode": parcel.answer["Order"]["KDNOrderCode"],
            "CallRequestType": "1801",
            "State": state,
            "CreateTime": wire_time(scan.at),
            "FetchTime": "",
            "Reason": "",
            "PickerInfo": [],
            "Success": True,
        }


def _is_fresh(job: Job) -> bool:
    return job.kind == "regular" and job.attempt == 1
