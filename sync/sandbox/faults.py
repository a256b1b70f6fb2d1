"""Faults as data: what share of calls goes wrong, how, and how often one order may be hit."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from typing import Any, TypeVar

from sync.sandbox.http import Ending, Response

_HTML = b"<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"
_GARBAGE = b"\x00\xff\xfe}{not the protocol\x1b"


class FaultKind(StrEnum):
    """What goes wrong with one call; each has a share of the same name in `Faults`."""

    OUTAGE = "outage"
    RESET_BEFORE = "reset_before"
    SERVER_ERROR = "server_error"
    TOO_MANY = "too_many"
    BUSINESS = "business"
    RESET_AFTER = "reset_after"
    HANG_AFTER = "hang_after"
    TRUNCATED = "truncated"
    GARBAGE = "garbage"
    HTML_200 = "html_200"
    HTML_502 = "html_502"
    GBK = "gbk"
    HALF_JSON = "half_json"
    DRIP = "drip"

    @property
    def takes_nothing(self) -> bool:
        """True when the peer fails before it did anything."""
        return self in _BEFORE


_BEFORE = frozenset(
    {FaultKind.OUTAGE, FaultKind.RESET_BEFORE, FaultKind.SERVER_ERROR, FaultKind.TOO_MANY, FaultKind.BUSINESS}
)
_DRAWN = tuple(kind for kind in FaultKind if kind is not FaultKind.OUTAGE)


F = TypeVar("F", "Faults", "PushFaults")


@dataclass(frozen=True, slots=True)
class Faults:
    """Faults of a peer that answers calls. Shares are 0..1 of calls and together at most 1.

    Before anything is done: `reset_before`, `server_error` (500), `too_many` (429), `business` (a refusal with
    `business_code`), and `outage` or the first `outage_first_calls` calls (503).
    After the order was taken: `reset_after`, `hang_after` (silence for `hang_s`, then closed), `truncated`,
    `garbage`, `html_200`, `html_502`, `gbk`, `half_json`, `drip` (spread over `drip_s`).
    One order is hit at most `max_per_order` times (0: no bound), so that a run can end; outages are not counted.
    `only` narrows to operations (`book_waybill`, `create_order`, ...). `bare_duplicate` and `bom` are shapes of a
    good KDNiao answer: a 106 without its Order, a body that begins with a byte order mark.
    """

    latency_ms: float = 0.0
    latency_jitter_ms: float = 0.0
    reset_before: float = 0.0
    server_error: float = 0.0
    too_many: float = 0.0
    business: float = 0.0
    reset_after: float = 0.0
    hang_after: float = 0.0
    truncated: float = 0.0
    garbage: float = 0.0
    html_200: float = 0.0
    html_502: float = 0.0
    gbk: float = 0.0
    half_json: float = 0.0
    drip: float = 0.0
    bare_duplicate: float = 0.0
    bom: float = 0.0
    outage: bool = False
    outage_first_calls: int = 0
    max_per_order: int = 1
    only: tuple[str, ...] = ()
    hang_s: float = 30.0
    drip_s: float = 5.0
    retry_after_s: int = 1
    business_code: str = "105"
    business_reason: str = "系统繁忙，请稍后再试"

    def __post_init__(self) -> None:
        if not 0 <= sum(self.share(kind) for kind in _DRAWN) <= 1 + 1e-9:
            raise ValueError("the shares of all faults together must lie between 0 and 1")

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> Faults:
        """Faults from a JSON object; raises ValueError naming an unknown or ill-typed field."""
        return _read(cls, data)

    def share(self, kind: FaultKind) -> float:
        return float(getattr(self, kind.value))


@dataclass(frozen=True, slots=True)
class PushFaults:
    """Faults of the pushes we receive. Shares are 0..1 of pushes.

    `duplicate`: the same bytes twice. `reorder`: held back until the next snapshot has gone. `late`: after a
    snapshot, the one before it again with a newer push time. `forged`: an extra push that claims a signature by
    the consignee and is signed with another key. `batch` parcels travel in one push, gathered for `batch_every_s`
    machine seconds.
    """

    duplicate: float = 0.0
    reorder: float = 0.0
    late: float = 0.0
    forged: float = 0.0
    batch: int = 1
    batch_every_s: float = 0.5

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> PushFaults:
        """Push faults from a JSON object; raises ValueError naming an unknown or ill-typed field."""
        return _read(cls, data)


def _read(cls: type[F], data: Mapping[str, Any]) -> F:
    known = {item.name: item.default for item in fields(cls)}
    values: dict[str, Any] = {}
    for name, value in data.items():
        if name not in known:
            raise ValueError(f"{name!r} is no fault; known are {', '.join(known)}")
        values[name] = _coerce(name, value, known[name])
    return cls(**values)


def _coerce(name: str, value: Any, default: Any) -> Any:
    """The value in the type of the field's default: numbers never from texts, a lone operation as a list of one."""
    if isinstance(default, tuple):
        return (value,) if isinstance(value, str) else tuple(value)
    if isinstance(default, bool | str):
        fits = isinstance(value, type(default))
    else:
        accepted = int if isinstance(default, int) else int | float
        fits = isinstance(value, accepted) and not isinstance(value, bool) and value >= 0
    if not fits:
        raise ValueError(f"{name!r} cannot be {value!r}")
    return type(default)(value)


