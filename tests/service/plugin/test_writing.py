"""What the plug-in refuses to write, what it writes once, and who waits for whom."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from threading import Thread
from typing import Any

import pytest
from sqlalchemy import text

from mappings.connector import ParcelToWrite
from sync.shops.ecshop_db import ShopDatabase, parse_dsn
from tests.service.plugin.php import Answer, Caller, PhpShop
from tests.service.shop.yard import (
    CUP,
    GIFT_TEA,
    NOW,
    PACKAGE,
    STORED_NOW,
    TEA,
    Yard,
    parcel_of,
    ship,
    staff_note,
    the_order,
)

COD = {"pay_id": 3, "pay_name": "货到付款", "pay_status": 0, "order_amount": 264, "money_paid": 0, "pay_time": 0}


def refused(yard: Yard, write: Callable[[], Answer]) -> tuple[int, str]:
    """Status and code of the refusal, after making sure that nothing was written."""
    before = yard.dump()
    status, answer = write()
    assert yard.dump() == before
    assert answer["error"]["message"]
    return status, answer["error"]["code"]


def the_parcel(yard: Yard, *lines: dict[str, Any], **changes: Any) -> ParcelToWrite:
    yard.order(1, *lines, **changes)
    return parcel_of(the_order(yard.shop(), "1"))


@pytest.mark.parametrize("stage", ["claim", "note", "shipped", "received", "remark"])
def test_an_order_that_is_gone_is_written_by_no_stage(mariadb_yard: Yard, caller: Caller, stage: str) -> None:
    parcel = the_parcel(mariadb_yard)
    fields = caller.planned(parcel) | {"text": "到了"}
    assert refused(mariadb_yard, lambda: caller.stage("2", stage, **fields)) == (404, "order_gone")


@pytest.mark.parametrize("stage", ["claim", "note", "shipped"])
@pytest.mark.parametrize(
    "change",
    [
        {"order_status": 2, "pay_status": 0},
        {"order_status": 3},
        {"order_status": 4},
        {"pay_status": 0},
        {"order_status": 0},
    ],
    ids=["cancelled", "invalid", "returned", "unpaid", "unconfirmed"],
)
def test_a_withdrawn_order_is_left_alone(
    mariadb_yard: Yard, caller: Caller, stage: str, change: dict[str, int]
) -> None:
    parcel = the_parcel(mariadb_yard, TEA)
    fields = caller.planned(parcel)
    mariadb_yard.alter("1", **change)
    assert refused(mariadb_yard, lambda: caller.stage("1", stage, **fields)) == (409, "order_withdrawn")


def test_escrow_counts_as_paid_only_if_the_caller_says_so(mariadb_yard: Yard, caller: Caller) -> None:
    mariadb_yard.order(1, pay_status=1)
    assert refused(mariadb_yard, lambda: caller.stage("1", "claim")) == (409, "order_withdrawn")
    assert caller.stage("1", "claim", accept_paying=1) == (200, {"done": True})
    assert mariadb_yard.ledger("1").shipping_status == 3


@pytest.mark.parametrize("stage", ["note", "shipped"])
def test_an_order_shipped_with_another_number_is_left_as_it_is(mariadb_yard: Yard, caller: Caller, stage: str) -> None:
    parcel = the_parcel(mariadb_yard)
    fields = caller.planned(parcel)
    caller.ship(replace(parcel, waybill_no="SF999"))
    assert refused(mariadb_yard, lambda: caller.stage("1", stage, **fields)) == (409, "already_shipped")


def test_a_staff_note_that_is_gone_or_taken_stops_the_parcel(mariadb_yard: Yard, caller: Caller) -> None:
    mariadb_yard.order(1, TEA, order_status=5, shipping_status=5)
    staff_note(mariadb_yard, "1", TEA)
    fields = caller.planned(parcel_of(the_order(mariadb_yard.shop(), "1")))
    assert fields["note_id"] == 70
    gone = fields | {"note_id": 99}
    assert refused(mariadb_yard, lambda: caller.stage("1", "note", **gone)) == (409, "note_gone")
    mariadb_yard.change(mariadb_yard.tables.delivery_order, {"delivery_id": 70}, invoice_no="SF7")
    assert refused(mariadb_yard, lambda: caller.stage("1", "note", **fields)) == (409, "note_taken")


def test_a_note_of_another_order_is_not_taken(mariadb_yard: Yard, caller: Caller) -> None:
    mariadb_yard.order(2, TEA, order_status=5, shipping_status=5)
    staff_note(mariadb_yard, "2", TEA)
    fields = caller.planned(the_parcel(mariadb_yard)) | {"note_id": 70}
    assert refused(mariadb_yard, lambda: caller.stage("1", "note", **fields)) == (409, "note_gone")


def test_a_note_with_the_number_and_other_lines_is_not_filled_up(mariadb_yard: Yard, caller: Caller) -> None:
    parcel = the_parcel(mariadb_yard, TEA, CUP)
    fields = caller.planned(parcel)
    note = {"delivery_id": 80, "delivery_sn": fields["delivery_sn"], "order_sn": "x", "order_id": 1, "status": 2}
    mariadb_yard.put(mariadb_yard.tables.delivery_order, [note | {"invoice_no": "YT0001"}])
    item = {"delivery_id": 80, "goods_id": 7, "is_real": 1, "send_number": 1}
    mariadb_yard.put(mariadb_yard.tables.delivery_goods, [item])
    assert refused(mariadb_yard, lambda: caller.stage("1", "note", **fields)) == (409, "note_conflict")


def test_staff_who_were_faster_are_seen_before_anything_is_written(mariadb_yard: Yard, caller: Caller) -> None:
    """Their note raised the sent number between the caller's reading and its writing."""
    fields = caller.planned(the_parcel(mariadb_yard, TEA, CUP))
    staff_note(mariadb_yard, "1", TEA)
    assert refused(mariadb_yard, lambda: caller.stage("1", "shipped", **fields)) == (409, "moved")


