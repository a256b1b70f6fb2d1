"""Signed pushes of a realistic size, each one unique."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

from sync.sandbox.journeys import JourneyKind, Parcel, plan_journey, wire_time
from sync.sandbox.kdniao_rules import sign

ISSUED_AT = datetime(2026, 1, 5, 2, 0, tzinfo=UTC)
EBUSINESS_ID = "bench"


def make_pushes(count: int, app_key: str, *, parcels: int = 1, first: int = 0) -> list[bytes]:
    """Form bodies of tracking pushes (102) for `parcels` delivered parcels each, as KDNiao sends them."""
    return [_push(number, app_key, parcels) for number in range(first, first + count)]


def _push(number: int, app_key: str, parcel_count: int) -> bytes:
    dice = random.Random(number)
    parcels = [_parcel(number, place, dice) for place in range(parcel_count)]
    items = [parcel.snapshot(EBUSINESS_ID, parcel.scans) for parcel in parcels]
    text = json.dumps(
        {
            "PushTime": wire_time(ISSUED_AT + timedelta(hours=50)),
            "EBusinessID": EBUSINESS_ID,
            "Count": str(len(items)),
            "Data": items,
        },
        ensure_ascii=False,
        separators=(",", ":"),
    )
    return urlencode({"RequestData": text, "RequestType": "102", "DataSign": sign(text, app_key)}).encode()


def _parcel(number: int, place: int, dice: random.Random) -> Parcel:
    waybill = f"SF{number:08d}{place:05d}"
    return Parcel(
        order_code=f"20260105{number:06d}{place:02d}-1",
        shipper_code="SF",
        waybill_no=waybill,
        callback=f"shipment:{number}",
        kind=JourneyKind.NORMAL,
        scans=plan_journey(JourneyKind.NORMAL, ISSUED_AT, dice, "深圳市", "杭州市"),
        answer={},
    )
