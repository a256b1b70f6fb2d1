"""Where each field of a saved order comes from: for the person who compares one with what Kingdee shows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from mappings.erps.kingdee.order import write_save
from mappings.erps.kingdee.settings import KingdeeSettings
from mappings.explaining import Explained
from mappings.field_sources import explain_fields, read_rows
from mappings.model import ErpOrder

_ROWS = read_rows(__package__)
_MODEL = "data.Model"
_ENTRIES = f"{_MODEL}.FSaleOrderEntry"


def explain_save(order: ErpOrder, settings: KingdeeSettings) -> Iterator[Explained]:
    """Every field of the Save, in the order of sending; raises PermanentError as the create does."""
    rows = {f"{_MODEL}.{settings.number_field}": _ROWS[f"{_MODEL}.{{number_field}}"], **_ROWS}
    freight = f"{_ENTRIES}[{len(order.order.lines)}]"  # the entry after those of the goods
    for field in explain_fields(write_save(order, settings), rows):
        if field.target.startswith(freight):
            source, rule = _ROWS[f"{_ENTRIES}[freight_sku]{field.target.removeprefix(freight)}"]
            yield replace(field, source=source, rule=rule)
        else:
            yield field
