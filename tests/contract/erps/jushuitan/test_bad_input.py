"""Jushuitan's answers, good and bad: the class of each, for every operation."""

from __future__ import annotations

from typing import Any

import pytest

from mappings.errors import AuthError, PeerError, PermanentError, TransientError, UncertainError
from mappings.model import ErpDocument
from mappings.wire import Exchange, HttpReply
from tests.contract.erps.hands import PROXY_200, PROXY_502, SN, erp_order, failure, said
from tests.contract.erps.jushuitan.cases import SHAPES, TAKEN, bad, erp, form, good, held, row, stock
from tests.contract.erps.no_answer import NO_ANSWER
from tests.contract.erps.sealed import CLASSES, NOW, sealed, talk

DOCUMENT = ErpDocument("1528134", SN)


def exchanges(**settings: str) -> dict[str, tuple[Exchange[Any], tuple[HttpReply, ...]]]:
    """Each operation, with what goes well before the call that matters."""
    peer = erp(**settings)
    return {
        "create": (peer.create(erp_order()), ()),
        "find": (peer.find(SN), ()),
        "cancel": (peer.cancel(DOCUMENT), (held({}),)),
        "stock": (peer.read_stock(None, ["A"]), ()),
        "poll": (peer.poll_shipments(NOW), ()),
    }


OPERATIONS = sorted(exchanges())
CHANGES = {"create", "cancel"}


def problem_of(operation: str, *replies: HttpReply, **settings: str) -> PeerError:
    exchange, before = exchanges(**settings)[operation]
    return failure(exchange, *before, *replies)


def test_a_good_answer_is_the_document() -> None:
    document, _ = talk(erp().create(erp_order()), TAKEN)

    assert document == ErpDocument("1528134", SN)


def test_a_row_that_says_no_is_a_refusal_in_jushuitans_words() -> None:
    problem = problem_of("create", row(issuccess=False, msg="店铺未授权"))

    assert (type(problem), problem.code) == (PermanentError, "jushuitan.order.rejected")
    assert problem.peer_text == "店铺未授权"


@pytest.mark.parametrize(
    ("text", "changing", "reading", "word"),
    [
        ("系统繁忙，请稍后再试", TransientError, TransientError, "busy"),
        ("订单正在处理", TransientError, TransientError, "busy"),
        ("服务器异常", UncertainError, TransientError, "failed"),
        ("请求超时", UncertainError, TransientError, "failed"),
        ("一句没有人见过的话", PermanentError, PermanentError, "rejected"),
    ],
)
def test_words_decide_where_a_row_or_a_code_that_nobody_mapped_says_no(
    text: str, changing: type[PeerError], reading: type[PeerError], word: str
) -> None:
    problems = {operation: problem_of(operation, bad(-1, text)) for operation in OPERATIONS}
    problems["row"] = problem_of("create", row(issuccess=False, msg=text))

    for operation, problem in problems.items():
        assert type(problem) is (changing if operation in {*CHANGES, "row"} else reading), operation
        assert (problem.code.rpartition(".")[2], problem.peer_text) == (word, text)


def test_a_good_code_without_our_row_says_nothing_of_our_order() -> None:
    for reply in (good(datas=[]), good(), row(so_id="another"), row(issuccess=None)):
        problem = problem_of("create", reply)
        assert (type(problem), problem.code) == (UncertainError, "jushuitan.order.garbled")


@pytest.mark.parametrize(("code", "kind"), sorted(SHAPES["codes"].items()))
@pytest.mark.parametrize("operation", OPERATIONS)
def test_each_code_has_its_class_in_every_operation(operation: str, code: str, kind: str) -> None:
    if kind == "ok":
        return
    for written in (code, int(code)):
        problem = problem_of(operation, bad(written, "原话"))
        assert type(problem) is CLASSES[kind], (operation, code, problem)
        assert (problem.peer_code, problem.peer_text) == (code, "原话")


@pytest.mark.parametrize(("code", "wait_s"), [(199, 2), (200, 60)])
def test_a_rate_limit_says_how_long_to_wait(code: int, wait_s: float) -> None:
    problem = problem_of("create", bad(code))

    assert isinstance(problem, TransientError)
    assert (problem.code, problem.retry_after_s) == ("jushuitan.order.rate_limited", wait_s)


def test_a_missing_right_for_one_interface_does_not_stop_the_others() -> None:
    assert problem_of("stock", bad(190)).code == "jushuitan.stock.service_not_allowed"


@pytest.mark.parametrize(
    ("reply", "changing", "reading"),
    [
        *NO_ANSWER,
        (said({"msg": "no code"}), UncertainError, TransientError),
        (HttpReply(200, {}, '{"code": 11, "msg": "超过频率"}'.encode("gbk")), UncertainError, TransientError),
    ],
    ids=str,
)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_what_is_no_answer_of_jushuitans_has_its_class(
    operation: str, reply: HttpReply, changing: type[PeerError], reading: type[PeerError]
) -> None:
    wanted = changing if operation in CHANGES else reading

    assert type(problem_of(operation, reply)) is wanted


# --- a token that ran out


NEW_TOKEN = good(access_token="newtoken", refresh_token="newrefresh", expires_in=2592000)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_without_a_refresh_token_a_token_that_ran_out_closes_the_door(operation: str) -> None:
    assert type(problem_of(operation, bad(100))) is AuthError


