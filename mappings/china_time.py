"""China's time: what a carrier writes without a zone is Asia/Shanghai (UTC+8, no summer time since 1991)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, timezone

SHANGHAI = timezone(timedelta(hours=8), "Asia/Shanghai")

TIMED = ("%Y-%m-%d %H:%M:%S", "%Y/%m/%d %H:%M:%S", "%Y-%m-%d %H:%M")
"""Forms with a time of day."""
FORMATS = (*TIMED, "%Y-%m-%d")


def read_time(text: object, formats: Iterable[str] = FORMATS) -> datetime | None:
    """Aware UTC, or None when there is no readable time; a bare date is its first moment in Shanghai."""
    for form in formats:
        try:
            return datetime.strptime(str(text).strip(), form).replace(tzinfo=SHANGHAI).astimezone(UTC)
        except (ValueError, OverflowError):
            continue
    return None


def write_time(moment: datetime) -> str:
    """`yyyy-MM-dd HH:mm:ss` in Shanghai."""
    return moment.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M:%S")
