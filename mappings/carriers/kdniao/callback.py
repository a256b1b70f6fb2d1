"""Pushes 101, 102 and 103: the signature, the shape, every item of it, and the answer KDNiao expects."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from mappings.callbacks import PROBLEM_LIMIT, check_size, json_answer, read_push_form, read_signed_json
from mappings.carriers.kdniao.settings import KdniaoSettings
from mappings.carriers.kdniao.signing import is_signed_by
from mappings.carriers.kdniao.tracking import read_identity, read_parcel, read_pickup
from mappings.china_time import read_time, write_time
from mappings.connector import CallbackRefused
from mappings.events import UnreadableItem
from mappings.fields import text_of
from mappings.model import Callback, NumberChange, TrackingEvent
from mappings.wire import HttpReply

SIGNED = "RequestData"
"""The form field that holds the push; its text, decoded, is what the signature is of."""


def verify(body: bytes, settings: KdniaoSettings) -> None:
    """Check signature and shape of a push; the signature is that of the decoded form text, never of re-dumped JSON.

    The form counts, not the content type: pushes with an odd one are genuine all the same. There is no time in the
    signature, so a replay passes; event keys make it harmless. Raises CallbackRefused.
    """
    check_size(body)
    form = read_push_form(body, SIGNED)
    if not is_signed_by(form[SIGNED], form.get("DataSign", ""), settings.app_keys):
        raise CallbackRefused("签名验证失败 (signature refused)", status=401)
    data = read_signed_json(form[SIGNED], SIGNED)
    if text_of(data, "EBusinessID") != settings.ebusiness_id:
        raise CallbackRefused("EBusinessID is not ours", status=403, signature_ok=True)
    if len(_items_of(data)) > settings.max_items:
        raise CallbackRefused(f"more than {settings.max_items} items", status=413, signature_ok=True)


def _items_of(data: Mapping[str, Any]) -> list[Any]:
    items = data.get("Data")
    if not isinstance(items, list):
        raise CallbackRefused("Data is no list", signature_ok=True)
    return items


def read(body: bytes, settings: KdniaoSettings, received_at: datetime) -> Callback:
    """Read every item of a push; an item that cannot be read is named and costs the others nothing.

    Raises CallbackRefused: a person may replay one that was refused.
    """
    form = read_push_form(body, SIGNED)
    data = read_signed_json(form[SIGNED], SIGNED)
    kind = form.get("RequestType", "").strip()
    told_at = read_time(data.get("PushTime")) or received_at
    facts: list[TrackingEvent | NumberChange] = []
    problems: list[str] = []
    ignored = 0
    for number, item in enumerate(_items_of(data), start=1):
        try:
            found, trouble = _read_item(kind, item, told_at, settings)
        except UnreadableItem as problem:
            problems.append(f"item {number} {problem}")
            continue
        facts += found
        problems += [f"item {number}: {sentence}" for sentence in trouble]
        ignored += not found and not trouble
    return Callback(
        events=tuple(fact for fact in facts if isinstance(fact, TrackingEvent)),
        changes=tuple(fact for fact in facts if isinstance(fact, NumberChange)),
        ignored=ignored,
        problems=tuple(problems[:PROBLEM_LIMIT]),
    )


def _read_item(
    kind: str, item: object, told_at: datetime, settings: KdniaoSettings
) -> tuple[list[TrackingEvent | NumberChange], tuple[str, ...]]:
    if not isinstance(item, Mapping):
        raise UnreadableItem("is no object")
    if text_of(item, "EBusinessID") not in ("", settings.ebusiness_id):
        raise UnreadableItem("belongs to another KDNiao user")
    parcel = read_identity(item, told_at)
    if kind == "103":
        return list(read_pickup(item, parcel)), ()
    if kind in ("101", "102"):
        events, problems = read_parcel(item, parcel)
        return list(events), problems
    raise UnreadableItem(f"is of request type {kind[:10]!r}, which nobody reads")


def answer(settings: KdniaoSettings, *, ok: bool, reason: str, now: datetime) -> HttpReply:
    """The documented JSON answer: 200 when taken, 400 when not. Its time is Shanghai's."""
    words = {"EBusinessID": settings.ebusiness_id, "UpdateTime": write_time(now), "Success": ok, "Reason": reason}
    return json_answer(words, ok=ok)
