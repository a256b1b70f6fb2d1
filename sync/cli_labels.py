"""`ecsync labels …`: which labels wait, and printing them into a file."""

from __future__ import annotations

import getpass
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from sync.db.labels import STATES, LabelFilter
from sync.runtime import Runtime
from sync.services.labels import (
    BATCH,
    PAGE,
    PDF,
    SORTS,
    NoSuchLabel,
    Sheet,
    Wanted,
    find_labels,
    print_labels,
    print_waiting,
)
from sync.web.label_sheet import render_sheet
from sync.web.words import LANGUAGES, speaker

Say = Callable[[Any, Sequence[str]], None]

_of_shop = click.option("--shop", default="", help="Only this shop's.")
_of_courier = click.option("--courier", default="", help="Only this courier company's, by its code: SF, ZTO.")


@click.option("--state", type=click.Choice(STATES), default="waiting", show_default=True, help="Which ones.")
@_of_shop
@_of_courier
@click.option("--limit", default=BATCH, show_default=True)
@click.argument("order_sns", metavar="[ORDER_SN]…", nargs=-1)
def list_(rt: Runtime, say: Say, state: str, shop: str, courier: str, limit: int, order_sns: tuple[str, ...]) -> None:
    """Which labels wait to be printed, the oldest first; with --state, others."""
    state = "all" if order_sns and state == "waiting" else state
    lines = find_labels(rt, LabelFilter(state, shop, courier, order_sns), limit=limit)
    rows = [asdict(line) for line in lines]
    say(
        rows,
        [
            f"{line.order_sn}/{line.parcel_no}  {line.waybill_no}  {line.shipper_code}  {line.kind}  {line.state}, "
            f"printed {line.prints} times  {line.province} {line.city}  "
            + ", ".join(f"{sku} x{quantity}" for sku, quantity in line.goods)
            for line in lines
        ]
        or ["No such labels."],
    )


@click.option("--out", type=click.Path(dir_okay=False, writable=True, path_type=Path), required=True,
              help="The file: .pdf takes PDF and picture labels, .html takes HTML and picture labels.")  # fmt: skip
@click.option("--all", "is_all", is_flag=True, help=f"All that wait, at most {BATCH}, instead of single orders.")
@click.option("--again", is_flag=True, help="Also those that were printed before.")
@click.option("--sort", type=click.Choice(list(SORTS)), default="sku", show_default=True, help="In which order.")
@click.option(
    "--language", type=click.Choice(LANGUAGES), default="zh", show_default=True, help="Of the page's own words."
)
@_of_shop
@_of_courier
@click.argument("order_sns", metavar="[ORDER_SN]…", nargs=-1)
def print_(
    rt: Runtime,
    say: Say,
    out: Path,
    is_all: bool,
    again: bool,
    sort: str,
    language: str,
    shop: str,
    courier: str,
    order_sns: tuple[str, ...],
) -> None:
    """Print labels into a file; each counts as printed. The file holds names, phones and addresses."""
    form = {".pdf": PDF, ".html": PAGE}.get(out.suffix.lower())
    if form is None:
        raise click.BadParameter(f"{out} ends neither in .pdf nor in .html", param_hint="--out")
    if is_all == bool(order_sns):
        raise click.UsageError("Name orders, or say --all.")
    is_new, actor = _touch(out), getpass.getuser()[:40]
    try:
        if is_all:
            sheet = print_waiting(rt, LabelFilter("waiting", shop, courier), actor, form=form, sort=sort)
        else:
            asked = _find_orders(rt, LabelFilter("all", shop, courier, order_sns), again)
            sheet = print_labels(rt, asked, actor, form=form, sort=sort)
        if sheet.labels:
            out.write_bytes(sheet.pdf or render_sheet(sheet, language, is_file=True).encode())
    finally:
        if is_new and not out.stat().st_size:
            out.unlink()
    _tell(say, sheet, out)


def _touch(out: Path) -> bool:
    """Make sure that the file can be written before anything counts as printed; whether it is new."""
    is_new = not out.exists()
    try:
        out.touch(mode=0o600)
    except OSError as problem:
        raise click.BadParameter(f"{out} cannot be written: {problem.strerror}", param_hint="--out") from None
    return is_new


def _find_orders(rt: Runtime, wanted: LabelFilter, again: bool) -> list[Wanted]:
    lines = find_labels(rt, wanted)
    held = {line.order_sn for line in lines}
    if missing := [order_sn for order_sn in wanted.order_sns if order_sn not in held]:
        raise NoSuchLabel(f"We hold no label of order {', '.join(missing)}. Nothing was printed")
    return [Wanted(line.shipment_id, None if again or line.state == "again" else 0) for line in lines]


def _tell(say: Say, sheet: Sheet, out: Path) -> None:
    why = speaker("en")
    left_out = [{"order_sn": item.line.order_sn, "waybill_no": item.line.waybill_no, "why": item.why}
                for item in sheet.left_out]  # fmt: skip
    lines = [
        f"{len(sheet.labels)} labels are in {out}." if sheet.labels else f"Nothing was printed; {out} was not written."
    ]
    lines += [
        f"  left out: {row['order_sn']} {row['waybill_no']}: {why('label_why.' + row['why'])}" for row in left_out
    ]
    printed = [label.line.order_sn for label in sheet.labels]
    say({"out": str(out) if printed else "", "printed": printed, "left_out": left_out}, lines)


COMMANDS: Mapping[str, Callable[..., None]] = {"list": list_, "print": print_}
