"""What `ecsync check` says of an ECShop, in the same sentences however the shop is reached."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta

from mappings.errors import UnmappedError
from mappings.shops.ecshop import ReadRules, shipper_code_for
from mappings.shops.ecshop.clock import ShopClock
from sync.shops.port import Finding

CLOCK_TOLERANCE = timedelta(minutes=10)
_KNOWN_CHARSETS = ("utf8", "utf8mb3", "utf8mb4", "gbk", "gb2312", "gb18030")


def find_lastmodify(*, is_there: bool) -> Finding:
    has = "has" if is_there else "has no"
    return Finding("lastmodify", True, f"order_info {has} lastmodify; it is written where it stands, never relied on")


def find_storage(engine: str, charset: str) -> tuple[Finding, Finding]:
    safety = "transactions" if engine == "InnoDB" else "no transactions; every write is safe to break off"
    is_known = charset in _KNOWN_CHARSETS
    remedy = "" if is_known else "names may come out as garbage: compare one order with the shop's admin"
    return Finding("engine", True, f"{engine}: {safety}"), Finding("character set", is_known, charset, remedy)


def find_clock(newest_add_time: int, utc_offset_s: int, now: datetime) -> Finding:
    """By the newest order's stored time, 0 where there is none."""
    if not newest_add_time:
        return Finding("clock", True, "no order yet to compare with")
    at = datetime.fromtimestamp(newest_add_time + utc_offset_s, UTC)
    if at <= now + CLOCK_TOLERANCE:
        detail = f"the newest order is of {at:%Y-%m-%d %H:%M} UTC with an offset of {utc_offset_s} s"
        return Finding("clock", True, detail)
    return Finding(
        "clock",
        False,
        f"the newest order would be of {at:%Y-%m-%d %H:%M} UTC, which is yet to come",
        "set utc_offset_s to the offset of $timezone in data/config.php; orders of the mobile API alone do this too",
    )


def find_stock(use_storage: str | None, stock_dec_time: str | None, *, keep_stock: bool) -> Finding:
    if use_storage != "1":
        detail = "the shop keeps no stock"
    elif stock_dec_time != "0":
        detail = "the shop takes stock when an order is placed"
    elif keep_stock:
        detail = "stock is taken when a parcel is marked as shipped, as the shop's admin would"
    else:
        detail = "the shop would take stock at shipping, but keep_stock is off: another program must write it"
    return Finding("stock", True, detail)


def find_version(ecs_version: str | None) -> Finding:
    """By `ecs_version` of the shop's own configuration, such as v2.7.3."""
    numbers = tuple(int(number) for number in re.findall(r"\d+", ecs_version or "")[:3])
    if not numbers:
        remedy = "ask the shop's operator; 2.7.3 to 4.0 are supported"
        return Finding("version", False, "the shop does not tell its version of ECShop", remedy)
    is_known = (2, 7, 3) <= numbers < (5,)
    remedy = "" if is_known else "2.7.3 to 4.0 are supported: try one order in a copy of the shop first"
    return Finding("version", is_known, f"ECShop {str(ecs_version).removeprefix('v')}", remedy)


def find_offset(clock: ShopClock, utc_offset_s: int) -> Finding:
    """The stored times' offset as the shop's own rows tell it, against the setting."""
    if not clock.rows:
        return Finding("clock", True, "no order yet to measure the clock by; utc_offset_s is taken as it is set")
    if not clock.agrees(utc_offset_s):
        likely = clock.likely()
        detail = f"by its newest orders and delivery notes the shop's clock has an offset of {likely} s"
        return Finding(
            "clock",
            False,
            f"{detail}, utc_offset_s is {utc_offset_s}",
            f"set utc_offset_s to {likely}, after a look at $timezone in data/config.php",
        )
    detail = f"{clock.rows} newest orders and delivery notes agree with an offset of {utc_offset_s} s"
    if plain := clock.plain(utc_offset_s):
        detail += f"; {plain} of the orders keep plain Unix time, as the mobile API does, and are read so"
    return Finding("clock", True, detail)


def find_cod(names: Collection[str], *, by_name: int = 0) -> Finding:
    """`by_name`: how many of the newest orders are so by the name of their payment alone."""
    detail = ", ".join(names) if names else "no such payment is installed"
    if by_name:
        detail += f"; {by_name} of the newest orders are so by the payment's name alone, as the mobile API writes them"
    return Finding("cash on delivery", True, detail)


def find_couriers(shipping_codes: Sequence[str], rules: ReadRules) -> Finding:
    """Of the modules that are switched on."""
    unmapped = [code for code in shipping_codes if not _is_mapped(code, rules)]
    if not unmapped:
        return Finding("couriers", True, f"all {len(shipping_codes)} shipping modules have a courier")
    lines = ",".join(f"{code}=COURIER" for code in unmapped)
    return Finding("couriers", False, f"no courier for: {', '.join(unmapped)}", f"add to shipper_map: {lines}")


def find_goods(weightless: int, products_without_sn: int, rules: ReadRules) -> tuple[Finding, Finding]:
    is_weighed = not weightless or rules.default_weight_g > 0
    remedy = "" if is_weighed else "enter weights in the shop, or set default_weight_g"
    weights = Finding("weights", is_weighed, f"{weightless} goods have no weight", remedy)
    blank = products_without_sn
    remedy = "give them product numbers: their orders carry the parent's number" if blank else ""
    return weights, Finding("product numbers", not blank, f"{blank} products have none", remedy)


def _is_mapped(code: str, rules: ReadRules) -> bool:
    try:
        return bool(shipper_code_for(code, rules.shipper_map, rules.default_shipper))
    except UnmappedError:
        return False
