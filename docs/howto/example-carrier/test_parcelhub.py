"""Parcelhub obeys what every carrier must obey."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Sequence
from typing import Any

from ecsync_parcelhub import ParcelhubCarrier

from mappings.conformance import CarrierCase, CarrierConformance, Scan
from mappings.wire import HttpCall, HttpReply

PUSH_KEY = "push-key-0123456789"
CONFIG = {"base_url": "https://api.parcelhub.example", "token": "token+0123456789", "push_key": PUSH_KEY}


class ScriptedParcelhub:
    """Plays the platform, as its documents say: it remembers what it was told."""

    def __init__(self) -> None:
        self.numbers: dict[str, str] = {}
        self.done: set[tuple[str, str]] = set()

    def __call__(self, call: HttpCall) -> HttpReply:
        fields = json.loads(call.body) if call.body else {}
        if call.operation == "book_waybill":
            is_known = fields["reference"] in self.numbers
            number = self.numbers.setdefault(fields["reference"], f"PH{len(self.numbers) + 1:012d}")
            return reply(200, number=number, existing=is_known)
        if call.operation == "query_tracking":
            return reply(200, events=[])
        said = {"cancel_waybill": "cancelled", "subscribe": "subscribed"}[call.operation]
        if (said, fields["number"]) in self.done:
            return reply(409, error=said)
        self.done.add((said, fields["number"]))
        return reply(200, state=said)


def reply(status: int, **fields: Any) -> HttpReply:
    return HttpReply(status, {"content-type": "application/json"}, json.dumps(fields).encode())


def push(scans: Sequence[Scan]) -> bytes:
    """A signed push of these scans."""
    rows = [
        {"number": scan.waybill_no, "code": scan.code, "at": "soon" if scan.is_broken else scan.at.isoformat()}
        for scan in scans
    ]
    payload = json.dumps({"events": rows})
    sign = hmac.new(PUSH_KEY.encode(), payload.encode(), hashlib.sha256).hexdigest()
    return json.dumps({"payload": payload, "sign": sign}).encode()


CASE = CarrierCase(ParcelhubCarrier, CONFIG, peer=ScriptedParcelhub, push=push, known_code="TRANSIT")


class TestParcelhub(CarrierConformance):
    case = CASE
