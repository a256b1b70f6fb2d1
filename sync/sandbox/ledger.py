"""The peers' own record of what they were asked and what they did: tests and the demo assert against it."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from sync.clock import utc_now

MAX_CALLS = 200_000
"""Calls kept one by one; beyond it only the counts go on."""


@dataclass(slots=True)
class CarrierOrder:
    """All that happened to one OrderCode. More than one entry in `waybills` would be a second paid waybill."""

    waybills: list[str] = field(default_factory=list)
    calls: int = 0
    adopted: int = 0
    refused: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    shipper_code: str = ""
    callback: str = ""
    journey: str = ""
    issued_at: str = ""
    cancelled: bool = False


@dataclass(slots=True)
class ErpOrder:
    """All that happened to one order_id at the ERP."""

    documents: list[str] = field(default_factory=list)
    idempotency_keys: list[str] = field(default_factory=list)
    calls: int = 0
    adopted: int = 0
    refused: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    cancelled: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """One inbound call: what was asked of whom, what became of it, and the fault it met (empty: none)."""

    at: str
    peer: str
    operation: str
    key: str
    note: str
    status: int
    fault: str


@dataclass(frozen=True, slots=True)
class Push:
    """One outbound push attempt. `kind` is regular, duplicate, late, reorder or forged; `status` 0: no answer."""

    at: str
    kind: str
    request_type: str
    order_codes: tuple[str, ...]
    waybills: tuple[str, ...]
    states: tuple[str, ...]
    attempt: int
    status: int
    accepted: bool
    reason: str


@dataclass(slots=True)
class Ledger:
    """Thread-safe; `wait_until` lets a test wait for an entry instead of sleeping."""

    _changed: threading.Condition = field(default_factory=threading.Condition, repr=False)
    _carrier: dict[str, CarrierOrder] = field(default_factory=dict)
    _erp: dict[str, ErpOrder] = field(default_factory=dict)
    _calls: list[Call] = field(default_factory=list)
    _counts: Counter[str] = field(default_factory=Counter)
    _pushes: list[Push] = field(default_factory=list)
    _push_counts: Counter[str] = field(default_factory=Counter)
    _notices: list[dict[str, Any]] = field(default_factory=list)

    def record_call(self, peer: str, operation: str, key: str, *, note: str, status: int, fault: str) -> None:
        """Keep one inbound call; `note` is `issued`, `adopted`, `created`, `refused ...` and the like."""
        with self._changed:
            if len(self._calls) < MAX_CALLS:
                self._calls.append(Call(_now(), peer, operation, key, note, status, fault))
            self._counts[f"{peer}.{operation}"] += 1
            if note:
                self._counts[f"{peer}.{operation}.{note}"] += 1
            if fault:
                self._counts[f"{peer}.faults.{fault}"] += 1
            if operation in ("book_waybill", "create_order") and key:
                is_waybill = operation == "book_waybill"
                self._count_order(self._carrier_order(key) if is_waybill else self._erp_order(key), note, fault)
            self._changed.notify_all()

    def _count_order(self, order: CarrierOrder | ErpOrder, note: str, fault: str) -> None:
        order.calls += 1
        if note == "adopted":
            order.adopted += 1
        elif note.startswith("refused"):
            order.refused.append(note.removeprefix("refused "))
        if fault:
            order.faults.append(fault)

    def record_waybill(
        self, order_code: str, waybill_no: str, *, shipper_code: str, callback: str, journey: str, at: str
    ) -> None:
        with self._changed:
            order = self._carrier_order(order_code)
            order.waybills.append(waybill_no)
            order.shipper_code, order.callback, order.journey, order.issued_at = shipper_code, callback, journey, at

    def record_cancel(self, order_code: str) -> None:
        with self._changed:
            self._carrier_order(order_code).cancelled = True

    def record_document(self, order_id: str, erp_no: str) -> None:
        with self._changed:
            self._erp_order(order_id).documents.append(erp_no)

    def record_document_cancel(self, order_id: str) -> None:
        with self._changed:
            self._erp_order(order_id).cancelled = True

    def record_idempotency_key(self, order_id: str, key: str) -> None:
        """Keep a key seen with an order, once each."""
        with self._changed:
            keys = self._erp_order(order_id).idempotency_keys
            if key not in keys:
                keys.append(key)

    def record_push(self, push: Push) -> None:
        with self._changed:
            self._pushes.append(push)
            self._push_counts["sent"] += 1
            self._push_counts["accepted" if push.accepted else "not_accepted"] += 1
            self._push_counts[push.kind] += 1
            if push.kind == "forged" and push.accepted:
                self._push_counts["forged_accepted"] += 1
            self._changed.notify_all()

    def record_given_up(self) -> None:
        """A push that no try brought home."""
        with self._changed:
            self._push_counts["given_up"] += 1
            self._changed.notify_all()

    def record_notice(self, notice: dict[str, Any]) -> None:
        with self._changed:
            self._notices.append(notice)
            self._changed.notify_all()

    def snapshot(self, *, brief: bool = False) -> dict[str, Any]:
        """The whole ledger as JSON-ready values; `brief` leaves out the lists of single calls and pushes."""
        with self._changed:
            return self._snapshot(brief)

    def wait_until(self, claim: Callable[[dict[str, Any]], object], timeout_s: float = 10) -> bool:
        """Wait until `claim` holds for the brief snapshot; False when `timeout_s` machine seconds passed first."""
        with self._changed:
            return bool(self._changed.wait_for(lambda: claim(self._snapshot(brief=True)), timeout_s))

    def reset(self) -> None:
        with self._changed:
            self._carrier.clear()
            self._erp.clear()
            self._calls.clear()
            self._counts.clear()
            self._pushes.clear()
            self._push_counts.clear()
            self._notices.clear()
            self._changed.notify_all()

    def _snapshot(self, brief: bool) -> dict[str, Any]:
        references: dict[str, list[str]] = {}
        for code, order in self._carrier.items():
            if order.callback:
                references.setdefault(order.callback, []).append(code)
        return {
            "carrier": {
                "orders": {code: asdict(order) for code, order in self._carrier.items()},
                "references": references,
                "waybills_issued": sum(len(order.waybills) for order in self._carrier.values()),
            },
            "erp": {
                "orders": {order_id: asdict(order) for order_id, order in self._erp.items()},
                "documents": sum(len(order.documents) for order in self._erp.values()),
            },
            "notices": list(self._notices),
            "counts": dict(self._counts),
            "pushes": {"counts": dict(self._push_counts), **({} if brief else {"sent": _rows(self._pushes)})},
            **({} if brief else {"calls": _rows(self._calls)}),
        }

    def _carrier_order(self, code: str) -> CarrierOrder:
        return self._carrier.setdefault(code, CarrierOrder())

    def _erp_order(self, order_id: str) -> ErpOrder:
        return self._erp.setdefault(order_id, ErpOrder())


def _rows(items: list[Call] | list[Push]) -> list[dict[str, Any]]:
    return [asdict(item) for item in items]


def _now() -> str:
    return utc_now().isoformat(timespec="milliseconds")
