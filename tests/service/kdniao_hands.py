"""What tests of KDNiao in a house need at hand: the sandbox itself, and its pushes about ordered couriers."""

from __future__ import annotations

import json
from typing import Any, cast
from urllib.parse import urlencode

from sync.sandbox.kdniao import SandboxKdniao
from sync.sandbox.kdniao_rules import sign
from tests.service.house import House
from tests.service.test_tracking import wire_time


def sandbox(house: House) -> SandboxKdniao:
    return cast(SandboxKdniao, house.peers._peers["carrier"])


def pickup_push(house: House, order_sn: str, state: str, **fields: Any) -> bytes:
    shipment, given = house.shipment(order_sn), house.peers.settings
    now = wire_time(house.rt.clock.now())
    item = {
        "EBusinessID": given.ebusiness_id,
        "OrderCode": shipment.order_code,
        "ShipperCode": shipment.shipper_code,
        "LogisticCode": shipment.waybill_no,
        "State": state,
        "CreateTime": now,
        **fields,
    }
    data = {"EBusinessID": given.ebusiness_id, "PushTime": now, "Count": "1", "Data": [item]}
    text = json.dumps(data, ensure_ascii=False)
    return urlencode({"RequestData": text, "RequestType": "103", "DataSign": sign(text, given.app_key)}).encode()
