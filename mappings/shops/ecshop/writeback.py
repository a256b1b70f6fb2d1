"""What one parcel means for an order's rows: the delivery note's lines, the sent numbers, the state that follows.

Everything is derived from what stands in the shop, never counted up from memory, so that a write that broke off
anywhere can be taken up again: ECShop's tables are MyISAM and know no transactions.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from mappings.errors import PermanentError, TransientError
from mappings.shops.ecshop.lines import plain_lines
from mappings.shops.ecshop.orders import is_all_split
from mappings.shops.ecshop.rows import (
    PACKAGE,
    Note,
    OrderRows,
    Row,
    component_key,
    is_package,
    is_real,
    noted_components,
    split_numbers,
)
from mappings.shops.ecshop.status import OrderStatus, ShippingStatus

NOTE_NUMBER_LENGTH = 50
ORDER_NUMBERS_LENGTH = 255
LOG_NOTE_LENGTH = 255
"""delivery_order.invoice_no, order_info.invoice_no and order_action.action_note.

ECShop's own sql_mode cuts longer ones without a word.
"""

Key = tuple[int, int]


def refuse(slug: str, message: str) -> PermanentError:
    """The error of a write that must not happen; the caller raises it."""
    return PermanentError(f"ecshop.write_back.{slug}", message)


def moved(order_id: int | str) -> TransientError:
    """The error of a write that met somebody else's: a repeat judges the order anew."""
    return TransientError("ecshop.write_back.changed_meanwhile", f"order {order_id} was changed while it was written")


def waybill_number(text: str) -> str:
    """The number as ECShop may hold it, in capitals: its trim(…, '<br>') clips a lower-case b or r at the ends."""
    number = text.strip().upper()
    if not number or len(number) > NOTE_NUMBER_LENGTH or any(sign in "<>," or sign.isspace() for sign in number):
        raise refuse("number_invalid", f"{len(number)} characters that cannot be one waybill number in ECShop")
    return number


def join_number(invoice_no: str, number: str) -> str:
    """invoice_no with the number added, unless it is there; raises PermanentError when it would be cut."""
    if number in numbers_of(invoice_no):
        return invoice_no
    joined = f"{invoice_no}<br>{number}" if invoice_no else number
    if len(joined) > ORDER_NUMBERS_LENGTH:
        raise refuse("invoice_full", "the order's invoice_no has no room for another waybill number")
    return joined


def numbers_of(invoice_no: str | None) -> tuple[str, ...]:
    return tuple(number.upper() for number in split_numbers(invoice_no))


def note_with(rows: OrderRows, number: str) -> Note | None:
    """The live delivery note that carries a waybill number."""
    return next((note for note in rows.notes if number in numbers_of(note.row["invoice_no"])), None)


def shown_numbers(rows: OrderRows) -> tuple[str, ...]:
    """The numbers an order shows: those of its shipped notes, and of a shipped order what was typed into it alone."""
    texts = [note.row["invoice_no"] for note in rows.notes if not note.is_open]
    if rows.order["shipping_status"] in (ShippingStatus.SHIPPED, ShippingStatus.RECEIVED):
        texts.append(rows.order["invoice_no"])
    return tuple(dict.fromkeys(number for text in texts for number in numbers_of(text)))


def remark_text(text: str) -> str:
    """A remark as the order's log takes it: one line that ends like a sentence and never with a waybill number,
    by which the log says that a parcel's write is complete."""
    line = " ".join(text.split())[: LOG_NOTE_LENGTH - 1]
    return line if line.endswith(("。", ".", "!", "！", "?", "？")) else f"{line}。"


def note_sn(order: Row, number: str, utc_offset_s: int) -> str:
    """A delivery_sn of ECShop's form (YmdHi and five digits), the same for the same order and number."""
    local = datetime.fromtimestamp(order["add_time"] + utc_offset_s * 2, UTC)
    digest = hashlib.sha256(f"{order['order_id']}:{number}".encode()).digest()
    return f"{local:%Y%m%d%H%M}{int.from_bytes(digest[:8]) % 100_000:05d}"


@dataclass(frozen=True, slots=True)
class NoteItem:
    """One delivery_goods row to be."""

    goods_id: int
    product_id: int
    product_sn: str
    goods_name: str
    brand_name: str
    goods_sn: str
    goods_attr: str | None
    extension_code: str | None
    parent_id: int
    send_number: int

    @property
    def identity(self) -> tuple[int, int, int, int]:
        return self.goods_id, self.product_id, self.parent_id, self.send_number


def identity_of(row: Row) -> tuple[int, int, int, int]:
    """What makes an existing delivery_goods row the same as a NoteItem."""
    return row["goods_id"], row["product_id"] or 0, row["parent_id"] or 0, row["send_number"]


