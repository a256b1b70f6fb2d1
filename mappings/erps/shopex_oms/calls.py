"""One call of either interface: a form whose time and signature are made when it leaves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from urllib.parse import urlencode

from mappings.china_time import write_time
from mappings.erps.shopex_oms.settings import OmsSettings
from mappings.erps.shopex_oms.signing import sign
from mappings.wire import HttpCall, Stamp

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
AHEAD = timedelta(days=1)
"""How far beyond our own clock a period reaches, which the OMS counts by its own."""
LONG_AGO = "2000-01-01 00:00:00"


def order_call(settings: OmsSettings, operation: str, order: Mapping[str, str]) -> HttpCall:
    """`ome.order.add` for an order's fields.

    `task` names the transmission: whoever repeats the bytes is told so and nothing is done. `lastmodify` is the moment
    of sending: the OMS ignores what is older than what it holds, so a late push cannot undo a cancel.
    """

    def fields(stamp: Stamp) -> dict[str, str]:
        now = write_time(stamp.at)
        return {
            "app_id": "ecos.ome",
            "method": "ome.order.add",
            "date": now,
            "format": "json",
            "certi_id": settings.certi_id,
            "v": "1",
            "node_id": settings.node_id,
            "task": stamp.nonce,
            **order,
            "lastmodify": now,
            "modified": _seconds(stamp.at),
        }

    return _call(operation, settings.order_url, settings, settings.token, fields, changes_peer=True)


def question(
    settings: OmsSettings, operation: str, method: str, asked: Mapping[str, str], *, until: str = ""
) -> HttpCall:
    """A method of the open API. `until` names the field for a period's end, which lies ahead of the moment of sending.

    Two questions of one second that are alike count as a repeat (e000009). The OMS signs fields that it does not know
    and does nothing else with them, so a `nonce` tells them apart.
    """

    def fields(stamp: Stamp) -> dict[str, str]:
        period = {until: write_time(stamp.at + AHEAD)} if until else {}
        return {
            "flag": settings.flag,
            "method": method,
            "type": "json",
            "charset": "utf-8",
            "ver": "1",
            "timestamp": _seconds(stamp.at),
            "nonce": stamp.nonce,
            **asked,
            **period,
        }

    return _call(operation, settings.query_url, settings, settings.key, fields, changes_peer=False)


def _call(
    operation: str,
    url: str,
    settings: OmsSettings,
    secret: str,
    fields: Callable[[Stamp], dict[str, str]],
    *,
    changes_peer: bool,
) -> HttpCall:
    def sealed(call: HttpCall, stamp: Stamp) -> HttpCall:
        form = fields(stamp)
        return replace(call, body=urlencode({**form, "sign": sign(form, secret)}).encode())

    return HttpCall(operation, "POST", url, FORM, changes_peer=changes_peer, secrets=settings.secrets, stamped=sealed)


def _seconds(moment: datetime) -> str:
    return str(int(moment.timestamp()))
