"""ECShop's tables as they stand in 2.7.3 (install/data/structure.sql), the part that ecsync reads and writes.

Later versions widen columns and add some; nothing here may be created in a real shop. `mysql_engine` and
`with_lastmodify` serve the sandbox and the tests: 2.7.3 to 4.0 are MyISAM, 3.x and later have `lastmodify`.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Any

from sqlalchemy import Column, Dialect, Index, Integer, MetaData, String, Table, Text, UniqueConstraint
from sqlalchemy.dialects import mysql
from sqlalchemy.types import TypeDecorator, TypeEngine


class ExactDecimal(TypeDecorator[Decimal]):
    """decimal(10,n) that stays exact on SQLite, where it is kept as text."""

    impl = String
    cache_ok = True

    def __init__(self, scale: int, unsigned: bool = False) -> None:
        super().__init__(20)
        self.scale = scale
        self.unsigned = unsigned

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name in ("mysql"):
            return dialect.type_descriptor(mysql.DECIMAL(10, self.scale, unsigned=self.unsigned))
        return dialect.type_descriptor(String(20))

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        return None if value is None else f"{Decimal(value):.{self.scale}f}"

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:
        return None if value is None else Decimal(value)


def _int(name: str, mysql_type: TypeEngine[int], default: int | None = 0, *, null: bool = False) -> Column[int]:
    kind = Integer().with_variant(mysql_type, "mysql")
    server_default = None if default is None else str(default)
    return Column(name, kind, nullable=null, server_default=server_default)


def _tiny(name: str, default: int | None = 0, *, signed: bool = False, null: bool = False) -> Column[int]:
    return _int(name, mysql.TINYINT(3, unsigned=not signed), default, null=null)


def _small(name: str, default: int | None = 0, *, signed: bool = False, null: bool = False) -> Column[int]:
    return _int(name, mysql.SMALLINT(5, unsigned=not signed), default, null=null)


def _medium(name: str, default: int | None = 0, *, null: bool = False) -> Column[int]:
    return _int(name, mysql.MEDIUMINT(8, unsigned=True), default, null=null)


def _time(name: str, *, null: bool = False) -> Column[int]:
    return _int(name, mysql.INTEGER(10, unsigned=True), null=null)


def _key(name: str, mysql_type: TypeEngine[int] | None = None) -> Column[int]:
    kind = Integer().with_variant(mysql_type or mysql.MEDIUMINT(8, unsigned=True), "mysql")
    return Column(name, kind, primary_key=True, autoincrement=True)


def _text(name: str, length: int, *, null: bool = False) -> Column[str]:
    return Column(name, String(length), nullable=null, server_default=None if null else "")


def _texts(length: int, *names: str, null: bool = False) -> list[Column[str]]:
    return [_text(name, length, null=null) for name in names]


def _money(*names: str, unsigned: bool = False, null: bool = False) -> list[Column[Decimal]]:
    kind = ExactDecimal(2, unsigned)
    return [Column(name, kind, nullable=null, server_default="0.00") for name in names]


_ORDER_INDEXES = ("user_id", "order_status", "shipping_status", "pay_status", "shipping_id", "pay_id", "agency_id")
_REGIONS = ("country", "province", "city", "district")


@dataclass(frozen=True, slots=True)
class EcshopTables:
    """One shop's tables under its prefix."""

    metadata: MetaData
    order_info: Table
    order_goods: Table
    order_action: Table
    delivery_order: Table
    delivery_goods: Table
    goods: Table
    products: Table
    package_goods: Table
    goods_activity: Table
    region: Table
    shipping: Table
    payment: Table
    shop_config: Table
    brand: Table
    users: Table
    account_log: Table


@cache
def ecshop_tables(
    prefix: str = "ecs_", *, mysql_engine: str = "MyISAM", mysql_charset: str = "utf8", with_lastmodify: bool = False
) -> EcshopTables:
    """Define the tables of a shop whose table names start with `prefix`; once, since SQLAlchemy never forgets them."""
    metadata = MetaData()

    def table(name: str, *parts: Any) -> Table:
        return Table(prefix + name, metadata, *parts, mysql_engine=mysql_engine, mysql_charset=mysql_charset)

    extra = [_time("lastmodify")] if with_lastmodify else []
    return EcshopTables(
        metadata=metadata,
        order_info=table("order_info", *_order_info(), *extra),
        order_goods=table("order_goods", *_order_goods()),
        order_action=table("order_action", *_order_action()),
        delivery_order=table("delivery_order", *_delivery_order()),
        delivery_goods=table("delivery_goods", *_delivery_goods()),
        goods=table("goods", *_goods()),
        products=table("products", *_products()),
        package_goods=table("package_goods", *_package_goods()),
        goods_activity=table("goods_activity", *_goods_activity()),
        region=table("region", *_region()),
        shipping=table("shipping", *_shipping()),
        payment=table("payment", *_payment()),
        shop_config=table("shop_config", *_shop_config()),
        brand=table("brand", _key("brand_id", mysql.SMALLINT(5, unsigned=True)), _text("brand_name", 60)),
        users=table("users", *_users()),
        account_log=table("account_log", *_account_log()),
    )


