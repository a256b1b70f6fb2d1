"""How long a parcel may travel, by how far it goes: within a province, to another one, to a remote one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta

from mappings.address import full_province, is_remote

_SECONDS = {"h": 3600, "d": 86400}
_LENGTH = re.compile(r"(\d+(?:\.\d+)?)([hd])")


@dataclass(frozen=True, slots=True)
class TravelTimes:
    """In seconds; as text `near=4d,far=7d,remote=12d`."""

    near_s: float = 4 * 86400.0
    far_s: float = 7 * 86400.0
    remote_s: float = 12 * 86400.0

    def between(self, origin: str, destination: str) -> timedelta:
        """From province to province, in any spelling; a province that nobody knows is another one."""
        home, away = full_province(origin), full_province(destination)
        if home and home == away:
            return timedelta(seconds=self.near_s)
        return timedelta(seconds=self.remote_s if is_remote(away) else self.far_s)

    def __str__(self) -> str:
        return ",".join(
            f"{name}={_to_text(seconds)}"
            for name, seconds in (("near", self.near_s), ("far", self.far_s), ("remote", self.remote_s))
        )


def parse_travel_times(text: str) -> TravelTimes:
    """Read `near=4d,far=7d,remote=12d` (days or hours; what is left out keeps its default), or one length for all.

    Raises ValueError with a sentence.
    """
    if "=" not in text:
        seconds = _to_seconds(text)
        return TravelTimes(seconds, seconds, seconds)
    lengths: dict[str, float] = {}
    for part in text.split(","):
        name, _, length = (word.strip() for word in part.partition("="))
        if name not in ("near", "far", "remote"):
            raise ValueError(f"{name!r} is none of near, far, remote")
        if f"{name}_s" in lengths:
            raise ValueError(f"{name} stands there twice")
        lengths[f"{name}_s"] = _to_seconds(length)
    return TravelTimes(**lengths)


def _to_seconds(text: str) -> float:
    found = _LENGTH.fullmatch(text.strip().lower())
    if found is None or float(found[1]) <= 0:
        raise ValueError(f"{text!r} is not a length like 7d or 36h")
    return float(found[1]) * _SECONDS[found[2]]


def _to_text(seconds: float) -> str:
    unit = "h" if seconds % _SECONDS["d"] else "d"
    return f"{seconds / _SECONDS[unit]:g}{unit}"