def test_a_line_that_shrank_meanwhile_stops_the_parcel(mariadb_yard: Yard, caller: Caller) -> None:
    fields = caller.planned(the_parcel(mariadb_yard, TEA))
    mariadb_yard.change(mariadb_yard.tables.order_goods, {"order_id": 1}, goods_number=1)
    assert refused(mariadb_yard, lambda: caller.stage("1", "note", **fields)) == (409, "lines_changed")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"items": []}, "lines_changed"),
        ({"sent": []}, "sent_mismatch"),
        ({"items": [{"goods_id": 7, "goods_name": "", "goods_sn": "", "send_number": 1}]}, "lines_changed"),
        ({"sent": [{"rec_id": 4000000, "before": 0, "after": 2}]}, "lines_changed"),
    ],
    ids=["no items", "no raises", "goods of no line", "a line of no order"],
)
def test_a_plan_that_does_not_fit_the_order_is_not_carried_out(
    mariadb_yard: Yard, caller: Caller, change: dict[str, Any], code: str
) -> None:
    fields = caller.planned(the_parcel(mariadb_yard, TEA, CUP)) | change
    assert refused(mariadb_yard, lambda: caller.stage("1", "note", **fields)) == (409, code)


def test_sent_numbers_that_disagree_with_the_notes_are_for_a_person(mariadb_yard: Yard, caller: Caller) -> None:
    fields = caller.planned(the_parcel(mariadb_yard, TEA | {"goods_number": 3}))
    staff_note(mariadb_yard, "1", TEA | {"goods_number": 1})
    mariadb_yard.change(mariadb_yard.tables.order_goods, {"order_id": 1}, send_number=0)
    item = fields["items"][0] | {"send_number": 2}
    (raised,) = fields["sent"]
    planned = fields | {"items": [item], "sent": [raised | {"after": 2}]}
    assert refused(mariadb_yard, lambda: caller.stage("1", "note", **planned)) == (409, "sent_mismatch")


