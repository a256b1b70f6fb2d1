"""The lives of parcels: which kind of journey a waybill gets, its scans on the business clock, and how they read."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

_WIRE_ZONE = ZoneInfo("Asia/Shanghai")


class JourneyKind(StrEnum):
    NORMAL = "normal"
    LOCKER = "locker"
    EXCEPTION = "exception"
    RETURNED = "returned"
    LATE_PICKUP = "late_pickup"
    """Picked up only after more than 50 hours."""
    NEVER_PICKED_UP = "never_picked_up"
    """A courier is assigned and never comes."""


@dataclass(frozen=True, slots=True)
class JourneyMix:
    """Which journeys the waybills get: shares for the ordinary kinds, exact counts for the alarming ones.

    Of every `every` waybills issued, the last is never picked up until there are `stale_count` of them, and the
    third is picked up late until there are `late_count`.
    """

    locker: float = 0.15
    exception: float = 0.08
    returned: float = 0.03
    stale_count: int = 0
    late_count: int = 0
    every: int = 7

    def choose(self, ordinal: int, dice: random.Random) -> JourneyKind:
        """The kind for the waybill issued as number `ordinal` (from 1)."""
        turn, place = divmod(ordinal - 1, self.every)
        if place == self.every - 1 and turn < self.stale_count:
            return JourneyKind.NEVER_PICKED_UP
        if place == 2 % self.every and turn < self.late_count:
            return JourneyKind.LATE_PICKUP
        point = dice.random()
        shares = ((JourneyKind.LOCKER, self.locker), (JourneyKind.EXCEPTION, self.exception))
        for kind, share in (*shares, (JourneyKind.RETURNED, self.returned)):
            point -= share
            if point < 0:
                return kind
        return JourneyKind.NORMAL


@dataclass(frozen=True, slots=True)
class Scan:
    """One trace: business time (whole seconds), KDNiao's Action, and the coarse State of the parcel after it."""

    at: datetime
    action: str
    state: str
    text: str
    location: str

    def trace(self) -> dict[str, str]:
        return {
            "AcceptTime": wire_time(self.at),
            "AcceptStation": self.text,
            "Location": self.location,
            "Action": self.action,
            "Remark": "",
        }


@dataclass(slots=True)
class Parcel:
    """One issued waybill and its journey. `answer` is the 1007 reply it was issued with."""

    order_code: str
    shipper_code: str
    waybill_no: str
    callback: str
    kind: JourneyKind
    scans: tuple[Scan, ...]
    answer: dict[str, Any]
    phone_tails: frozenset[str] = frozenset()
    is_followed: bool = False
    is_cancelled: bool = False

    def scans_until(self, moment: datetime) -> tuple[Scan, ...]:
        return () if self.is_cancelled else tuple(scan for scan in self.scans if scan.at <= moment)

    def snapshot(self, ebusiness_id: str, scans: Sequence[Scan]) -> dict[str, Any]:
        """A Data item of push 102, and the reply of 8001: the full history as of these scans."""
        last = scans[-1] if scans else None
        return {
            "EBusinessID": ebusiness_id,
            "OrderCode": self.order_code,
            "ShipperCode": self.shipper_code,
            "LogisticCode": self.waybill_no,
            "Success": last is not None,
            "Reason": "" if last else "暂无轨迹信息",
            "State": last.state if last else "0",
            "StateEx": last.action if last else "0",
            "CallBack": self.callback,
            "Location": last.location if last else "",
            "Traces": [scan.trace() for scan in scans],
        }


def wire_time(moment: datetime) -> str:
    """KDNiao's time on the wire: naive, Asia/Shanghai."""
    return moment.astimezone(_WIRE_ZONE).strftime("%Y-%m-%d %H:%M:%S")


def plan_journey(
    kind: JourneyKind, issued_at: datetime, dice: random.Random, origin: str, destination: str
) -> tuple[Scan, ...]:
    """The scans of a journey, ascending. Pickup after 2 to 5 business hours, delivered 30 to 45 after issue."""
    return tuple(
        Scan((issued_at + timedelta(hours=hours)).replace(microsecond=0), action, state, text, place)
        for hours, action, state, text, place in _stations(kind, dice, origin, destination)
    )


def _stations(
    kind: JourneyKind, dice: random.Random, origin: str, destination: str
) -> Iterator[tuple[float, str, str, str, str]]:
    if kind is JourneyKind.NEVER_PICKED_UP:
        yield dice.uniform(0.5, 2), "10", "0", f"【{origin}】商家已发货，等待揽收", origin
        return
    late = 48.0 if kind is JourneyKind.LATE_PICKUP else 0.0
    pickup = late + dice.uniform(2.1, 5)
    end = late + dice.uniform(30, 45)

    def after(share: float) -> float:
        return pickup + (end - pickup) * share

    yield pickup, "1", "1", f"【{origin}】已揽收，揽收人：李四", origin
    yield after(0.08), "2", "2", f"【{origin}】已离开，发往【{destination}】转运中心", origin
    yield after(0.55), "201", "2", f"已到达【{destination}】", destination
    yield after(0.75), "205", "2", f"【{destination}】已到达派件网点", destination
    yield after(0.85), "202", "2", f"【{destination}】快递员王五正在派件", destination
    for hours, action, state, text in _last_mile(kind, dice, end):
        yield hours, action, state, f"【{destination}】{text}", origin if action in ("407", "406") else destination


def _last_mile(kind: JourneyKind, dice: random.Random, end: float) -> Iterator[tuple[float, str, str, str]]:
    if kind is JourneyKind.LOCKER:
        yield end - 1.5, "211", "2", "已放入快递柜，取件码见短信"
        yield end, *dice.choice((("301", "3", "已签收，签收人：本人"), ("304", "3", "已由他人代收")))
    elif kind is JourneyKind.EXCEPTION:
        yield end - 2, "416", "4", "派件异常：无法联系收件人"
        yield end - 1, "419", "2", "重新派送"
        # The coarse State of a problem parcel may stay 4 after the signature: only StateEx tells.
        yield end, "302", "4", "已签收，签收人：本人"
    elif kind is JourneyKind.RETURNED:
        yield end, "404", "4", "收件人拒收"
        yield end + 4, "407", "4", "退回件已发出"
        yield end + dice.uniform(28, 40), "406", "4", "退回件已由发件人签收"
    else:
        yield end, "301", "3", "已签收，签收人：本人"
