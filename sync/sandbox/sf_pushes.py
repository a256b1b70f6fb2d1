"""SF's route pushes: only what is new, unsigned, to an address that nobody else knows."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, ClassVar

from sync.sandbox.journeys import Parcel, wire_time
from sync.sandbox.pushes import Job, PushSender
from sync.sandbox.sf import wire_route


@dataclass(slots=True)
class SfPushSender(PushSender):
    """A forged push claims a signature, and its sender knows everything but the last part of the address."""

    content_type: ClassVar[str] = "application/json;charset=UTF-8"

    def _place(self, job: Job) -> str:
        return self.url.rpartition("/")[0] if job.kind == "forged" else self.url

    def _is_worth_telling(self, parcel: Parcel, index: int) -> bool:
        return wire_route(parcel.scans[index]) is not None

    def _body(self, job: Job) -> bytes:
        routes = [route for parcel, index in job.legs if (route := self._route(job, parcel, index))]
        return json.dumps({"Body": {"WaybillRoute": routes}}, ensure_ascii=False).encode()

    def _route(self, job: Job, parcel: Parcel, index: int) -> dict[str, Any] | None:
        route = wire_route(parcel.scans[index])
        if route is None:
            return None
        if job.kind == "forged":
            route |= {"opCode": "80", "remark": "已签收", "acceptTime": wire_time(self.clock.now())}
        number = int(parcel.waybill_no[2:]) * 100 + index
        return {"id": str(number), "mailno": parcel.waybill_no, "orderid": parcel.order_code, **route}

    def _read_reply(self, reply: dict[str, Any]) -> tuple[bool, object]:
        return reply.get("return_code") == "0000", reply.get("return_msg")