def test_a_package_that_was_taken_apart_meanwhile_stops_the_parcel(mariadb_yard: Yard, caller: Caller) -> None:
    fields = caller.planned(the_parcel(mariadb_yard, PACKAGE))
    parts = mariadb_yard.tables.package_goods
    with mariadb_yard.engine.begin() as connection:
        connection.execute(parts.delete().where(parts.c.package_id == 5, parts.c.goods_id == 7))
    assert refused(mariadb_yard, lambda: caller.stage("1", "note", **fields)) == (409, "package_unknown")


def test_more_of_a_package_than_is_owed_is_refused(mariadb_yard: Yard, caller: Caller) -> None:
    fields = caller.planned(the_parcel(mariadb_yard, PACKAGE | {"goods_number": 2}))
    mariadb_yard.change(mariadb_yard.tables.package_goods, {"package_id": 5, "goods_id": 7}, goods_number=1)
    much = [item | {"send_number": item["send_number"] + (item["goods_id"] == 7)} for item in fields["items"]]
    wrong = fields | {"items": much}
    assert refused(mariadb_yard, lambda: caller.stage("1", "note", **wrong)) == (409, "lines_changed")
    early = fields | {"items": [item for item in fields["items"] if item["goods_id"] != 7]}
    assert refused(mariadb_yard, lambda: caller.stage("1", "note", **early)) == (409, "sent_mismatch")


@pytest.mark.parametrize("stage", ["shipped"])
def test_a_number_for_which_there_is_no_room_is_refused_before_anything_is_written(
    mariadb_yard: Yard, caller: Caller, stage: str
) -> None:
    parcel = the_parcel(mariadb_yard, invoice_no="<br>".join("N" * 45 + str(number) for number in range(5)))
    fields = caller.planned(parcel)
    assert refused(mariadb_yard, lambda: caller.stage("1", stage, **fields)) == (409, "numbers_full")


@pytest.mark.parametrize(
    ("stage", "change"),
    [
        ("note", {"number": "yt0001"}),
        ("note", {"number": "YT<BR>1"}),
        ("note", {"number": "Y" * 51}),
        ("note", {"number": ""}),
        ("note", {"number": 7}),
        ("note", {"delivery_sn": "x' OR 1"}),
        ("note", {"log_note": "圆通速递 YT0002"}),
        ("note", {"log_note": "圆通速递YT0001"}),
        ("note", {"log_note": "x" * 249 + " YT0001"}),
        ("note", {"items": "all"}),
        ("note", {"items": [1]}),
        ("note", {"items": [{"goods_id": 1}]}),
        ("note", {"sent": [{"rec_id": 1, "before": 2, "after": 2}]}),
        ("claim", {"action_user": ""}),
        ("claim", {"action_user": "x" * 31}),
        ("claim", {"accept_paying": 2}),
        ("claim", {"order_id": "1"}),
        ("claim", {"order_id": 1.5}),
        ("remark", {}),
        ("remark", {"text": "  "}),
        ("remark", {"text": ["x"]}),
        ("unship", {}),
        ("", {}),
    ],
)
def test_a_field_that_makes_no_sense_is_refused(
    mariadb_yard: Yard, caller: Caller, stage: str, change: dict[str, Any]
) -> None:
    fields = caller.planned(the_parcel(mariadb_yard))
    body = {"order_id": 1, "action_user": "ecsync"} | fields | {"stage": stage} | change
    assert refused(mariadb_yard, lambda: caller.post("ship", body)) == (400, "bad_request")


