"""Wangdiantong's answers, good and bad: the class of each, for every operation."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from mappings.errors import AuthError, PeerError, PermanentError, TransientError, UncertainError, UnmappedError
from mappings.model import ErpDocument
from mappings.wire import Exchange, HttpReply
from tests.contract.erps.hands import SN, erp_order, failure, said
from tests.contract.erps.no_answer import NO_ANSWER
from tests.contract.erps.sealed import CLASSES, talk
from tests.contract.erps.wangdiantong.cases import SHAPES, bad, erp, found, good, pushed, stock, trade

DOCUMENT = ErpDocument(SN, SN)
SINCE = datetime(2026, 11, 21, tzinfo=UTC)


def exchanges() -> dict[str, tuple[Exchange[Any], tuple[HttpReply, ...]]]:
    """Each operation, with what goes well before the call that matters."""
    peer = erp()
    return {
        "create": (peer.create(erp_order()), ()),
        "find": (peer.find(SN), ()),
        "cancel": (peer.cancel(DOCUMENT), (found(trade()),)),
        "stock": (peer.read_stock(None, ["A"]), ()),
        "poll": (peer.poll_shipments(SINCE), ()),
        "settle": (peer.settle_shipments({"150": ""}), ()),
    }


OPERATIONS = sorted(exchanges())
CHANGES = {"create", "cancel", "settle"}


def problem_of(operation: str, *replies: HttpReply) -> PeerError:
    exchange, before = exchanges()[operation]
    return failure(exchange, *before, *replies)


def test_a_new_order_and_one_that_was_there_are_told_apart_by_the_counts() -> None:
    made, _ = talk(erp().create(erp_order()), said(SHAPES["push_new"]))
    known, _ = talk(erp().create(erp_order()), said(SHAPES["push_known"]))

    assert (made, known) == (ErpDocument(SN, SN), ErpDocument(SN, SN, adopted=True))


def test_a_refusal_in_the_list_counts_though_the_answer_is_good() -> None:
    problem = problem_of("create", pushed(0, 0, {"no": SN, "error": "电话号码不能包含*"}))

    assert (type(problem), problem.code) == (PermanentError, "wangdiantong.order.phone_rejected")
    assert problem.peer_text == "电话号码不能包含*"


def test_a_refusal_of_another_order_is_not_ours() -> None:
    document, _ = talk(erp().create(erp_order()), said(SHAPES["push_partial"]))

    assert document.erp_no == SN


def test_an_answer_that_counts_nothing_is_looked_up() -> None:
    held, calls = talk(erp().create(erp_order()), pushed(), found(trade()))
    problem = problem_of("create", pushed(), found())

    assert held == ErpDocument(SN, SN, adopted=True)
    assert calls[1].operation == "find_order"
    assert (type(problem), problem.code) == (UncertainError, "wangdiantong.order.garbled")


@pytest.mark.parametrize(("text", "wanted"), sorted(SHAPES["messages"].items()))
@pytest.mark.parametrize("operation", OPERATIONS)
def test_the_words_of_a_business_refusal_decide(operation: str, text: str, wanted: list[str]) -> None:
    problem = problem_of(operation, bad(100, text))

    assert type(problem) is CLASSES[wanted[0]]
    assert problem.code.rpartition(".")[2] == wanted[1]
    assert (problem.peer_code, problem.peer_text) == ("100", text)


@pytest.mark.parametrize(("text", "wanted"), sorted(SHAPES["argument_messages"].items()))
def test_the_words_about_account_and_arguments_decide(text: str, wanted: list[str]) -> None:
    problem = problem_of("create", bad(1, text))

    assert (type(problem), problem.code.rpartition(".")[2]) == (CLASSES[wanted[0]], wanted[1])


@pytest.mark.parametrize("text", [text for text in SHAPES["messages"] if "最大" in text])
def test_who_asks_too_often_waits_for_minutes(text: str) -> None:
    for problem in (
        problem_of("create", bad(100, text)),
        problem_of("create", pushed(0, 0, {"no": SN, "error": text})),
    ):
        assert isinstance(problem, TransientError)
        assert 300 <= (problem.retry_after_s or 0) <= 600


@pytest.mark.parametrize(
    ("status", "changing", "reading", "word"),
    [
        (2, PermanentError, PermanentError, "field_missing"),
        (3, AuthError, AuthError, "password_wanted"),
        (4, UncertainError, TransientError, "failed"),
        (5, UncertainError, TransientError, "failed"),
        (6, AuthError, AuthError, "address_not_allowed"),
        (7, TransientError, TransientError, "time_refused"),
        (8, PermanentError, PermanentError, "version_refused"),
        (99, UncertainError, TransientError, "failed"),
        (55, UnmappedError, UnmappedError, "result_unmapped"),
    ],
)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_each_status_has_its_class_in_every_operation(
    operation: str, status: int, changing: type[PeerError], reading: type[PeerError], word: str
) -> None:
    problem = problem_of(operation, bad(status, "原话"))

    assert type(problem) is (changing if operation in CHANGES else reading)
    assert problem.code.rpartition(".")[2] == word


def test_a_status_that_nobody_mapped_says_where_to_map_it() -> None:
    assert "mappings/erps/wangdiantong/results.toml" in problem_of("create", bad(55)).message


@pytest.mark.parametrize(
    ("reply", "changing", "reading"),
    [
        *NO_ANSWER,
        (said({"message": "no status"}), UncertainError, TransientError),
        (HttpReply(200, {}, '{"status": 100, "message": "频率限制"}'.encode("gbk")), UncertainError, TransientError),
    ],
    ids=str,
)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_what_is_no_answer_of_wangdiantongs_has_its_class(
    operation: str, reply: HttpReply, changing: type[PeerError], reading: type[PeerError]
) -> None:
    assert type(problem_of(operation, reply)) is (changing if operation in CHANGES else reading)


@pytest.mark.parametrize("operation", ["find", "stock", "poll"])
def test_a_good_answer_without_its_list_is_asked_for_again(operation: str) -> None:
    assert isinstance(problem_of(operation, good({"total_count": 1})), TransientError)


def test_a_list_that_is_left_out_where_the_count_says_none_is_empty() -> None:
    assert talk(erp().find(SN), good({"total_count": 0}))[0] is None
    assert talk(erp().poll_shipments(SINCE), good(None, total=0))[0] == ()


def test_a_push_without_data_says_nothing_of_our_order() -> None:
    assert type(problem_of("create", good([]))) is UncertainError


def test_a_figure_that_is_no_number_goes_to_a_person() -> None:
    problem = problem_of("stock", stock({"stock_num": "many"}))

    assert (type(problem), problem.code) == (PermanentError, "wangdiantong.stock.figure_unreadable")


def test_an_answer_about_shipments_that_is_not_taken_goes_to_a_person() -> None:
    problem = problem_of("settle", good(["同步结果状态为空!"]))

    assert (type(problem), problem.code) == (PermanentError, "wangdiantong.shipment.rejected")
