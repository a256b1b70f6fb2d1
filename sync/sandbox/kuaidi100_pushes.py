"""Kuaidi100's pushes: one parcel each, newest scan first, to the address and with the salt of its subscription; of an
ordered courier also what became of the order."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import urlencode

from sync.sandbox.kuaidi100 import Kuaidi100Parcel
from sync.sandbox.kuaidi100_pickup import STATES, order_push
from sync.sandbox.kuaidi100_rules import sign
from sync.sandbox.pushes import Job, PushSender


@dataclass(slots=True)
class Kuaidi100PushSender(PushSender):
    """A push is accepted when the receiver answers 200 and `result: true`. Parcels of plain https addresses stay."""

    def follow(self, parcel: Kuaidi100Parcel) -> None:  # type: ignore[override]  # only its own parcels come here
        """Push every scan of the parcel to its own address as it comes due."""
        if parcel.callback.startswith("http://"):
            self.send_to(parcel.callback)
            PushSender.follow(self, parcel)

    def _gather(self, job: Job) -> Job:
        return job

    def _place(self, job: Job) -> str:
        return job.legs[0][0].callback

    def _read_reply(self, reply: dict[str, Any]) -> tuple[bool, object]:
        return reply.get("result") is True, reply.get("message")

    def _body(self, job: Job) -> bytes:
        parcel, index = cast(Kuaidi100Parcel, job.legs[0][0]), job.legs[0][1]
        state = STATES.get(parcel.scans[index].action, "") if job.kind != "forged" else ""
        if parcel.ordered_as and state:
            push = order_push(parcel.shipper_code, parcel.waybill_no, parcel.ordered_as[0], state)
        else:
            push = self._tracking(job, parcel, index)
        text = json.dumps(push, ensure_ascii=False, separators=(",", ":"))
        salt = "another-salt" if job.kind == "forged" else parcel.salt
        return urlencode({"param": text, "sign": sign(text, salt)}).encode()

    def _tracking(self, job: Job, parcel: Kuaidi100Parcel, index: int) -> dict[str, Any]:
        has_ended = index + 1 == len(parcel.scans) and job.kind != "forged"
        return {
            "status": "shutdown" if has_ended else "polling",
            "billstatus": "got",
            "message": "",
            "autoCheck": "0",
            "comOld": "",
            "comNew": "",
            "lastResult": parcel.result(self._told(job, parcel, index)),
        }
