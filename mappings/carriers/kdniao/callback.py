"""Pushes 101, 102 and 103: the signature, the shape, every item of it, and the answer KDNiao expects."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from mappings.carriers.kdniao.settings import KdniaoSettings
from mappings.carriers.kdniao.signing import is_signed_by
from mappings.carriers.kdniao.tracking import UnreadableItem, field, read_identity, read_parcel, read_pickup
from mappings.china_time import read_time, write_time
from mappings.connector import CallbackRefused
from mappings.model import Callback, NumberChange, TrackingEvent
from mappings.wire import HttpReply, read_form

MAX_BODY = 4 * 1024 * 1024
MAX_FIELDS = 20
PROBLEM_LIMIT = 50


def verify(body: bytes, settings: KdniaoSettings) -> None:
    """Check signature and shape of a push; the signature is that of the decoded form text, never of re-dumped JSON.

    The form counts, not the content type: pushes with an odd one are genuine all the same. There is no time in the
    signature, so a replay passes; event keys make it harmless. Raises CallbackRefused.
    """
    if len(body) > MAX_BODY:
        raise CallbackRefused("the push is too large", status=413)
    form = _read_form(body)
    if not is_signed_by(form.get("RequestData", ""), form.get("DataSign", ""), settings.app_keys):
        raise CallbackRefused("签名验证失败 (signature refused)", status=401)
    data = _read_json(form["RequestData"])
    if field(data, "EBusinessID") != settings.ebusiness_id:
        raise CallbackRefused("EBusinessID is not ours", status=403, signature_ok=True)
    items = data.get("Data")
    if not isinstance(items, list):
        raise CallbackRefused("Data is no list", signature_ok=True)
    if len(items) > settings.max_items:
        raise CallbackRefused(f"more than {settings.max_items} items", status=413, signature_ok=True)


def _read_form(body: bytes) -> dict[str, str]:
    try:
        pairs = read_form(body, MAX_FIELDS)
    except ValueError:
        raise CallbackRefused("the body is no form") from None
    form = dict(pairs)
    if len(form) != len(pairs):
        raise CallbackRefused("a form field comes twice")
    if not form.get("RequestData"):
        raise CallbackRefused("the form has no RequestData")
    return form


def _read_json(text: str) -> dict[str, Any]:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict):
        raise CallbackRefused("RequestData is no JSON object", signature_ok=True)
    return data


def read(body: bytes, settings: KdniaoSettings, received_at: datetime) -> Callback:
    """Read every item of a verified push; an item that cannot be read is named and costs the others nothing."""
    form = _read_form(body)
    data = _read_json(form["RequestData"])
    kind = form.get("RequestType", "").strip()
    told_at = read_time(data.get("PushTime")) or received_at
    facts: list[TrackingEvent | NumberChange] = []
    problems: list[str] = []
    ignored = 0
    for number, item in enumerate(data.get("Data") or (), start=1):
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
    if field(item, "EBusinessID") not in ("", settings.ebusiness_id):
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
    body = json.dumps(words, ensure_ascii=False, separators=(",", ":")).encode()
    return HttpReply(200 if ok else 400, {"content-type": "application/json;charset=utf-8"}, body)
