"""`ecsync explain order`, `ecsync shipments poll`: what ERPs are told, and what their warehouses have sent."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import click

from sync.runtime import Runtime
from sync.services.explain_order import Explanation, explain, find_told
from sync.services.take_shipments import take_shipments

Say = Callable[[Any, Sequence[str]], None]


@click.argument("order_sn")
@click.option("--erp", help="Which ERP, by name; not needed where there is one.")
def order(rt: Runtime, say: Say, order_sn: str, erp: str | None) -> None:
    """Where each field comes from that an ERP is told of an order, ours or still the shop's alone.

    Personal data is masked, nothing is sent and nothing is taken in.
    """
    key = _wanted(rt, erp)
    found = [explain(rt, told, key) for told in find_told(rt, order_sn)]
    data = [asdict(one) for one in found]
    say(data if len(data) > 1 else data[0], [line for one in found for line in _lines(one)])


@click.argument("erp", required=False)
def poll(rt: Runtime, say: Say, erp: str | None) -> None:
    """Take what the ERPs' warehouses (or one's, by name) have sent, now."""
    shipping = [peer.key for peer in rt.settings.erps if peer.erp.takes_shipments]
    if erp and f"erp.{erp}" not in shipping:
        raise click.BadParameter(f"no ERP called {erp} sends parcels; TAKES_SHIPMENTS is on for: {_named(shipping)}")
    counts = {key: dict(take_shipments(rt, key).counts) for key in ([f"erp.{erp}"] if erp else shipping)}
    lines = [f"{key}: {', '.join(f'{n} {what}' for what, n in of.items()) or 'nothing'}" for key, of in counts.items()]
    say(counts, lines or ["No ERP sends parcels: TAKES_SHIPMENTS is on for none."])


EXPLAIN: Mapping[str, Callable[..., None]] = {"order": order}
SHIPMENTS: Mapping[str, Callable[..., None]] = {"poll": poll}


def _wanted(rt: Runtime, erp: str | None) -> str:
    keys = list(rt.erps)
    if erp is None and len(keys) == 1:
        return keys[0]
    if f"erp.{erp}" not in keys:
        raise click.BadParameter(f"say which ERP with --erp: {_named(keys)}")
    return f"erp.{erp}"


def _named(keys: Sequence[str]) -> str:
    return ", ".join(key.removeprefix("erp.") for key in keys) or "none"


def _lines(one: Explanation) -> list[str]:
    head = f"order {one.order_sn} for {one.erp}:"
    if one.fields:
        width = max(len(field.target) for field in one.fields)
        return [head, *(f"  {f.target:<{width}}  {f.value}  <- {f.source} ({f.rule})" for f in one.fields)]
    if one.request:
        return [head, "  This connector names no sources; its request, before it is signed:", one.request]
    return [head, "  What it is told depends on what the ERP answers first, so it is not shown without a call."]
