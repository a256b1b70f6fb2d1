"""Bad answers to every operation: each has the one right class, and no error shows what was private in it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from mappings.connector import ErpConnector
from mappings.erps.shopex_oms import ShopexOms
from mappings.errors import AuthError, PeerError, PermanentError, TransientError, UncertainError, UnmappedError
from mappings.model import ErpDocument
from mappings.wire import Exchange, HttpReply
from tests.contract.erps.no_answer import STATUSES, UNREADABLE
from tests.contract.erps.shopex_oms.cases import (
    KNOWN,
    QUESTIONS,
    REF,
    SHOWN,
    answer,
    erp,
    erp_order,
    failure,
)

SINCE = datetime(2026, 11, 20, tzinfo=UTC)
CHANGES: dict[str, tuple[Callable[[], Exchange[Any]], tuple[HttpReply, ...]]] = {
    "order": (lambda: erp().create(erp_order()), (KNOWN,)),
    "cancel": (lambda: erp().cancel(ErpDocument("10", REF)), (SHOWN,)),
}
READS: dict[str, Callable[[], Exchange[Any]]] = {
    "find": lambda: erp().find(REF),
    "stock": lambda: erp().read_stock(None),
    "shipments": lambda: erp().poll_shipments(SINCE),
}
PAGE = "<html><body>502 Bad Gateway 登录</body></html>"


def refusal_of(code: str) -> HttpReply:
    return answer(f'{{"error_response":{{"code":"{code}","msg":"x","sub_msg":"{{"a":"b"}}"}}}}')


DAMAGED = [
    *UNREADABLE,
    answer("1"),
    answer({"rsp": "maybe", "msg": "x"}),
    answer({"rsp": "succ", "data": [1]}),
    HttpReply(200, body='{"rsp":"fail","res":"4007","data":{},"msg":"订单正在处理"}'.encode("gbk")),
]


@pytest.mark.parametrize("operation", CHANGES)
@pytest.mark.parametrize("reply", DAMAGED)
def test_a_damaged_answer_to_a_change_leaves_it_open(operation: str, reply: HttpReply) -> None:
    exchange, before = CHANGES[operation]
    error = failure(exchange(), *before, reply)

    assert type(error) is UncertainError
    assert error.code.startswith(f"shopex_oms.{operation}.")


@pytest.mark.parametrize("operation", READS)
@pytest.mark.parametrize("reply", [*DAMAGED, answer({"response": None}), answer({"response": False})])
def test_a_damaged_answer_to_a_question_is_asked_for_again(operation: str, reply: HttpReply) -> None:
    error = failure(READS[operation](), reply)

    assert type(error) is TransientError
    assert error.code.startswith(f"shopex_oms.{operation}.")


@pytest.mark.parametrize(("reply", "cls"), STATUSES)
def test_an_http_status_means_the_same_everywhere(reply: HttpReply, cls: type[PeerError]) -> None:
    for exchange, before in CHANGES.values():
        assert type(failure(exchange(), *before, reply)) is cls
    for ask in READS.values():
        assert type(failure(ask(), reply)) is cls


@pytest.mark.parametrize("operation", READS)
@pytest.mark.parametrize(
    ("code", "cls"),
    [
        ("e000001", PermanentError),
        ("e000002", AuthError),
        ("e000003", PermanentError),
        ("e000004", AuthError),
        ("e000005", PermanentError),
        ("e000006", PermanentError),
        ("e000007", PermanentError),
        ("e000008", AuthError),
        ("e000009", TransientError),
        ("e000010", UnmappedError),
        ("", PermanentError),
    ],
)
def test_the_open_apis_refusals_are_no_json_and_are_read_all_the_same(
    operation: str, code: str, cls: type[PeerError]
) -> None:
    error = failure(READS[operation](), refusal_of(code))

    assert type(error) is cls
    assert (error.peer_code, error.code.rpartition(".")[0]) == (code, f"shopex_oms.{operation}")


def test_the_recorded_refusal_is_read() -> None:
    error = failure(erp().read_stock(None), answer(QUESTIONS["wrong_key"]["answer"]))

    assert isinstance(error, AuthError)
    assert (error.code, error.peer_code) == ("shopex_oms.stock.signature_refused", "e000002")


def test_a_question_that_fails_before_the_push_sends_nothing() -> None:
    for reply, cls in [
        (answer(PAGE), TransientError),
        (refusal_of("e000004"), AuthError),
        (answer(PAGE, 502), TransientError),
    ]:
        assert type(failure(erp().create(erp_order()), reply)) is cls


def test_no_error_repeats_a_row() -> None:
    """Half a list of deliveries holds names."""
    half = '{"response":{"lists":[{"delivery_bn":"D1","ship_name":"王小明","ship_addr":"龙井路 1 号'

    assert "王小明" not in str(failure(erp().poll_shipments(SINCE), answer(half)))


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("base_url", "http://oms.example.com", "https://"),
        ("base_url", "oms.example.com", "https://"),
        ("token", " ", "one word"),
        ("token", "two words", "one word"),
        ("shop_bn", "x" * 21, "at most 20"),
        ("check_skus", "maybe", "1 or 0"),
        ("order_path", "index.php/api", "start with /"),
    ],
)
def test_a_setting_that_cannot_be_right_is_refused(name: str, text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        erp(**{name: text})


def test_it_is_an_erp_that_ships() -> None:
    connector: ErpConnector = erp()

    assert connector.spec is ShopexOms.spec
    assert connector.spec.polls_shipments
    assert connector.spec.numbers_later
    with pytest.raises(StopIteration):
        next(connector.confirm(ErpDocument("10", REF)))
