"""Notices when a connector reads a clock, draws lots, or reaches out of its own arguments, whatever way it does."""

from __future__ import annotations

import gc
import sys
from datetime import date
from types import FrameType, TracebackType
from typing import Any

_CLOCKS = {"time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "sleep"}
_SYSTEM = {"posix", "nt", "_socket", "socket", "_ssl", "ssl", "select", "_posixsubprocess", "random", "_random"}
_HARMLESS = {"fspath"}


class Watch:
    """Entered while a connector works; `seen` names what it called and must not have.

    The interpreter's profiling hook sees calls of built-in functions under whatever name they were imported. Garbage
    is not collected meanwhile: what others hung on its collection (Hypothesis takes its time) is not the connector's.
    """

    def __init__(self) -> None:
        self.seen: set[str] = set()
        self._before: Any = None
        self._collected = False

    def __enter__(self) -> Watch:
        self._before, self._collected = sys.getprofile(), gc.isenabled()
        gc.disable()
        sys.setprofile(self._look)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        sys.setprofile(self._before)
        if self._collected:
            gc.enable()

    def _look(self, frame: FrameType, event: str, called: Any) -> None:
        if event == "c_call" and _is_forbidden(called):
            self.seen.add(getattr(called, "__qualname__", repr(called)))
        elif event == "call" and frame.f_globals.get("__name__") == "os" and frame.f_code.co_name == "__getitem__":
            self.seen.add("os.environ")


def _is_forbidden(called: Any) -> bool:
    name, owner = called.__name__, getattr(called, "__self__", None)
    if isinstance(owner, type) and issubclass(owner, date):
        return name in ("now", "utcnow", "today")
    module = called.__module__ or type(owner).__module__
    if module == "time":
        return name in _CLOCKS
    return (module in _SYSTEM and name not in _HARMLESS) or (module in ("io", "_io") and name == "open")
