"""Grant the member's points for an order that is fully shipped: as the shop's admin would, and once.

First a log row without points and without a time, which ECShop shows as nothing; then one statement that gives both
the row and the member's sums their points. Broken off before, between or after: a repeat finds what is left to do.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from sqlalchemy import (
    Connection,
    Insert,
    ScalarSelect,
    Select,
    bindparam,
    func,
    insert,
    literal,
    select,
    update,
)

from mappings.shops.ecshop.points import (
    ACT_OTHER,
    Points,
    grant_text,
    group_buy_points,
    points_of,
    take_back_text,
)
from mappings.shops.ecshop.rows import Row
from sync.shops.ecshop_tables import EcshopTables

_PENDING = 0
"""account_log.change_time of a row whose points are not given yet."""
_SHOPS = 64


def grant_points(connection: Connection, tables: EcshopTables, order: Row, stored_now: int) -> None:
    """Nothing for a guest, a member who is gone, or where the log says that the points were given."""
    user_id = order["user_id"]
    said = {"granted": grant_text(order["order_sn"]), "taken_back": take_back_text(order["order_sn"])}
    bound = {"of_user": user_id, **said}
    member = connection.execute(_lock_member(tables), bound).first() if user_id else None
    if member is None or (member.granted > member.taken_back and not member.pending):
        return
    if not member.pending:
        connection.execute(_insert_pending(tables), bound)
    _complete(connection, tables, user_id, said["granted"], _points(connection, tables, order), stored_now)


def _points(connection: Connection, tables: EcshopTables, order: Row) -> Points:
    if order["extension_code"] == "group_buy":
        found = connection.scalar(_select_campaign(tables), {"of_campaign": order["extension_id"]})
        return group_buy_points(order["goods_amount"], found or "")
    lines = connection.execute(_select_giving(tables), {"of_order": order["order_id"]}).mappings().all()
    return points_of([dict(line) for line in lines])


def _complete(
    connection: Connection, tables: EcshopTables, user_id: int, granted: str, points: Points, stored_now: int
) -> None:
    """MyISAM has nothing else that is atomic than one statement over both tables."""
    log, users = tables.account_log, tables.users
    is_pending = (log.c.user_id == user_id, log.c.change_desc == granted, log.c.change_time == _PENDING)
    sums = {users.c.rank_points: users.c.rank_points + points.rank, users.c.pay_points: users.c.pay_points + points.pay}
    given = {log.c.rank_points: points.rank, log.c.pay_points: points.pay, log.c.change_time: stored_now}
    if connection.dialect.name == "mysql":
        is_theirs = users.c.user_id == log.c.user_id
        connection.execute(update(log).where(*is_pending, is_theirs).values({**given, **sums}))
        return
    still = select(log.c.log_id).where(*is_pending).exists()
    connection.execute(update(users).where(users.c.user_id == user_id, still).values(sums))  # one transaction
    connection.execute(update(log).where(*is_pending).values(given))


@lru_cache(maxsize=_SHOPS)
def _lock_member(tables: EcshopTables) -> Select[Any]:
    """What the log says of the member, who is locked before it is written: two of one member's orders wait then
    instead of dead-locking."""
    users = tables.users.c
    said = [_count(tables, text).label(text) for text in ("granted", "taken_back")]
    pending = _count(tables, "granted", is_pending=True).label("pending")
    return select(users.user_id, *said, pending).where(users.user_id == bindparam("of_user")).with_for_update()


@lru_cache(maxsize=_SHOPS)
def _insert_pending(tables: EcshopTables) -> Insert:
    """If the points were not granted once more than they were taken back: staff may do it at this moment."""
    log, users = tables.account_log, tables.users
    values = {"rank_points": 0, "pay_points": 0, "user_money": 0, "frozen_money": 0, "change_time": _PENDING}
    fresh = [literal(value).label(name) for name, value in values.items()]
    source = select(
        users.c.user_id,
        *fresh,
        bindparam("granted", type_=log.c.change_desc.type).label("change_desc"),
        literal(ACT_OTHER).label("change_type"),
    ).where(users.c.user_id == bindparam("of_user"), _count(tables, "granted") <= _count(tables, "taken_back"))
    names = ["user_id", *values, "change_desc", "change_type"]
    return insert(log).from_select(names, source, include_defaults=False)


def _count(tables: EcshopTables, text: str, *, is_pending: bool = False) -> ScalarSelect[int]:
    log = tables.account_log.alias()
    is_said = [log.c.user_id == bindparam("of_user"), log.c.change_desc == bindparam(text)]
    if is_pending:
        is_said.append(log.c.change_time == _PENDING)
    return select(func.count()).select_from(log).where(*is_said).scalar_subquery()


@lru_cache(maxsize=_SHOPS)
def _select_giving(tables: EcshopTables) -> Select[Any]:
    line, goods = tables.order_goods.c, tables.goods.c
    return (
        select(
            line.goods_id,
            line.parent_id,
            line.is_gift,
            line.extension_code,
            line.goods_number,
            line.goods_price,
            goods.give_integral,
            goods.rank_integral,
        )
        .join_from(tables.order_goods, tables.goods, line.goods_id == goods.goods_id)
        .where(line.order_id == bindparam("of_order"))
    )


@lru_cache(maxsize=_SHOPS)
def _select_campaign(tables: EcshopTables) -> Select[Any]:
    activity = tables.goods_activity.c
    return select(activity.ext_info).where(activity.act_id == bindparam("of_campaign"))
