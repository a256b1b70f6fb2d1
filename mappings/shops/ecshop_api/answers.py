"""The plug-in's documents as the rows that the rules judge: raw columns, whole numbers, decimals that were text."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from mappings.errors import PermanentError
from mappings.model import StockLine
from mappings.shops.ecshop.rows import Note, OrderRows, Row
from mappings.shops.ecshop.settings import is_zone_offset
from mappings.shops.ecshop.text import clean

Kinds = Mapping[str, Callable[[Any], Any]]


def _kinds(whole: str, decimal: str = "", text: str = "") -> Kinds:
    """Column names by what stands in them."""
    columns: dict[str, Callable[[Any], Any]] = dict.fromkeys(whole.split(), int)
    return columns | dict.fromkeys(decimal.split(), _decimal) | dict.fromkeys(text.split(), _text)


def _decimal(value: object) -> Decimal:
    return Decimal(str(value))


def _text(value: object) -> str | bytes:
    """The plug-in writes U+FFFD for bytes that are no text; to the rules they are what the database would give."""
    text = str(value)
    return text.encode() if "\ufffd" in text else text


ORDER = _kinds(
    "order_id user_id order_status shipping_status pay_status country province city district shipping_id pay_id "
    "add_time pay_time extension_id",
    "goods_amount shipping_fee insure_fee pay_fee pack_fee card_fee money_paid surplus order_amount tax discount",
    "order_sn consignee address zipcode tel mobile email postscript to_buyer shipping_name pay_name invoice_no "
    "extension_code",
)
LINE = _kinds(
    "rec_id order_id goods_id product_id goods_number send_number is_real is_gift",
    "goods_price",
    "goods_name goods_sn goods_attr extension_code",
)
NOTE = _kinds("delivery_id order_id update_time status", "", "delivery_sn invoice_no")
NOTED = _kinds(
    "rec_id delivery_id goods_id product_id is_real parent_id send_number",
    "",
    "product_sn goods_name goods_sn extension_code goods_attr",
)
GOODS = _kinds("goods_id", "goods_weight shop_price", "goods_sn goods_name brand_name")
PRODUCT = _kinds("product_id", "", "product_sn")
PART = _kinds("package_id goods_id product_id goods_number")
REGION = _kinds("region_id", "", "region_name")
SHIPPING = _kinds("shipping_id", "", "shipping_code")
STOCK = _kinds("goods_id product_id number unshipped", "", "sku")


@dataclass(frozen=True, slots=True)
class Page:
    """Some orders by order_id; `next` is what to ask on from, None at the end."""

    orders: tuple[OrderRows, ...]
    next: int | None


@dataclass(frozen=True, slots=True)
class StockPage:
    """Some of what the shop sells; `next` is the plug-in's own mark to ask on from, empty at the end."""

    lines: tuple[StockLine, ...]
    next: str


@dataclass(frozen=True, slots=True)
class Ping:
    """What the plug-in says of the shop and of itself. `now` is Unix time, `newest_add_time` is as ECShop stores it."""

    plugin: str
    ecshop: str
    php: str
    database: str
    prefix: str
    engine: str
    charset: str
    now: int
    utc_offset_s: int
    use_storage: str
    stock_dec_time: str
    has_lastmodify: bool
    has_shop_functions: bool
    can_write: bool
    missing_tables: tuple[str, ...]
    cod: tuple[str, ...]
    shipping_codes: tuple[str, ...]
    goods_without_weight: int
    products_without_sn: int
    newest_add_time: int


def read_page(document: Mapping[str, Any]) -> Page:
    """Raises PermanentError when a column is missing or holds what it cannot: plug-in and ecsync do not fit."""
    packages: dict[int, list[Row]] = defaultdict(list)
    for part in _rows(document, "packages", PART):
        packages[part["package_id"]].append(part)
    goods = {row["goods_id"]: row for row in _rows(document, "goods", GOODS)}
    products = {row["product_id"]: row for row in _rows(document, "products", PRODUCT)}
    regions = {row["region_id"]: row["region_name"] for row in _rows(document, "regions", REGION)}
    codes = {row["shipping_id"]: row["shipping_code"] for row in _rows(document, "shippings", SHIPPING)}
    cities, cod, group_buys = (_ids(document, name) for name in ("cities_with_districts", "cod_pay_ids", _GROUP_BUYS))
    orders = tuple(
        OrderRows(
            order=_row(one.get("order"), "order", ORDER),
            lines=_rows(one, "lines", LINE),
            notes=[_note(note) for note in _list(one, "notes")],
            goods=goods,
            products=products,
            packages=packages,
            regions=regions,
            cities_with_districts=cities,
            shipping_codes=codes,
            cod_pay_ids=cod,
            settled_group_buys=group_buys,
        )
        for one in _list(document, "orders")
    )
    mark = document.get("next")
    return Page(orders, None if mark is None else _value(document, "next", int))


