"""Member points of an order: how many ECShop gives for it, and how its log tells that it did.

Facts: includes/lib_order.php integral_to_give(), includes/lib_common.php log_account_change().
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from mappings.shops.ecshop.rows import PACKAGE, Row

MOST_POINTS = 8_388_607
"""account_log holds a mediumint."""
ACT_OTHER = 99
"""account_log.change_type of points for an order."""

_GIFT_INTEGRAL = re.compile(r's:13:"gift_integral";(?:s:\d+:"|[id]:)(\d+)')
"""A campaign's points in its ext_info, which PHP serialized: an integer, a float or text."""


@dataclass(frozen=True, slots=True)
class Points:
    """`rank` decides the member's grade, `pay` can be spent."""

    rank: int
    pay: int


def points_of(lines: Sequence[Row]) -> Points:
    """For lines joined with their goods; packages, gifts, accessories and goods that are gone give none."""
    giving = [
        line
        for line in lines
        if line["goods_id"] > 0
        and line["parent_id"] == 0
        and line["is_gift"] == 0
        and line["extension_code"] != PACKAGE
    ]
    return Points(*(_whole(sum(_worth(line, name) for line in giving)) for name in ("rank_integral", "give_integral")))


def group_buy_points(goods_amount: Decimal | str, ext_info: str) -> Points:
    """For a group buy: what its campaign gives, and the order's amount for the grade."""
    found = _GIFT_INTEGRAL.search(ext_info)
    return Points(_whole(Decimal(goods_amount)), _whole(Decimal(found[1]) if found else Decimal(0)))


def grant_text(order_sn: str) -> str:
    """account_log.change_desc of points for an order: what tells that they were granted."""
    return f"订单 {order_sn} 赠送的积分"


def take_back_text(order_sn: str) -> str:
    """account_log.change_desc of the same points taken back when the order was returned or unshipped."""
    return f"由于退货或未发货操作，退回订单 {order_sn} 赠送的积分"


def _worth(line: Row, name: str) -> Decimal:
    each = line[name] if line[name] > -1 else Decimal(line["goods_price"])
    return Decimal(each * line["goods_number"])


def _whole(points: Decimal | int) -> int:
    return max(0, min(int(points), MOST_POINTS))
