"""Where each field of a saved order comes from: for the person who compares one with what Kingdee shows."""

from __future__ import annotations

from collections.abc import Iterator

from mappings.erps.kingdee.order import lines_of, write_save
from mappings.erps.kingdee.settings import KingdeeSettings
from mappings.explaining import Explained
from mappings.field_sources import explain_fields, read_rows
from mappings.model import ErpOrder

_ROWS = read_rows(__package__)
_MODEL = "data.Model"
_ENTRIES = f"{_MODEL}.FSaleOrderEntry"


def explain_save(order: ErpOrder, settings: KingdeeSettings) -> Iterator[Explained]:
    """Every field of the Save, in the order of sending; raises PermanentError as the create does."""
    saved, lines = write_save(order, settings), lines_of(order, settings)
    rows = {f"{_MODEL}.{settings.number_field}": _ROWS[f"{_MODEL}.{{number_field}}"], **_ROWS}
    fees = {f"{_ENTRIES}[{n}]": f"{_ENTRIES}[{line.setting}]" for n, line in enumerate(lines) if line.setting}
    return explain_fields(saved, rows, fees)
