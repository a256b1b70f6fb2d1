"""Where each field of the document comes from: the field map, read backwards."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mappings.erps.generic_rest.order import LINE_PREFIX, OrderForm
from mappings.explaining import Explained
from mappings.field_sources import Rows, explain_fields, read_rows
from mappings.model import ErpOrder

_ROWS = read_rows(__package__)
_CONSTANT = ("the setting extra_fields", "constant")


def explain_form(form: OrderForm, order: ErpOrder) -> Iterator[Explained]:
    """Every field of the document in its order; raises PermanentError as the document's writing does."""
    in_line = f"{form.header_names['lines']}[]."
    rows = {
        **dict.fromkeys(form.header_constants, _CONSTANT),
        **_read_backwards({ours: theirs for ours, theirs in form.header_names.items() if ours != "lines"}),
        **dict.fromkeys((in_line + name for name in form.line_constants), _CONSTANT),
        **_read_backwards(form.line_names, LINE_PREFIX, in_line),
    }
    return explain_fields(form.write(order), rows)


def _read_backwards(names: Mapping[str, str], our_prefix: str = "", their_prefix: str = "") -> Rows:
    """The rows by the ERP's names; the rule says whether the field map gave that name."""
    rows = {}
    for ours, theirs in names.items():
        source, rule = _ROWS[our_prefix + ours]
        named = "under its own name" if ours == theirs else "field_map"
        rows[their_prefix + theirs] = source, named if rule == "as it is" else f"{named}, {rule}"
    return rows
