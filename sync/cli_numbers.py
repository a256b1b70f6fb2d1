"""`ecsync order number`: a waybill that was written by hand, or whose booking is in doubt, gets its number."""

from __future__ import annotations

import getpass
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click

from sync.runtime import Runtime
from sync.services.enter_number import enter_number
from sync.services.push_now import push_now

Say = Callable[[Any, Sequence[str]], None]


@click.argument("order_sn")
@click.argument("waybill_no")
@click.option("--shipper", default="", help="The courier company's code, such as ZTO; else the one it was routed to.")
@click.option("--parcel", type=int, help="Which parcel, where several wait for a number.")
def number(rt: Runtime, say: Say, order_sn: str, waybill_no: str, shipper: str, parcel: int | None) -> None:
    """Enter the number of a waybill that was written by hand or found in a carrier's console, and tell the shop."""
    entered = enter_number(
        rt, order_sn, waybill_no, actor=getpass.getuser()[:40], shipper_code=shipper, parcel_no=parcel
    )
    did = [{"peer": item.peer, "result": item.result} for item in push_now(rt, order_sn)]
    followed = f"{entered.followed_by} follows it" if entered.followed_by else "nobody follows it (TRACK_BY is not set)"
    head = f"order {order_sn}, parcel {entered.parcel_no}: {entered.waybill_no} {entered.shipper_code}; {followed}"
    data = {
        "order_sn": order_sn,
        "parcel_no": entered.parcel_no,
        "waybill_no": entered.waybill_no,
        "shipper_code": entered.shipper_code,
        "followed_by": entered.followed_by,
        "did": did,
    }
    say(data, [head, *(f"{item['peer']}: {item['result']}" for item in did)])


COMMANDS: Mapping[str, Callable[..., None]] = {"number": number}