def test_a_token_that_ran_out_is_renewed_once_and_the_order_is_sent_again() -> None:
    kept: dict[str, str] = {}

    document, calls = talk(erp(refresh_token="oldrefresh").create(erp_order()), bad(100), NEW_TOKEN, TAKEN, kept=kept)
    _, [later] = talk(erp(refresh_token="oldrefresh").find(SN), held(), kept=kept)

    assert document.erp_no == "1528134"
    assert [call.operation for call in calls] == ["create_order", "refresh_token", "create_order"]
    assert [call.changes_peer for call in calls] == [True, False, True]
    assert calls[1].url.endswith("/openWeb/auth/refreshToken")
    asked = form(calls[1])
    assert (asked["grant_type"], asked["refresh_token"], asked["scope"]) == ("refresh_token", "oldrefresh", "all")
    assert [form(calls[0])["access_token"], form(calls[2])["access_token"]] == ["testtoken", "newtoken"]
    assert form(later)["access_token"] == "newtoken", "every worker knows it, also after a restart"
    assert {"newtoken", "newrefresh", "testsecret"} <= set(later.secrets)


def test_the_next_renewal_is_made_with_what_the_last_one_brought() -> None:
    kept: dict[str, str] = {}
    talk(erp(refresh_token="oldrefresh").find(SN), bad(100), NEW_TOKEN, held(), kept=kept)

    _, calls = talk(erp(refresh_token="oldrefresh").find(SN), bad(100), good(access_token="third"), held(), kept=kept)

    assert form(calls[1])["refresh_token"] == "newrefresh"
    assert (kept["access_token"], kept["refresh_token"]) == ("third", "newrefresh"), "one that brings none keeps it"


def test_a_token_that_another_worker_has_renewed_is_not_renewed_again() -> None:
    kept: dict[str, str] = {}
    other = erp(refresh_token="oldrefresh").find(SN)
    late = erp(refresh_token="oldrefresh").create(erp_order())
    first = sealed(next(late), kept=kept)
    talk(other, bad(100), NEW_TOKEN, held(), kept=kept)

    second = sealed(late.send(bad(100)), kept=kept)
    with pytest.raises(StopIteration):
        late.send(TAKEN)

    assert [first.operation, second.operation] == ["create_order", "create_order"]
    assert [form(first)["access_token"], form(second)["access_token"]] == ["testtoken", "newtoken"]


def test_a_renewal_that_came_too_late_goes_on_with_the_token_that_another_worker_got() -> None:
    kept: dict[str, str] = {}
    other = erp(refresh_token="oldrefresh").find(SN)
    late = erp(refresh_token="oldrefresh").create(erp_order())
    sealed(next(late), kept=kept)
    renewal = sealed(late.send(bad(100)), kept=kept)
    talk(other, bad(100), NEW_TOKEN, held(), kept=kept)

    again = sealed(late.send(bad(-1)), kept=kept)

    assert (renewal.operation, again.operation) == ("refresh_token", "create_order")
    assert form(again)["access_token"] == "newtoken"


@pytest.mark.parametrize("changed", ["access_token", "refresh_token", "app_key"])
def test_a_new_authorisation_in_the_settings_counts_more_than_what_was_kept(changed: str) -> None:
    kept: dict[str, str] = {}
    talk(erp(refresh_token="oldrefresh").find(SN), bad(100), NEW_TOKEN, held(), kept=kept)

    _, [call] = talk(erp(**{"refresh_token": "oldrefresh", changed: "anew"}).find(SN), held(), kept=kept)

    assert form(call)["access_token"] == ("anew" if changed == "access_token" else "testtoken")


def test_a_new_token_that_is_refused_too_makes_no_loop() -> None:
    problem = problem_of("create", bad(100), NEW_TOKEN, bad(100), refresh_token="oldrefresh")

    assert (type(problem), problem.code) == (AuthError, "jushuitan.order.token_refused")


@pytest.mark.parametrize("reply", [bad(150), bad(100), bad(-1), good()])
def test_a_renewal_that_is_refused_tells_to_authorise_anew(reply: HttpReply) -> None:
    problem = problem_of("create", bad(100), reply, bad(100), refresh_token="oldrefresh")

    assert (type(problem), problem.code) == (AuthError, "jushuitan.token.refresh_refused")
    assert "authorise" in problem.message


@pytest.mark.parametrize("reply", [PROXY_200, PROXY_502, bad(200), bad(-1, "系统异常"), HttpReply(503)])
def test_a_renewal_that_does_not_answer_is_tried_again_later_for_no_order_was_sent(reply: HttpReply) -> None:
    problem = problem_of("create", bad(100), reply, refresh_token="oldrefresh")

    assert isinstance(problem, TransientError)


def test_a_clock_that_is_wrong_is_transient_because_each_call_is_stamped_anew() -> None:
    problem = problem_of("create", bad(140))

    assert (type(problem), problem.code) == (TransientError, "jushuitan.order.time_refused")
    assert "NTP" in problem.message


def test_stock_in_another_form_says_what_to_check() -> None:
    assert problem_of("stock", good(rows=[])).code == "jushuitan.stock.list_missing"
    assert problem_of("stock", stock({"sku_id": "A", "qty": "many"})).code == "jushuitan.stock.figure_unreadable"
    assert problem_of("find", good(rows=[])).code == "jushuitan.order.found_other"