_GROUP_BUYS = "settled_group_buys"


def read_stock_page(document: Mapping[str, Any]) -> StockPage:
    limit = document.get("limit")
    lines = [
        StockLine(clean(row["sku"]), row["goods_id"], row["product_id"], row["number"], row["unshipped"], limit)
        for row in _rows(document, "lines", STOCK)
    ]
    return StockPage(tuple(lines), str(document.get("next") or ""))


def read_ping(document: Mapping[str, Any]) -> Ping:
    """What needs tables that are missing may be missing, too."""

    def text(name: str) -> str:
        return str(document.get(name) or "")

    def count(name: str) -> int:
        return int(document.get(name) or 0)

    offset_s = _value(document, "utc_offset_s", int)
    if not is_zone_offset(offset_s):
        raise _unfit(f"utc_offset_s is {offset_s}")
    enabled = [one for one in document.get("shippings") or () if one.get("enabled")]
    return Ping(
        plugin=_value(document, "plugin", str),
        ecshop=text("ecshop"),
        php=text("php"),
        database=text("database"),
        prefix=text("prefix"),
        engine=text("engine"),
        charset=text("charset"),
        now=_value(document, "now", int),
        utc_offset_s=offset_s,
        use_storage=_setting(document.get("use_storage")),
        stock_dec_time=_setting(document.get("stock_dec_time")),
        has_lastmodify=bool(document.get("has_lastmodify")),
        has_shop_functions=bool(document.get("has_shop_functions")),
        can_write=document.get("can_write") is not False,
        missing_tables=tuple(map(str, document.get("missing_tables") or ())),
        cod=tuple(map(str, document.get("cod") or ())),
        shipping_codes=tuple(sorted(str(one.get("shipping_code")) for one in enabled)),
        goods_without_weight=count("goods_without_weight"),
        products_without_sn=count("products_without_sn"),
        newest_add_time=count("newest_add_time"),
    )


def _setting(value: object) -> str:
    """shop_config holds text; the plug-in may have made a number of it."""
    return "" if value is None else str(value)


def _note(given: Any) -> Note:
    return Note(_row(given, "notes", NOTE), tuple(_rows(given, "goods", NOTED)))


def _rows(document: Mapping[str, Any], name: str, kinds: Kinds) -> list[Row]:
    return [_row(given, name, kinds) for given in _list(document, name)]


def _row(given: Any, where: str, kinds: Kinds) -> Row:
    """The wanted columns and no others. NULL stays None, and so does what ECShop never writes: the rules park its
    order, and no other."""
    try:
        return {name: _read(kind, given[name]) for name, kind in kinds.items()}
    except KeyError as missing:
        raise _unfit(f"{where} lacks {missing.args[0]}") from None
    except TypeError:
        raise _unfit(f"{where} is no row") from None


def _read(kind: Callable[[Any], Any], value: Any) -> Any:
    try:
        return None if value is None else kind(value)
    except (TypeError, ValueError, InvalidOperation):
        return value


def _list(document: Mapping[str, Any], name: str) -> Sequence[Any]:
    found = document.get(name)
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise _unfit(f"{name} is missing or no list of rows")
    return found


def _ids(document: Mapping[str, Any], name: str) -> frozenset[int]:
    found: Iterable[Any] = document.get(name) or ()
    try:
        return frozenset(map(int, found))
    except (TypeError, ValueError):
        raise _unfit(f"{name} is no list of ids") from None


def _value(document: Mapping[str, Any], name: str, kind: Callable[[Any], Any]) -> Any:
    try:
        return kind(document[name])
    except (KeyError, TypeError, ValueError):
        raise _unfit(f"{name} is missing or not as it should be") from None


def _unfit(what: str) -> PermanentError:
    return PermanentError(
        "ecshop.api.version",
        f"The plug-in's answer does not fit this ecsync ({what}); upload the ecsync.php of this release to the shop",
    )
