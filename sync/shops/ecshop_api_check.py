"""Look at a shop through its plug-in before its first order is taken: what is well, what is not, what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

from mappings.errors import PeerError
from mappings.shops.ecshop_api import ApiSettings, Ping
from sync.clock import utc_now
from sync.shops.ecshop_findings import (
    find_clock,
    find_cod,
    find_couriers,
    find_goods,
    find_lastmodify,
    find_stock,
    find_storage,
    find_version,
)
from sync.shops.port import Finding

_OFF_S = 60
"""A machine's clock that is further off is not kept by NTP; the plug-in believes requests within 300 s."""


def check_plugin(name: str, settings: ApiSettings, ping: Callable[[], Ping], now: datetime) -> list[Finding]:
    """Every finding; a shop that cannot be asked, or whose tables are missing, ends the list. Raises nothing."""
    try:
        found = ping()
    except PeerError as error:
        return [Finding("connection", False, error.code, error.message)]
    return [*_plugin(found), *_clocks(found), *_offset(found, settings), *_shop(name, found, settings, now)]


def _plugin(ping: Ping) -> Iterator[Finding]:
    yield Finding("connection", True, f"the plug-in answers (PHP {ping.php}, database {ping.database})")
    yield Finding("plug-in", True, f"ecsync.php {ping.plugin}")
    detail = "the shop's own functions send bonuses and mail and clear its cache" if ping.has_shop_functions else (
        "the shop's own functions were not found: it sends no bonuses and no mail, its pages change within the hour"
    )  # fmt: skip
    remedy = "" if ping.has_shop_functions else "put ecsync.php next to index.php of the shop"
    yield Finding("shop functions", ping.has_shop_functions, detail, remedy)


def _clocks(ping: Ping) -> Iterator[Finding]:
    differ_s = ping.now - int(utc_now().timestamp())
    is_close = abs(differ_s) <= _OFF_S
    detail = f"the shop's machine differs from this one by {differ_s} s"
    yield Finding("machine clock", is_close, detail, "" if is_close else "set both machines by NTP; 300 s are too many")


def _offset(ping: Ping, settings: ApiSettings) -> Iterator[Finding]:
    given, measured = settings.utc_offset_s, ping.utc_offset_s
    if given is None:
        yield Finding("utc offset", True, f"{measured} s, as the shop says of $timezone in data/config.php")
    elif given == measured:
        yield Finding("utc offset", True, f"{given} s, as set and as the shop says")
    else:
        detail = f"utc_offset_s is set to {given}, the shop says {measured} of $timezone in data/config.php"
        yield Finding("utc offset", False, detail, f"leave utc_offset_s empty, or set it to {measured}")


def _shop(name: str, ping: Ping, settings: ApiSettings, now: datetime) -> Iterator[Finding]:
    if ping.missing_tables:
        detail = f"missing under the prefix {ping.prefix}: {', '.join(ping.missing_tables)}"
        yield Finding("tables", False, detail, "correct $prefix or $db_name in the shop's data/config.php")
        return
    yield Finding("tables", True, f"all stand under the prefix {ping.prefix}")
    detail = "the shop's account may write" if ping.can_write else "the shop's account may not write"
    remedy = "" if ping.can_write else "give $db_user of data/config.php INSERT and UPDATE, on the primary server"
    yield Finding("rights", ping.can_write, detail, remedy)
    yield find_version(ping.ecshop)
    yield find_lastmodify(is_there=ping.has_lastmodify)
    yield from find_storage(ping.engine, ping.charset)
    offset_s = ping.utc_offset_s if settings.utc_offset_s is None else settings.utc_offset_s
    rules = settings.rules(name, offset_s)
    yield find_clock(ping.newest_add_time, offset_s, now)
    yield find_stock(ping.use_storage, ping.stock_dec_time, keep_stock=settings.keep_stock)
    yield find_cod(ping.cod)
    yield find_couriers(ping.shipping_codes, rules)
    yield from find_goods(ping.goods_without_weight, ping.products_without_sn, rules)
