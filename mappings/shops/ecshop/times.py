"""ECShop's clock: a stored time is true epoch minus the shop's UTC offset (includes/lib_time.php gmtime())."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_TOLERANCE = timedelta(minutes=5)


def to_utc(stored: int, utc_offset_s: int, now: datetime) -> datetime | None:
    """The aware UTC time of a stored one, None for 0 (not set).

    The mobile API of 3.6/4.0 writes plain epoch into the same columns. A time that would lie in the future on the
    shop's clock but not on the plain one is such a row.
    """
    if not stored:
        return None
    at = datetime.fromtimestamp(stored + utc_offset_s, UTC)
    plain = datetime.fromtimestamp(stored, UTC)
    return plain if at > now + _TOLERANCE >= plain else at


def to_stored(at: datetime, utc_offset_s: int) -> int:
    """The value ECShop would store for an aware time, in whole seconds."""
    return int(at.timestamp()) - utc_offset_s