def _order_info() -> list[Any]:
    return [
        _key("order_id"),
        _text("order_sn", 20),
        _medium("user_id"),
        *(_tiny(name) for name in ("order_status", "shipping_status", "pay_status")),
        _text("consignee", 60),
        *(_small(name) for name in _REGIONS),
        _text("address", 255),
        *_texts(60, "zipcode", "tel", "mobile", "email"),
        *_texts(120, "best_time", "sign_building"),
        _text("postscript", 255),
        _tiny("shipping_id", signed=True),
        _text("shipping_name", 120),
        _tiny("pay_id", signed=True),
        *_texts(120, "pay_name", "how_oos", "how_surplus", "pack_name", "card_name"),
        _text("card_message", 255),
        *_texts(120, "inv_payee", "inv_content"),
        *_money("goods_amount", "shipping_fee", "insure_fee", "pay_fee", "pack_fee", "card_fee"),
        *_money("money_paid", "surplus"),
        _time("integral"),
        *_money("integral_money", "bonus", "order_amount"),
        _small("from_ad", signed=True),
        _text("referer", 255),
        *(_time(name) for name in ("add_time", "confirm_time", "pay_time", "shipping_time")),
        *(_tiny(name) for name in ("pack_id", "card_id")),
        _medium("bonus_id"),
        _text("invoice_no", 255),
        _text("extension_code", 30),
        _medium("extension_id"),
        *_texts(255, "to_buyer", "pay_note"),
        _small("agency_id"),
        _text("inv_type", 60),
        *_money("tax"),
        _tiny("is_separate", signed=True),
        _medium("parent_id"),
        *_money("discount"),
        UniqueConstraint("order_sn"),
        *(_index(name) for name in _ORDER_INDEXES),
    ]


def _index(*names: str) -> Index:
    return Index(None, *names)


def _order_goods() -> list[Any]:
    return [
        _key("rec_id"),
        _medium("order_id"),
        _medium("goods_id"),
        _text("goods_name", 120),
        _text("goods_sn", 60),
        _medium("product_id"),
        _small("goods_number", 1),
        *_money("market_price", "goods_price"),
        Column("goods_attr", Text, nullable=False),
        _small("send_number"),
        _tiny("is_real"),
        _text("extension_code", 30),
        _medium("parent_id"),
        _small("is_gift"),
        _text("goods_attr_id", 255),
        _index("order_id"),
        _index("goods_id"),
    ]


def _order_action() -> list[Any]:
    return [
        _key("action_id"),
        _medium("order_id"),
        _text("action_user", 30),
        *(_tiny(name) for name in ("order_status", "shipping_status", "pay_status", "action_place")),
        _text("action_note", 255),
        _time("log_time"),
        _index("order_id"),
    ]


def _delivery_order() -> list[Any]:
    return [
        _key("delivery_id"),
        Column("delivery_sn", String(20), nullable=False),
        Column("order_sn", String(20), nullable=False),
        _medium("order_id"),
        _text("invoice_no", 50, null=True),
        _time("add_time", null=True),
        _tiny("shipping_id", null=True),
        _text("shipping_name", 120, null=True),
        _medium("user_id", null=True),
        _text("action_user", 30, null=True),
        _text("consignee", 60, null=True),
        _text("address", 250, null=True),
        *(_small(name, null=True) for name in _REGIONS),
        _text("sign_building", 120, null=True),
        *_texts(60, "email", "zipcode", "tel", "mobile", null=True),
        _text("best_time", 120, null=True),
        _text("postscript", 255, null=True),
        _text("how_oos", 120, null=True),
        *_money("insure_fee", "shipping_fee", unsigned=True, null=True),
        _time("update_time", null=True),
        _small("suppliers_id", signed=True, null=True),
        _tiny("status"),
        _small("agency_id", null=True),
        _index("user_id"),
        _index("order_id"),
    ]


