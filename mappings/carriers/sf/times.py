"""SF's times: naive on the wire, always China time (UTC+8, no summer time since 1991)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

SHANGHAI = timezone(timedelta(hours=8), "Asia/Shanghai")

_FORMATS = ("%Y-%m-%d %H:%M:%S", "%Y/%m/%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d")


def read_time(text: object) -> datetime | None:
    """Aware UTC, or None when there is no readable time; a bare date is its first moment in Shanghai."""
    for form in _FORMATS:
        try:
            return datetime.strptime(str(text).strip(), form).replace(tzinfo=SHANGHAI).astimezone(UTC)
        except (ValueError, OverflowError):
            continue
    return None


def write_time(moment: datetime) -> str:
    """`yyyy-MM-dd HH:mm:ss` in Shanghai."""
    return moment.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M:%S")
