"""The status tables of several carriers: whose number means what, and which codes are proof of a pickup."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from mappings.carriers.kdniao.tracking import TABLE as KDNIAO
from mappings.carriers.kuaidi100.tracking import TABLE as KUAIDI100
from mappings.model import EventKind, TrackingEvent
from mappings.status import StatusTable, fold

NOW = datetime(2026, 12, 1, 4, tzinfo=UTC)
DATA = Path(__file__).parent / "data"

PLACES = {
    "kdniao_state": (KDNIAO, "kdniao_state"),
    "kdniao_state_ex": (KDNIAO, "kdniao_state_ex"),
    "kdniao_pickup_103": (KDNIAO, "kdniao_pickup_103"),
    "kuaidi100": (KUAIDI100, "kuaidi100_state"),
    "kuaidi100_adv": (KUAIDI100, "kuaidi100_state_advanced"),
    "kuaidi100_order": (KUAIDI100, "kuaidi100_order"),
}
"""The columns of the published list of collisions, and the table and channel that each speaks of. SF's words are
shortened there; its own test compares them with its list."""


def load(name: str) -> Any:
    return json.loads((DATA / name).read_text("utf-8"))


def channels_of(carrier: str, table: StatusTable) -> list[Any]:
    published = load(f"{carrier}/status.json")
    named = [channel for channel in published if channel in table.channels]
    return [pytest.param(table, channel, published[channel], id=channel) for channel in named]


@pytest.mark.parametrize("row", load("collisions.json"), ids=lambda row: row["code"])
def test_a_number_that_means_other_things_elsewhere_is_read_by_its_own_table(row: dict[str, str]) -> None:
    for place in PLACES.keys() & row.keys():
        table, channel = PLACES[place]
        meaning = table.look_up(channel, row["code"])
        assert meaning is not None, place
        assert meaning.zh.startswith(row[place].removesuffix("(组)")), place


@pytest.mark.parametrize(
    ("table", "channel", "rows"), [*channels_of("kdniao", KDNIAO), *channels_of("kuaidi100", KUAIDI100)]
)
def test_a_code_that_is_no_evidence_of_a_pickup_stops_no_sweep(
    table: StatusTable, channel: str, rows: list[dict[str, Any]]
) -> None:
    for row in rows:
        meaning = table.look_up(channel, row["code"])
        assert meaning is not None
        event = TrackingEvent(
            platform="any",
            shipper_code="ZTO",
            waybill_no="73100000000001",
            order_code="",
            kind=EventKind.TRACE,
            event_at=NOW,
            observed_at=NOW,
            channel=channel,
            raw_code=row["code"],
            canonical=meaning.canonical,
            incident=meaning.incident,
        )
        tracking = fold((event,), booked_at=None, now=NOW)
        assert (tracking.pickup_at is not None) == row["implies_pickup"], row["code"]
