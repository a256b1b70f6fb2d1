"""What the ERP can still sell: one GET, in pages, and no figure that had to be guessed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_FLOOR, Decimal, InvalidOperation
from typing import Any
from urllib.parse import urlencode

from mappings.connector import Setting
from mappings.erps.generic_rest.access import Access
from mappings.erps.generic_rest.formats import MISSING, UNDECODED, Format, garbled, pick, read_answer
from mappings.erps.generic_rest.reply import for_a_person
from mappings.erps.generic_rest.settings import SuccessRule
from mappings.errors import PermanentError
from mappings.model import StockFigure
from mappings.parsing import one_of, parse_path
from mappings.wire import Exchange, HttpCall, HttpReply, check_status

CODE = "generic_rest.stock"
MOST_PAGES = 5000
MOST_PIECES = 10**9


def parse_stock_path(text: str) -> str:
    """A path; empty text says that the ERP cannot be asked for stock. Raises ValueError."""
    return parse_path(text) if text.strip() else ""


def parse_page_size(text: str) -> int:
    """Raises ValueError."""
    if not text.strip().isdecimal() or not 1 <= int(text) <= 10_000:
        raise ValueError(f"{text!r} is not between 1 and 10000")
    return int(text)


STOCK_SETTINGS = (
    Setting(
        "stock_path",
        "Path to read stock from (empty: the ERP cannot)",
        "读取库存的路径（留空表示 ERP 不提供）",
        default="/api/stock",
        parse=parse_stock_path,
    ),
    Setting(
        "stock_list_field",
        "Where its answer holds the list (dotted; empty: the answer itself)",
        "结果中列表所在的字段（可用点号；留空为整个结果）",
        default="stock",
    ),
    Setting("stock_sku_field", "Field with the SKU", "货号字段", default="sku"),
    Setting(
        "stock_quantity_field",
        "Field with what can be sold, or with what is on hand",
        "可售数量（或现有库存）字段",
        default="available",
    ),
    Setting(
        "stock_reserved_field",
        "Field to subtract from it: what is reserved (empty: it is subtracted already)",
        "需从中减去的占用数量字段（留空表示已减去）",
        default="",
    ),
    Setting(
        "stock_warehouse_field", "Field with the warehouse (may be missing)", "仓库字段（可缺）", default="warehouse"
    ),
    Setting(
        "stock_since_param",
        "Parameter for changes since a time (empty: every read is a full one)",
        "增量查询的起始时间参数（留空则每次全量）",
        default="since",
    ),
    Setting(
        "stock_since_format",
        "That time as iso (UTC) or epoch (s)",
        "该时间的格式：iso（UTC）或 epoch（秒）",
        default="iso",
        parse=one_of("iso", "epoch"),
    ),
    Setting(
        "stock_page_param",
        "Parameter for the page, counted from 1 (empty: one answer holds all)",
        "页码参数，从 1 开始（留空表示不分页）",
        default="page",
    ),
    Setting(
        "stock_page_size_param",
        "Parameter for the page's size (empty: none)",
        "每页条数参数（留空为无）",
        default="limit",
    ),
    Setting("stock_page_size", "Figures a page", "每页条数", default=500, parse=parse_page_size),
)


@dataclass(frozen=True, slots=True)
class StockForm:
    """How one ERP is asked for stock, and where its answer holds what."""

    form: Format
    url: str
    list_field: str
    sku_field: str
    quantity_field: str
    reserved_field: str
    warehouse_field: str
    since_param: str
    since_format: str
    page_param: str
    page_size_param: str
    page_size: int
    success: SuccessRule | None

    @classmethod
    def of(cls, values: Mapping[str, Any], form: Format, success: SuccessRule | None) -> StockForm:
        """What a connector's settings describe."""
        own = {setting.name.removeprefix("stock_"): values[setting.name] for setting in STOCK_SETTINGS}
        path = own.pop("path")
        return cls(form=form, url=values["base_url"] + path if path else "", success=success, **own)

    def read(self, since: datetime | None, access: Access) -> Exchange[tuple[StockFigure, ...]]:
        """All pages. A page that repeats the one before is the end: that ERP gives everything at once.

        Raises PermanentError for a figure that cannot be read, or that is told twice and differently.
        """
        if not self.url:
            raise PermanentError(
                "generic_rest.stock.not_offered",
                "STOCK_PATH is empty: this ERP gives no stock. Set it, or name another STOCK_ERP",
            )
        found: dict[tuple[str, str], int] = {}
        before: list[Any] = []
        for page in range(1, MOST_PAGES + 1):
            rows = self._rows((yield from access.send(self._question(since, page))))
            if not rows or rows == before:
                break
            self._gather(rows, found)
            if not self.page_param:
                break
            before = rows
        else:
            raise PermanentError(
                "generic_rest.stock.endless",
                f"The ERP gives more than {MOST_PAGES} pages of stock; check STOCK_PAGE_PARAM",
            )
        return tuple(StockFigure(sku, available, warehouse) for (sku, warehouse), available in found.items())

    def _question(self, since: datetime | None, page: int) -> HttpCall:
        return HttpCall(
            operation="read_stock",
            method="GET",
            url=self._address(since, page),
            headers={"Accept": self.form.media_type},
            changes_peer=False,
        )

    def _address(self, since: datetime | None, page: int) -> str:
        asked: dict[str, object] = {}
        if since is not None and self.since_param:
            iso = f"{since.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
            asked[self.since_param] = iso if self.since_format == "iso" else int(since.timestamp())
        if self.page_param:
            asked[self.page_param] = page
        if self.page_size_param:
            asked[self.page_size_param] = self.page_size
        if not asked:
            return self.url
        return f"{self.url}{'&' if '?' in self.url else '?'}{urlencode(asked)}"

    def _rows(self, reply: HttpReply) -> list[Any]:
        if reply.status == 204:
            return []
        check_status(reply, CODE, changes_peer=False)
        answer = read_answer(self.form, reply, CODE, changes_peer=False)
        self._check_success(answer, reply)
        rows = self.form.select(answer, self.list_field)
        if not isinstance(rows, list):
            raise for_a_person(
                f"{CODE}.list_missing",
                f"The answer holds no list at {self.list_field or 'its top'}: check STOCK_LIST_FIELD",
                reply,
            )
        return rows

    def _check_success(self, answer: Any, reply: HttpReply) -> None:
        if self.success is None or not isinstance(answer, dict):
            return
        value = pick(answer, self.success.field)
        if value is MISSING:
            why = f"The reply has no field {self.success.field!r} to tell success"
            raise garbled(self.form, reply, CODE, changes_peer=False, why=why)
        if not self.success.accepts(value):
            raise for_a_person(f"{CODE}.rejected", "The ERP answered that it did not succeed", reply)

    def _gather(self, rows: list[Any], found: dict[tuple[str, str], int]) -> None:
        for row in rows:
            sku = self._text(row, self.sku_field)
            available = self._pieces(row, sku, self.quantity_field)
            if not sku or available is None:
                continue  # the ERP keeps no stock of it
            if self.reserved_field:
                available -= self._pieces(row, sku, self.reserved_field) or 0
            place = sku, self._text(row, self.warehouse_field, required=False)
            if found.setdefault(place, available) != available:
                raise PermanentError(
                    "generic_rest.stock.figure_twice",
                    f"The ERP gives two figures for SKU {sku}{f' in {place[1]}' if place[1] else ''}. Nothing was "
                    "written. Name the field that tells them apart in STOCK_WAREHOUSE_FIELD, or let it give one each",
                )

    def _text(self, row: Any, field: str, *, required: bool = True) -> str:
        value = pick(row, field) if field else MISSING
        if isinstance(value, str) and UNDECODED in value:
            message = f"A stock row's {field!r} is not in UTF-8. Nothing was written: the ERP must answer in UTF-8"
            raise PermanentError("generic_rest.stock.figure_unreadable", message)
        if isinstance(value, (str, int)) and not isinstance(value, bool):
            return str(value).strip()
        if required and value is not None:
            raise PermanentError(
                "generic_rest.stock.figure_unreadable", f"A stock row has no {field!r}: check STOCK_SKU_FIELD"
            )
        return ""

    def _pieces(self, row: Any, sku: str, field: str) -> int | None:
        """Whole pieces, rounded down: half a piece cannot be sold. None where the ERP says null."""
        value = pick(row, field)
        if value is None:
            return None
        try:
            number = Decimal(str(value)) if not isinstance(value, bool) else None
        except InvalidOperation:
            number = None
        if number is None or not number.is_finite() or abs(number) > MOST_PIECES:
            raise PermanentError(
                "generic_rest.stock.figure_unreadable",
                f"The ERP's {field!r} of SKU {sku} is no number of pieces. Nothing was written. Correct it there, or "
                "check STOCK_QUANTITY_FIELD and STOCK_RESERVED_FIELD",
            )
        return int(number.to_integral_value(ROUND_FLOOR))
