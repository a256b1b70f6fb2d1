"""Kuaidi100's times: naive on the wire, always Asia/Shanghai (UTC+8, no summer time since 1991)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

SHANGHAI = timezone(timedelta(hours=8), "Asia/Shanghai")

_FORMATS = ("%Y-%m-%d %H:%M:%S", "%Y/%m/%d %H:%M:%S", "%Y-%m-%d %H:%M")


def read_time(text: object) -> datetime | None:
    """Aware UTC, or None when there is no readable time."""
    for form in _FORMATS:
        try:
            return datetime.strptime(str(text).strip(), form).replace(tzinfo=SHANGHAI).astimezone(UTC)
        except (ValueError, OverflowError):
            continue
    return None


def milliseconds(moment: datetime) -> int:
    """Since 1970, as signatures and pickup windows have it."""
    return round(moment.timestamp() * 1000)