@dataclass(frozen=True, slots=True)
class Raise:
    """One order_goods.send_number to be raised, if it still stands at `before`."""

    rec_id: int
    before: int
    after: int


@dataclass(frozen=True, slots=True)
class ParcelPlan:
    """What a parcel takes of an order: `taken` are plain lines with quantities, `packages` whole packages.

    `others` are the live notes that are not this parcel's own. A package goes out with all that is owed of it.
    """

    rows: OrderRows
    others: tuple[Note, ...]
    taken: tuple[tuple[Row, int], ...]
    packages: tuple[int, ...]

    def items(self) -> tuple[NoteItem, ...]:
        """The note's lines, always in the same order."""
        plain = [_plain_item(line, quantity, self.rows) for line, quantity in self.taken]
        return (*plain, *(item for package in self.packages for item in self._parts(package)))

    def raises(self, *, is_begun: bool) -> list[Raise]:
        """Which send_numbers are still to be raised.

        Notes and sent numbers must tell the same story; where a foreign hand raised one without the other, the
        quantity sent is not knowable and a person must ship in the admin: PermanentError `sent_mismatch`.
        """
        keys = dict.fromkeys(component_key(line) for line, _ in self.taken)
        plain = [one for key in keys for one in self._plain(key, is_begun)]
        return plain + [one for package in self.packages for one in self._package(package)]

    def _plain(self, key: Key, is_begun: bool) -> list[Raise]:
        mine = [(line, quantity) for line, quantity in self.taken if component_key(line) == key]
        total = sum(quantity for _, quantity in mine)
        sent = sum(line["send_number"] for line in plain_lines(self.rows.lines, key))
        left = noted_plainly(self.others, key) + total - sent
        if not 0 <= left <= total or (not is_begun and left != total):
            raise refuse("sent_mismatch", f"send_number of goods {key[0]} does not agree with the delivery notes")
        raises: list[Raise] = []
        for line, quantity in reversed(mine):  # raised first to last: what is left is the tail
            if left and left < quantity:
                raise refuse("sent_mismatch", f"send_number of goods {key[0]} does not agree with the delivery notes")
            if left:
                raises.insert(0, Raise(line["rec_id"], line["send_number"], line["send_number"] + quantity))
                left -= quantity
        return raises

    def _package(self, package_id: int) -> Iterator[Raise]:
        """ECShop shows packages as sent once all their parts are on notes."""
        parts = self.rows.packages[package_id]
        noted = noted_components(self.others, package_id)
        for item in self._parts(package_id):
            noted[item.goods_id, item.product_id] = noted.get((item.goods_id, item.product_id), 0) + item.send_number
        complete = min(noted.get(component_key(part), 0) // part["goods_number"] for part in parts)
        for line in _package_lines(self.rows, package_id):
            full = min(line["goods_number"], complete)
            complete -= full
            if line["send_number"] < full:
                yield Raise(line["rec_id"], line["send_number"], full)

    def _parts(self, package_id: int) -> Iterator[NoteItem]:
        ordered = sum(line["goods_number"] for line in _package_lines(self.rows, package_id))
        noted = noted_components(self.others, package_id)
        for part in self.rows.packages[package_id]:
            owed = part["goods_number"] * ordered - noted.get(component_key(part), 0)
            if owed > 0:
                yield _part_item(part, owed, self.rows)


def plan_parcel(rows: OrderRows, quantities: Mapping[str, int], own_note_id: int | None) -> ParcelPlan:
    """What the parcel takes; no quantities means all that is owed.

    Raises PermanentError `lines_changed` when the order no longer holds as much.
    """
    others = tuple(note for note in rows.notes if note.id != own_note_id)
    wanted = dict(quantities) or _all_owed(rows, others)
    lines = {str(line["rec_id"]): line for line in rows.lines if is_real(line)}
    if not wanted or not wanted.keys() <= lines.keys():
        raise refuse("lines_changed", "the order's lines are not those of the parcel any more")
    mine = [(line, wanted[rec_id]) for rec_id, line in lines.items() if wanted.get(rec_id)]
    taken = tuple((line, quantity) for line, quantity in mine if not is_package(line))
    for key in {component_key(line) for line, _ in taken}:
        ordered = sum(line["goods_number"] for line in plain_lines(rows.lines, key))
        total = sum(quantity for line, quantity in taken if component_key(line) == key)
        if total > ordered - noted_plainly(others, key):
            raise refuse("lines_changed", f"the order owes fewer of goods {key[0]} than the parcel holds")
    packages = tuple(dict.fromkeys(line["goods_id"] for line, _ in mine if is_package(line)))
    if any(not rows.packages.get(package) for package in packages):
        raise refuse("package_unknown", "the contents of a package are no longer in the shop")
    plan = ParcelPlan(rows, others, taken, packages)
    if not plan.items():
        raise refuse("lines_changed", "all of the parcel's lines stand on other delivery notes")
    return plan


def matching_note(rows: OrderRows, quantities: Mapping[str, int]) -> Note | None:
    """An open note without a number that staff made of the same lines: it is used instead of a second one."""
    for note in rows.notes:
        if note.is_open and not note.numbers and _holds(note, rows, quantities):
            return note
    return None


def _holds(note: Note, rows: OrderRows, quantities: Mapping[str, int]) -> bool:
    try:
        items = plan_parcel(rows, quantities, note.id).items()
    except PermanentError:
        return False
    return sorted(map(identity_of, note.goods)) == sorted(item.identity for item in items)


def state_after_note(rows: OrderRows) -> tuple[OrderStatus, ShippingStatus]:
    return _split_status(rows), ShippingStatus.SHIPPED_ING


def state_after_shipping(rows: OrderRows) -> tuple[OrderStatus, ShippingStatus]:
    """Judged by the real lines: ECShop counts a discount line and so never finishes such an order."""
    is_done = is_all_split(rows) and not any(note.is_open for note in rows.notes)
    return _split_status(rows), ShippingStatus.SHIPPED if is_done else ShippingStatus.SHIPPED_PART


def stock_taken(note: Note) -> tuple[dict[int, int], dict[int, int]]:
    """How many of each goods and of each product a note takes; ECShop's own sum forgets goods without products
    when the same note has one with."""
    goods: dict[int, int] = {}
    products: dict[int, int] = {}
    for item in note.goods:
        if is_real(item):
            goods[item["goods_id"]] = goods.get(item["goods_id"], 0) + item["send_number"]
            if item["product_id"]:
                products[item["product_id"]] = products.get(item["product_id"], 0) + item["send_number"]
    return goods, products


def noted_plainly(notes: Sequence[Note], key: Key) -> int:
    """How many of one goods and product stand on these notes, packages aside."""
    return sum(
        item["send_number"]
        for note in notes
        for item in note.goods
        if is_real(item) and not is_package(item) and component_key(item) == key
    )


def _all_owed(rows: OrderRows, others: Sequence[Note]) -> dict[str, int]:
    owed: dict[str, int] = {}
    noted: dict[Key, int] = {}
    for line in rows.lines:
        if is_real(line) and is_package(line):
            owed[str(line["rec_id"])] = 1
        elif is_real(line):
            key = component_key(line)
            before = noted.setdefault(key, noted_plainly(others, key))
            gone = min(before, line["goods_number"])
            noted[key] -= gone
            owed[str(line["rec_id"])] = line["goods_number"] - gone
    return owed


def _split_status(rows: OrderRows) -> OrderStatus:
    return OrderStatus.SPLITED if is_all_split(rows) else OrderStatus.SPLITING_PART


def _package_lines(rows: OrderRows, package_id: int) -> list[Row]:
    return [line for line in rows.lines if is_package(line) and line["goods_id"] == package_id]


def _plain_item(line: Row, quantity: int, rows: OrderRows) -> NoteItem:
    return NoteItem(
        goods_id=line["goods_id"],
        product_id=line["product_id"] or 0,
        product_sn=_product_sn(line, rows),
        goods_name=line["goods_name"],
        brand_name=rows.goods.get(line["goods_id"], {}).get("brand_name") or "",
        goods_sn=line["goods_sn"],
        goods_attr=line["goods_attr"],
        extension_code=None,
        parent_id=0,
        send_number=quantity,
    )


def _part_item(part: Row, owed: int, rows: OrderRows) -> NoteItem:
    """As ECShop writes a package's part: the number in one package stands behind the name, the brand stays blank."""
    goods: Row = rows.goods.get(part["goods_id"], {})
    mark = f"--[{part['goods_number']}]"
    return NoteItem(
        goods_id=part["goods_id"],
        product_id=part["product_id"] or 0,
        product_sn=_product_sn(part, rows),
        goods_name=f"{goods.get('goods_name', '')[: 120 - len(mark)]}{mark}",
        brand_name="",
        goods_sn=goods.get("goods_sn", ""),
        goods_attr=None,
        extension_code=PACKAGE,
        parent_id=part["package_id"],
        send_number=owed,
    )


def _product_sn(row: Row, rows: OrderRows) -> str:
    return rows.products.get(row["product_id"] or 0, {}).get("product_sn") or ""