@dataclass(frozen=True, slots=True)
class Draw:
    """What happens to one call: nothing (`kind` None) or a fault, and how long the peer thinks (machine seconds)."""

    kind: FaultKind | None = None
    delay_s: float = 0.0
    bare_duplicate: bool = False
    bom: bool = False


@dataclass(slots=True)
class FaultInjector:
    """Decides the fault of each call; the decision depends on seed, order and call count, not on thread timing."""

    seed: int
    faults: Faults = field(default_factory=Faults)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _hits: Counter[str] = field(default_factory=Counter, repr=False)
    _asked: Counter[tuple[str, str]] = field(default_factory=Counter, repr=False)
    _calls: int = 0

    def configure(self, faults: Faults) -> None:
        """Switch the faults; counts of earlier hits and calls start anew."""
        with self._lock:
            self.faults = faults
            self._hits.clear()
            self._asked.clear()
            self._calls = 0

    def draw(self, operation: str, key: str) -> Draw:
        """The fate of one call of `operation` for the order `key`."""
        with self._lock:
            faults = self.faults
            self._asked[operation, key] += 1
            self._calls += 1
            in_outage = faults.outage or self._calls <= faults.outage_first_calls
            dice = random.Random(f"{self.seed}:{operation}:{key}:{self._asked[operation, key]}")  # noqa: S311 - not a secret
            delay_s = (faults.latency_ms + dice.random() * faults.latency_jitter_ms) / 1000
            if faults.only and operation not in faults.only:
                return Draw(None, delay_s)
            kind = FaultKind.OUTAGE if in_outage else self._pick(faults, dice.random(), key)
            return Draw(kind, delay_s, dice.random() < faults.bare_duplicate, dice.random() < faults.bom)

    def _pick(self, faults: Faults, point: float, key: str) -> FaultKind | None:
        if faults.max_per_order and self._hits[key] >= faults.max_per_order:
            return None
        for kind in _DRAWN:
            point -= faults.share(kind)
            if point < 0:
                self._hits[key] += 1
                return kind
        return None


def refuse(kind: FaultKind, faults: Faults) -> Response:
    """The answer of a peer that fails before it did anything (not for BUSINESS: each peer has its own words)."""
    if kind is FaultKind.RESET_BEFORE:
        return Response(ending=Ending.RESET)
    if kind is FaultKind.TOO_MANY:
        return _page(429, b"Too Many Requests", (("Retry-After", str(faults.retry_after_s)),))
    if kind is FaultKind.OUTAGE:
        return _page(503, b"Service Unavailable")
    return _page(500, b"Internal Server Error")


def damage(response: Response, kind: FaultKind, faults: Faults) -> Response:
    """A good answer as it arrives when the way back fails: the order is taken all the same."""
    if kind is FaultKind.RESET_AFTER:
        return response.ending_in(Ending.RESET)
    if kind is FaultKind.HANG_AFTER:
        return response.ending_in(Ending.HANG, faults.hang_s)
    if kind is FaultKind.TRUNCATED:
        return response.ending_in(Ending.TRUNCATE)
    if kind is FaultKind.DRIP:
        return response.ending_in(Ending.DRIP, faults.drip_s)
    if kind is FaultKind.HTML_502:
        return replace(response, status=502, body=_HTML, content_type="text/html")
    if kind is FaultKind.HTML_200:
        return replace(response, status=200, body=_HTML, content_type="text/html")
    return replace(response, body=_spoil(response.body, kind))


def _spoil(body: bytes, kind: FaultKind) -> bytes:
    if kind is FaultKind.GBK:
        return body.decode("utf-8-sig").encode("gbk", errors="replace")
    if kind is FaultKind.HALF_JSON:
        return body[: len(body) // 2]
    return _GARBAGE


def _page(status: int, text: bytes, headers: tuple[tuple[str, str], ...] = ()) -> Response:
    return Response(status, text, "text/plain", headers)
