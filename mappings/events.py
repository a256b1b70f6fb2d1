"""Tracking events out of what a platform tells of one parcel: its numbers, what its codes mean, what cannot be read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mappings.model import EventKind, TrackingEvent
from mappings.status import Meaning

SHIPPER_CODE_LENGTH, WAYBILL_LENGTH, ORDER_CODE_LENGTH, CARRIER_ORDER_LENGTH = 20, 40, 30, 64
"""What is longer is no number or code of a parcel."""

STATUS_CODE_LENGTH, TEXT_LENGTH = 40, 1000
"""What is longer is cut."""


class UnreadableItem(ValueError):
    """An item of a push that cannot be read; the sentence holds no personal data."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """Whose events a platform tells, and when it told them (which orders snapshots, never traces)."""

    platform: str
    shipper_code: str
    waybill_no: str
    order_code: str
    told_at: datetime

    def event(self, kind: EventKind, event_at: datetime, channel: str, code: str, **facts: Any) -> TrackingEvent:
        """One event of this parcel; `facts` are the further fields of a `TrackingEvent`."""
        return TrackingEvent(
            platform=self.platform,
            shipper_code=self.shipper_code,
            waybill_no=self.waybill_no,
            order_code=self.order_code,
            kind=kind,
            event_at=event_at,
            observed_at=self.told_at,
            channel=channel,
            raw_code=code[:STATUS_CODE_LENGTH],
            **facts,
        )


def facts_of(meaning: Meaning | None) -> dict[str, Any]:
    """What a code's meaning says in an event's fields; a code that nobody mapped is watched and never guessed."""
    if meaning is None:
        return {"canonical": None, "is_mapped": False, "incident": "", "attention": "watch"}
    return {
        "canonical": meaning.canonical,
        "is_mapped": True,
        "incident": meaning.incident,
        "attention": meaning.attention,
    }
