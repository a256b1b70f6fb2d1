"""Labels found, shown, and printed alone or in a batch.

Every look at a label and every print is in the audit table with the person's name; its text holds no personal data.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from pypdf import PageObject
from sqlalchemy import update
from sqlalchemy.orm import Session

from mappings.model import LABEL_PAGE_BREAK
from sync.clock import utc_now
from sync.db.labels import LabelFilter, LabelLine, count_labels, list_labels, read_contents, read_lines
from sync.db.models import AuditRow, LabelRow
from sync.db.session import count_changed
from sync.runtime import Runtime
from sync.services.label_pdf import UnreadableLabel, read_pages, write_pdf
from sync.settings_labels import Paper, parse_papers

BATCH = 500
"""Most labels of one print: more would keep the web process from what carriers push."""

PAGE, PDF = "page", "pdf"
KINDS_OF = {PAGE: ("html", "png"), PDF: ("pdf", "png")}
"""What each form can hold. HTML is a browser's to lay out: a PDF that we drew from it would be no courier's label."""


class NoSuchLabel(Exception):
    """We hold no label for this parcel or order."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A label to print. `seen` is how often it had been printed when the person looked; None: however often."""

    shipment_id: int
    seen: int | None = None


@dataclass(frozen=True, slots=True)
class Label:
    """A label with what is printed. `pages`: HTML documents, else the one content."""

    line: LabelLine
    paper: Paper
    pages: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A label that was not printed. `why`: emptied, withdrawn, changed, link, not_pdf, not_page, unreadable, meanwhile
    (printed by somebody since the person looked)."""

    line: LabelLine
    why: str


@dataclass(frozen=True, slots=True)
class Sheet:
    """What a print gave. `pdf` is empty on a page, and where nothing could be printed; see `whole` for `ready`."""

    labels: tuple[Label, ...]
    left_out: tuple[LeftOut, ...]
    pdf: bytes = b""
    ready: tuple[LabelLine, ...] = ()


def find_labels(rt: Runtime, wanted: LabelFilter, *, after: int = 0, limit: int = BATCH) -> list[LabelLine]:
    """Labels without their contents, the oldest first."""
    with rt.database.reading() as session:
        return list_labels(session, wanted, after=after, limit=limit)


def count_waiting(rt: Runtime, wanted: LabelFilter, limit: int = 10_000) -> int:
    """How many of these are not printed yet, counted no further than `limit`."""
    with rt.database.reading() as session:
        return count_labels(session, replace(wanted, state="waiting"), limit)


def view_label(rt: Runtime, shipment_id: int, actor: str) -> Label:
    """One label with its content, in the audit table; raises NoSuchLabel."""
    with rt.database.writing() as session:
        lines = read_lines(session, [shipment_id])
        if not lines:
            raise NoSuchLabel(f"We hold no label of parcel {shipment_id}")
        session.add(_audit("label.view", lines[0], actor, utc_now(), "looked at"))
        return _label(rt, lines[0], read_contents(session, [shipment_id])[shipment_id])


def print_waiting(rt: Runtime, wanted: LabelFilter, actor: str, *, form: str, sort: str, whole: bool = False) -> Sheet:
    """Print what waits and this form can hold, at most BATCH, the oldest ones."""
    kinds = tuple(kind for kind in KINDS_OF[form] if not wanted.kinds or kind in wanted.kinds)
    lines = find_labels(rt, replace(wanted, state="waiting", kinds=kinds))
    asked = [Wanted(line.shipment_id, line.prints) for line in lines]
    return print_labels(rt, asked, actor, form=form, sort=sort, whole=whole)


def print_labels(
    rt: Runtime, wanted: Sequence[Wanted], actor: str, *, form: str, sort: str, whole: bool = False
) -> Sheet:
    """Print these, at most BATCH of them: each counts once, in the order of `sort`; the rest is told with its reason.

    What somebody else printed since the person looked is left out, so that a parcel gets no second label unawares.
    With `whole` nothing is printed unless all of it can be; then `ready` says what could.
    """
    labels, left_out = _read(rt, wanted[:BATCH], form, sort)
    pages = {label.line.shipment_id: _pages(label) for label in labels}
    left_out += [LeftOut(label.line, "unreadable") for label in labels if pages[label.line.shipment_id] is None]
    ready = [label for label in labels if pages[label.line.shipment_id] is not None]
    if whole and left_out:
        return Sheet((), tuple(left_out), ready=tuple(label.line for label in ready))
    printed = _claim(rt, [label.line for label in ready], actor, form, whole=whole)
    left_out += [LeftOut(label.line, "meanwhile") for label in ready if label.line.shipment_id not in printed]
    done = [label for label in ready if label.line.shipment_id in printed]
    pdf = write_pdf([pages[label.line.shipment_id] or [] for label in done]) if form == PDF and done else b""
    return Sheet(tuple(done), tuple(left_out), pdf)


def sort_lines(lines: Collection[LabelLine], sort: str) -> list[LabelLine]:
    """`sku`: parcels of one kind of goods first, the same ones together; `route`: province, city, courier; `time`."""
    return sorted(lines, key=SORTS[sort])


def _by_sku(line: LabelLine) -> tuple[Any, ...]:
    return len(line.goods) > 1, line.goods, line.order_sn, line.parcel_no


def _by_route(line: LabelLine) -> tuple[Any, ...]:
    return line.province, line.city, line.shipper_code, line.order_sn, line.parcel_no


def _by_time(line: LabelLine) -> tuple[Any, ...]:
    return line.booked_at or line.stored_at, line.shipment_id


SORTS: dict[str, Callable[[LabelLine], tuple[Any, ...]]] = {"sku": _by_sku, "route": _by_route, "time": _by_time}


def _objection(line: LabelLine, asked: Wanted, form: str) -> str:
    """Why this label is not printed now; empty when it is."""
    if line.state in ("emptied", "withdrawn", "changed", "link"):
        return line.state
    if line.kind not in KINDS_OF[form]:
        return f"not_{form}"
    return "meanwhile" if asked.seen is not None and asked.seen != line.prints else ""


def _read(rt: Runtime, wanted: Sequence[Wanted], form: str, sort: str) -> tuple[list[Label], list[LeftOut]]:
    """What may be printed, in its order, and what may not."""
    asked = {item.shipment_id: item for item in wanted}
    with rt.database.reading() as session:
        lines = sort_lines(read_lines(session, asked), sort)
        objections = {line.shipment_id: _objection(line, asked[line.shipment_id], form) for line in lines}
        fit = [line for line in lines if not objections[line.shipment_id]]
        contents = read_contents(session, [line.shipment_id for line in fit])
    left_out = [LeftOut(line, why) for line in lines if (why := objections[line.shipment_id])]
    return [_label(rt, line, contents[line.shipment_id]) for line in fit], left_out


def _pages(label: Label) -> list[PageObject] | None:
    """Its pages of a PDF, none for HTML; None where the printable is broken."""
    if label.line.kind == "html":
        return []
    try:
        return read_pages(label.line.kind, label.pages[0], label.paper)
    except UnreadableLabel:
        return None


def _label(rt: Runtime, line: LabelLine, content: str) -> Label:
    pages = content.split(LABEL_PAGE_BREAK) if line.kind == "html" else [content]
    return Label(line, parse_papers(rt.settings.labels_paper).of(line.shipper_code), tuple(pages))


class _NotAll(Exception):
    """Takes back what was counted."""


def _claim(rt: Runtime, lines: Sequence[LabelLine], actor: str, form: str, *, whole: bool) -> set[int]:
    """Count these as printed; returns those that nobody else printed, replaced or emptied in the meantime."""
    now, printed = utc_now(), set()
    try:
        with rt.database.writing() as session:
            for line in sorted(lines, key=lambda line: line.shipment_id):  # one order for all: nobody deadlocks
                if _count_print(session, line, actor, now):
                    printed.add(line.shipment_id)
                    action = "label.reprint" if line.prints else "label.print"
                    session.add(_audit(action, line, actor, now, f"{form}, print {line.prints + 1}"))
            if whole and len(printed) < len(lines):
                raise _NotAll
    except _NotAll:
        return set()
    return printed


def _count_print(session: Session, line: LabelLine, actor: str, now: datetime) -> bool:
    as_read = update(LabelRow).where(
        LabelRow.shipment_id == line.shipment_id,
        LabelRow.prints == line.prints,
        LabelRow.waybill_no == line.waybill_no,
        LabelRow.emptied_at.is_(None),
    )
    counted = as_read.values(prints=line.prints + 1, printed_at=now, printed_by=actor)
    return count_changed(session.execute(counted)) == 1


def _audit(action: str, line: LabelLine, actor: str, at: datetime, what: str) -> AuditRow:
    reason = f"order {line.order_sn}, parcel {line.parcel_no}, waybill {line.waybill_no}: {what}"
    return AuditRow(at=at, actor=actor, action=action, subject=f"label:{line.shipment_id}", reason=reason)
