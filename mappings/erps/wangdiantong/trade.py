"""Pushing a raw trade, and what became of it; Wangdiantong names it by our own number."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mappings.erps.wangdiantong.service import RULES, Service, always
from mappings.errors import PermanentError
from mappings.fields import objects_in, text_of
from mappings.model import ErpDocument
from mappings.rulings import garbled
from mappings.wire import Exchange

PUSH = "sales.RawTrade.pushSelf2"


def push_trade(service: Service, args: list[Any], tid: str, operation: str, area: str) -> Exchange[tuple[int, int]]:
    """How many trades it made and how many it changed: 0 and 1 says that the trade was there already.

    Raises any PeerError; a good answer holds a refusal of its own for each trade.
    """
    answer = yield from service.ask(operation, PUSH, always(args), area)
    data = answer.get("data")
    if not isinstance(data, dict):
        raise garbled(area, "Wangdiantong's answer does not say what became of the order")
    refusals = [row for row in objects_in(data.get("error_list")) if text_of(row, "no") in ("", tid)]
    if refusals:
        text = text_of(refusals[0], "error")
        raise RULES.error(RULES.judge_words(text), area, text_of(refusals[0], "no"), text)
    return _count(data, "new_count"), _count(data, "chg_count")


def find_trade(service: Service, tid: str, area: str) -> Exchange[Mapping[str, Any] | None]:
    """The raw trade under our number, or None. Raises PermanentError `<area>.found_other`; never UncertainError."""
    mine = yield from trades_of(service, tid, area)
    if not mine:
        return None
    here = [row for row in mine if text_of(row, "shop_no") in ("", service.settings.shop_no)]
    if len(here) != 1:
        raise PermanentError(
            f"{area}.found_other",
            f"Wangdiantong holds the number {tid} for {'several orders' if here else 'another shop'}; nothing was "
            "changed. Look there, and correct SHOP_NO or cancel the surplus, then retry",
        )
    return here[0]


def trades_of(service: Service, tid: str, area: str) -> Exchange[list[Mapping[str, Any]]]:
    """Every raw trade under our number, of whatever shop there."""
    method = service.settings.find_method
    rows = yield from service.rows("find_order", method, always([{"tid": tid}]), area, "order")
    return [row for row in rows if text_of(row, "tid") == tid]


def document_of(tid: str, *, adopted: bool) -> ErpDocument:
    """A raw trade has no number but ours."""
    return ErpDocument(tid, tid, adopted=adopted)


def _count(data: Mapping[str, Any], name: str) -> int:
    text = text_of(data, name)
    return int(text) if text.isdecimal() else 0
