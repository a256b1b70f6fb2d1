"""Pushes about a parcel and about an order to pick up: signature, shape, every fact of it, and the answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from mappings.callbacks import PROBLEM_LIMIT, check_size, json_answer, read_push_form, read_signed_json
from mappings.carriers.kuaidi100.results import text_of
from mappings.carriers.kuaidi100.settings import Kuaidi100Settings
from mappings.carriers.kuaidi100.shippers import com_to_add, find_com
from mappings.carriers.kuaidi100.signing import is_signed_by
from mappings.carriers.kuaidi100.tracking import ORDER, PLATFORM, SUBSCRIPTION, TABLE, read_parcel
from mappings.connector import CallbackRefused
from mappings.events import ORDER_CODE_LENGTH, TEXT_LENGTH, WAYBILL_LENGTH, Parcel, facts_of
from mappings.model import Callback, EventKind, NumberChange, TrackingEvent
from mappings.wire import HttpReply

SIGNED = "param"
"""The form field that holds the push; its text, decoded, is what the signature is of."""


def verify(body: bytes, settings: Kuaidi100Settings) -> None:
    """Check signature and shape of a push; the signature is that of the decoded form text, never of re-dumped JSON.

    The form counts, not the content type. There is no time in the signature, so a replay passes; event keys make it
    harmless. Raises CallbackRefused.
    """
    check_size(body)
    form = read_push_form(body, SIGNED)
    if not is_signed_by(form[SIGNED], form.get("sign", ""), settings.salts):
        raise CallbackRefused("签名验证失败 (signature refused)", status=401)
    data = read_signed_json(form[SIGNED], SIGNED)
    result = _result_of(data)
    if result is None and _order_of(data) is None:
        raise CallbackRefused("the push tells neither of a parcel nor of an order", signature_ok=True)
    scans = (result or {}).get("data")
    if isinstance(scans, list) and len(scans) > settings.max_items:
        raise CallbackRefused(f"more than {settings.max_items} scans", status=413, signature_ok=True)


def _result_of(data: Mapping[str, Any]) -> Mapping[str, Any] | None:
    found = data.get("lastResult")
    return found if isinstance(found, dict) else None


def _order_of(data: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """An order push carries its order in `data`; a tracking push has lastResult there."""
    found = data.get("data")
    return found if isinstance(found, dict) and "lastResult" not in data else None


def read(body: bytes, settings: Kuaidi100Settings, received_at: datetime) -> Callback:
    """Read every fact of a verified push; what cannot be read is named and costs the rest nothing."""
    data = read_signed_json(read_push_form(body, SIGNED)[SIGNED], SIGNED)
    order, result = _order_of(data), _result_of(data)
    if order is not None:
        return _read_order(data, order, received_at)
    return _read_tracking(data, result or {}, received_at)


def _read_tracking(data: Mapping[str, Any], result: Mapping[str, Any], told_at: datetime) -> Callback:
    number, com = text_of(result, "nu"), text_of(result, "com")
    unreadable = _number_problem(number, "")
    if unreadable:
        return Callback(events=(), problems=(unreadable,))
    problems: list[str] = []
    parcel = Parcel(PLATFORM, _shipper_code(com, problems), number, "", told_at)
    events, unread = read_parcel(result, parcel)
    problems += unread
    changes = _read_correction(data, number, problems)
    status = text_of(data, "status")
    # That the following ended without a signature is a fact of its own: it brings no status, and shows in the history.
    ended = _read_end(status, data, parcel) if status not in ("polling", "shutdown", "updateall", "") else ()
    if text_of(data, "comNew"):  # it goes on under the other company by itself
        ended = tuple(replace(event, incident="") for event in ended)
    return Callback(
        events=(*events, *ended),
        changes=changes,
        ignored=int(not events and not ended and not changes and not problems),
        problems=tuple(problems[:PROBLEM_LIMIT]),
    )


def _shipper_code(com: str, problems: list[str]) -> str:
    """The house's code of a company; one that nobody mapped is said and costs the scans nothing."""
    shipper = find_com(com)
    if shipper is not None:
        return shipper.code
    if com:
        problems.append(f"nobody mapped the courier company {com[:20]!r}. {com_to_add(com[:20])}")
    return ""


def _read_correction(data: Mapping[str, Any], number: str, problems: list[str]) -> tuple[NumberChange, ...]:
    """Kuaidi100 found that the number belongs to another company, and follows it there from now on."""
    com = text_of(data, "comNew")
    if not com:
        return ()
    shipper_code = _shipper_code(com, problems)
    return (NumberChange("", number, number, shipper_code),) if shipper_code else ()


def _read_end(status: str, data: Mapping[str, Any], parcel: Parcel) -> tuple[TrackingEvent, ...]:
    facts = facts_of(TABLE.look_up(SUBSCRIPTION, status))
    text = text_of(data, "message")[:TEXT_LENGTH]
    return (parcel.event(EventKind.SNAPSHOT, parcel.told_at, SUBSCRIPTION, status, text=text, **facts),)


def _read_order(data: Mapping[str, Any], order: Mapping[str, Any], told_at: datetime) -> Callback:
    """One state of an order to pick up. It carries no time of its own, so it stands at the time it was told."""
    number, order_code = text_of(data, "kuaidinum"), text_of(order, "orderId")
    code = text_of(order, "status")
    if problem := _number_problem(number, order_code) or ("" if code else "the order has no status"):
        return Callback(events=(), problems=(problem,))
    meaning = TABLE.look_up(ORDER, code)
    if meaning is not None and meaning.canonical is None:
        return Callback(events=(), ignored=1)
    problems: list[str] = []
    parcel = Parcel(PLATFORM, _shipper_code(text_of(data, "kuaidicom"), problems), number, order_code, told_at)
    text = meaning.zh if meaning else ""
    event = parcel.event(EventKind.PICKUP, told_at, ORDER, code, text=text, **facts_of(meaning))
    return Callback(events=(event,), problems=tuple(problems))


def _number_problem(number: str, order_code: str) -> str:
    if not number and not order_code:
        return "the push names neither a waybill nor an order"
    if len(number) > WAYBILL_LENGTH or len(order_code) > ORDER_CODE_LENGTH:
        return "the push holds a number longer than any real one"
    return ""


def answer(*, ok: bool, reason: str) -> HttpReply:
    """The documented JSON answer: 200 when taken; anything else is pushed again, three times in all."""
    words = {"result": ok, "returnCode": "200" if ok else "500", "message": "成功" if ok else reason}
    return json_answer(words, ok=ok)