def _delivery_goods() -> list[Any]:
    return [
        _key("rec_id"),
        _medium("delivery_id"),
        _medium("goods_id"),
        _medium("product_id", null=True),
        _text("product_sn", 60, null=True),
        _text("goods_name", 120, null=True),
        _text("brand_name", 60, null=True),
        _text("goods_sn", 60, null=True),
        _tiny("is_real", null=True),
        _text("extension_code", 30, null=True),
        _medium("parent_id", null=True),
        _small("send_number", null=True),
        Column("goods_attr", Text, nullable=True),
        _index("delivery_id", "goods_id"),
        _index("goods_id"),
    ]


def _goods() -> list[Any]:
    """The catalogue columns that matter here; a real shop has some thirty more."""
    return [
        _key("goods_id"),
        _small("cat_id"),
        _text("goods_sn", 60),
        _text("goods_name", 120),
        _small("brand_id"),
        _small("goods_number"),
        Column("goods_weight", ExactDecimal(3, unsigned=True), nullable=False, server_default="0.000"),
        *_money("market_price", "shop_price", unsigned=True),
        _tiny("warn_number", 1),
        _tiny("is_real", 1),
        _text("extension_code", 30),
        *(_tiny(name, default) for name, default in (("is_on_sale", 1), ("is_shipping", 0), ("is_delete", 0))),
        _time("add_time"),
        _time("last_update"),
        *(_int(name, mysql.INTEGER(11), -1) for name in ("give_integral", "rank_integral")),
        _small("suppliers_id", None, null=True),
        _index("goods_sn"),
    ]


def _products() -> list[Any]:
    return [
        _key("product_id"),
        _medium("goods_id"),
        _text("goods_attr", 50, null=True),
        _text("product_sn", 60, null=True),
        _small("product_number", null=True),
    ]


def _package_goods() -> list[Any]:
    keys = [_medium("package_id"), _medium("goods_id"), _medium("product_id"), _tiny("admin_id")]
    for key in keys:
        key.primary_key = True
        key.autoincrement = False
    return [*keys, _small("goods_number", 1)]


def _goods_activity() -> list[Any]:
    return [
        _key("act_id"),
        _text("act_name", 255),
        Column("act_desc", Text, nullable=False),
        _tiny("act_type"),
        _medium("goods_id"),
        _medium("product_id"),
        _text("goods_name", 255),
        _time("start_time"),
        _time("end_time"),
        _tiny("is_finished"),
        Column("ext_info", Text, nullable=False),
    ]


def _region() -> list[Any]:
    return [
        _key("region_id", mysql.SMALLINT(5, unsigned=True)),
        _small("parent_id"),
        _text("region_name", 120),
        _tiny("region_type", 2, signed=True),
        _small("agency_id"),
        _index("parent_id"),
    ]


def _shipping() -> list[Any]:
    return [
        _key("shipping_id", mysql.TINYINT(3, unsigned=True)),
        _text("shipping_code", 20),
        _text("shipping_name", 120),
        _text("shipping_desc", 255),
        _text("insure", 10),
        _tiny("support_cod"),
        _tiny("enabled"),
        _tiny("print_model", null=True),
        _tiny("shipping_order"),
    ]


def _payment() -> list[Any]:
    return [
        _key("pay_id", mysql.TINYINT(3, unsigned=True)),
        _text("pay_code", 20),
        _text("pay_name", 120),
        _text("pay_fee", 10),
        *(_tiny(name) for name in ("enabled", "is_cod", "is_online")),
        UniqueConstraint("pay_code"),
    ]


def _shop_config() -> list[Any]:
    return [
        _key("id", mysql.SMALLINT(5, unsigned=True)),
        _small("parent_id"),
        _text("code", 30),
        _text("type", 10),
        _text("store_range", 255),
        _text("store_dir", 255),
        Column("value", Text, nullable=False),
        _tiny("sort_order", 1),
        UniqueConstraint("code"),
    ]


def _users() -> list[Any]:
    """A member's points; who the member is stays unread."""
    return [
        _key("user_id"),
        _text("user_name", 60),
        *_money("user_money", "frozen_money"),
        *(_time(name) for name in ("pay_points", "rank_points")),
        UniqueConstraint("user_name"),
    ]


def _account_log() -> list[Any]:
    return [
        _key("log_id"),
        _medium("user_id"),
        *_money("user_money", "frozen_money"),
        *(_int(name, mysql.MEDIUMINT(9)) for name in ("rank_points", "pay_points")),
        _time("change_time"),
        _text("change_desc", 255),
        _tiny("change_type"),
        _index("user_id"),
    ]