@pytest.mark.parametrize("body", [b"", b"null", b"7", b"[1", b'{"order_id":', b"\xff\xfe"])
def test_a_body_that_is_no_json_object_is_refused(mariadb_yard: Yard, caller: Caller, body: bytes) -> None:
    answer = caller.send("POST", {"r": "ship"}, body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_request")


def test_two_requests_for_the_same_parcel_write_it_once(yard: Yard, caller: Caller) -> None:
    parcel = the_parcel(yard, TEA, CUP, GIFT_TEA, user_id=1)
    fields, fresh = caller.planned(parcel), yard.keep()
    caller.stage("1", "shipped", **fields)
    alone = yard.dump()
    yard.restore(fresh)
    answers: list[Answer] = []
    workers = [Thread(target=lambda: answers.append(caller.stage("1", "shipped", **fields))) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [status for status, _ in answers] == [200] * 4
    assert len({answer["note_id"] for _, answer in answers}) == 1
    assert yard.dump() == alone


def test_writers_of_both_paths_wait_for_each_other(mariadb_yard: Yard, caller: Caller) -> None:
    mariadb_yard.order(1)
    answers: list[Answer] = []
    database = ShopDatabase("main", parse_dsn(mariadb_yard.url))
    waits = text("SELECT COUNT(*) FROM information_schema.processlist WHERE state = 'User lock'")
    with database.writing(1):
        worker = Thread(target=lambda: answers.append(caller.stage("1", "claim")))
        worker.start()
        with mariadb_yard.engine.connect() as connection:
            while not connection.scalar(waits):
                assert not answers
        assert mariadb_yard.ledger("1").shipping_status == 0
    worker.join()
    assert answers == [(200, {"done": True})]


def test_what_is_sent_in_the_body_is_data_and_nothing_else(mariadb_yard: Yard, caller: Caller) -> None:
    """Quotes, back-slashes, and the marks that the plug-in's own statements use."""
    evil = "x'); DROP TABLE ecs_goods; -- ? {goods} \\' \" `"
    parcel = replace(the_parcel(mariadb_yard, TEA | {"goods_name": evil, "goods_attr": evil}), carrier_name=evil)
    fresh = mariadb_yard.keep()
    ship(mariadb_yard.shop(), parcel)
    by_sql = mariadb_yard.dump()
    mariadb_yard.restore(fresh)
    caller.ship(parcel)
    assert mariadb_yard.dump() == by_sql
    row = mariadb_yard.dump()[mariadb_yard.tables.delivery_goods.name][0]
    assert (row["goods_name"], row["goods_attr"]) == (evil, evil)


@pytest.mark.parametrize(
    "state", [(5, 1), (5, 2), (1, 0), (5, 5), (6, 4), (4, 0)], ids=lambda state: f"{state[0]}-{state[1]}"
)
def test_received_is_shown_as_by_sql(yard: Yard, caller: Caller, state: tuple[int, int]) -> None:
    yard.order(1, order_status=state[0], shipping_status=state[1])
    fresh = yard.keep()
    yard.shop().mark_received("1", NOW)
    by_sql = yard.dump()
    yard.restore(fresh)
    for _ in range(2):
        assert caller.stage("1", "received") == (200, {"done": True})
    assert yard.dump() == by_sql


@pytest.mark.parametrize(
    "said",
    ["到货了", "Arrived.", " two\n lines \u3000 and  more ", "长" * 300, "长" * 253 + "。长", "号码 YT0001", "？！"],
    ids=["plain", "a sentence", "spaces", "too long", "cut at its end", "a number", "signs"],
)
def test_a_remark_is_written_as_by_sql_and_once(yard: Yard, caller: Caller, said: str) -> None:
    yard.order(1, order_status=6, shipping_status=4)
    fresh = yard.keep()
    yard.shop().add_remark("1", said, NOW)
    by_sql = yard.dump()
    yard.restore(fresh)
    for _ in range(2):
        assert caller.stage("1", "remark", text=said) == (200, {"done": True})
    assert yard.dump() == by_sql


def test_the_shops_own_clock_is_used_where_the_caller_gives_none(mariadb_yard: Yard, caller: Caller) -> None:
    mariadb_yard.order(1)
    body = {"order_id": 1, "stage": "claim", "action_user": "robot"}
    assert caller.post("ship", body)[0] == 200
    (action,) = mariadb_yard.ledger("1").actions
    assert action.user == "robot"
    assert abs(action.log_time - (caller.get("ping")[1]["now"] - 28800)) < 60


def test_points_and_stock_are_left_alone_where_the_caller_says_so(yard: Yard, caller: Caller) -> None:
    shop = yard.shop(keep_stock=False, grant_points=False)
    yard.order(1, TEA, CUP, user_id=1)
    parcel = parcel_of(the_order(shop, "1"))
    fresh = yard.keep()
    ship(shop, parcel)
    by_sql = yard.dump()
    yard.restore(fresh)
    caller.ship(parcel, keep_stock=0, grant_points=0)
    assert yard.dump() == by_sql
    assert yard.stock(1) == 1000


@pytest.mark.parametrize(
    ("lines", "changes"),
    [
        ((TEA | {"goods_price": "12.99"}, GIFT_TEA), {}),
        ((TEA | {"goods_id": 5, "goods_sn": "SBX-LAMP", "goods_number": 3}, PACKAGE, CUP), {}),
        ((TEA,), {"extension_code": "group_buy", "extension_id": 77, "goods_amount": "256.80"}),
        ((TEA,), {"user_id": 999}),
        ((TEA | {"goods_price": "9999999.99", "goods_number": 9},), {}),
    ],
    ids=["fractions", "some give others", "group buy", "a member who is gone", "more than fits"],
)
def test_points_are_those_of_the_sql_path(
    yard: Yard, caller: Caller, lines: tuple[dict[str, Any], ...], changes: dict[str, Any]
) -> None:
    campaign = {"act_id": 77, "act_name": "x", "act_desc": "", "act_type": 1, "is_finished": 3, "goods_name": ""}
    info = 'a:2:{s:13:"gift_integral";i:35;s:7:"deposit";d:1;}'
    with yard.engine.begin() as connection:
        connection.execute(yard.tables.goods_activity.delete().where(yard.tables.goods_activity.c.act_id == 77))
    yard.put(yard.tables.goods_activity, [campaign | {"ext_info": info}])
    yard.order(1, *lines, **({"user_id": 1} | changes))
    parcel = parcel_of(the_order(yard.shop(), "1"))
    fresh = yard.keep()
    ship(yard.shop(), parcel)
    by_sql = yard.dump()
    yard.restore(fresh)
    caller.ship(parcel, times=2)
    assert yard.dump() == by_sql
    if "user_id" not in changes:
        assert by_sql[yard.tables.account_log.name]


def test_lastmodify_is_written_where_the_shop_has_it(mariadb_yard: Yard, caller: Caller) -> None:
    table = mariadb_yard.tables.order_info.name
    mariadb_yard.order(1)
    with mariadb_yard.engine.connect() as connection:
        connection.execute(text(f"ALTER TABLE {table} ADD lastmodify INT UNSIGNED NOT NULL DEFAULT 0"))
        try:
            caller.ship(parcel_of(the_order(mariadb_yard.shop(), "1")))
            written = connection.scalar(text(f"SELECT lastmodify FROM {table}"))
            assert caller.get("ping")[1]["has_lastmodify"] is True
        finally:
            connection.execute(text(f"ALTER TABLE {table} DROP lastmodify"))
    assert written == STORED_NOW


def test_an_undisturbed_shop_gets_no_complaint_of_php(php_shop: PhpShop, mariadb_yard: Yard) -> None:
    """The fixture looks for complaints after every test; here it is seen to find one."""
    (php_shop.root / "loud.php").write_text("<?php trigger_error('loud', E_USER_WARNING);")
    before = len(php_shop.complaints())
    Caller(php_shop.caller.url.replace("ecsync.php", "loud.php")).send("GET", {})
    assert len(php_shop.complaints()) == before + 1
    php_shop.forget_complaints()
