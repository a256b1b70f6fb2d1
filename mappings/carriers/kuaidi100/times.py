"""Kuaidi100's times: China's on the wire, milliseconds where a moment is signed or a window is asked for."""

from __future__ import annotations

from datetime import datetime

from mappings import china_time


def read_time(text: object) -> datetime | None:
    """Aware UTC, or None when there is no readable time; a bare date is none."""
    return china_time.read_time(text, china_time.TIMED)


def milliseconds(moment: datetime) -> int:
    """Since 1970, as signatures and pickup windows have it."""
    return round(moment.timestamp() * 1000)
