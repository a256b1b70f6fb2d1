"""Cancelling at the generic REST ERP: what is sent, and what every kind of answer means."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mappings.errors import AuthError, PeerError, PermanentError, TransientError, UncertainError
from mappings.model import ErpDocument
from mappings.wire import HttpCall, HttpReply
from tests.contract.erps.hands import failure, run
from tests.contract.erps.test_generic_rest import PROXY_PAGE, answer, erp

DOCUMENT = ErpDocument("SO-1", "2026112200042")
UNNUMBERED = ErpDocument("", "2026112200042")


def sent(**settings: str) -> HttpCall:
    _, [call] = run(erp(**settings).cancel(DOCUMENT), HttpReply(204))
    return call


# --- what is sent


def test_a_cancel_is_posted_to_the_orders_own_path() -> None:
    call = sent()

    assert (call.operation, call.method, call.changes_peer) == ("cancel_order", "POST", True)
    assert call.url == "https://erp.example.com/api/orders/2026112200042/cancel"
    assert call.headers["Authorization"] == "Bearer s3cret-token"
    assert json.loads(call.body) == {"order_id": "2026112200042"}
    assert call.secrets == ("s3cret-token",)


def test_an_erp_may_want_another_method_path_and_fields() -> None:
    call = sent(
        cancel_path="/so/{erp_no}", cancel_method="patch", cancel_fields="status=closed", field_map="order_id=orderNo"
    )

    assert (call.method, call.url) == ("PATCH", "https://erp.example.com/so/SO-1")
    assert json.loads(call.body) == {"orderNo": "2026112200042", "status": "closed"}


def test_a_delete_has_no_body() -> None:
    assert sent(cancel_method="delete").body == b""


def test_the_order_number_is_quoted_in_the_path() -> None:
    _, [call] = run(erp().cancel(ErpDocument("", "A/1?x")), HttpReply(204))

    assert call.url == "https://erp.example.com/api/orders/A%2F1%3Fx/cancel"


def test_a_path_with_the_erps_number_is_asked_for_it_first_when_we_have_none() -> None:
    _, calls = run(
        erp(cancel_path="/so/{erp_no}").cancel(UNNUMBERED),
        answer({"order_id": "2026112200042", "erp_no": "SO-9"}),
        HttpReply(204),
    )

    assert [call.operation for call in calls] == ["find_order", "cancel_order"]
    assert calls[1].url.endswith("/so/SO-9")


@pytest.mark.parametrize("found", [HttpReply(404), answer({"order_id": "2026112200042"})])
def test_without_the_number_that_its_path_wants_nothing_is_sent(found: HttpReply) -> None:
    problem = failure(erp(cancel_path="/so/{erp_no}").cancel(UNNUMBERED), found)

    assert (type(problem), problem.code) == (PermanentError, "generic_rest.cancel.not_found")


def test_an_erp_that_cannot_be_asked_leaves_it_to_a_person() -> None:
    with pytest.raises(PermanentError) as caught:
        next(erp(cancel_path="").cancel(DOCUMENT))

    assert caught.value.code == "generic_rest.cancel.cannot_cancel"


# --- what a cancel may be answered


@pytest.mark.parametrize(
    ("settings", "reply"),
    [
        ({}, HttpReply(200)),
        ({}, HttpReply(204)),
        ({}, answer({"order_id": "2026112200042", "status": "cancelled"})),
        ({}, answer({"status": "queued"}, 202)),
        ({}, answer({"status": "cancelled"}, 409)),
        ({}, answer({"status": "Cancelled"}, 404)),
        ({}, answer({"status": "cancelled"}, 422)),
        ({"cancelled_field": "error.code=17|18"}, answer({"error": {"code": 18}}, 409)),
        ({"failure_field": "code"}, answer({"code": 0})),
        ({"failure_field": "code"}, answer({"code": 17, "status": "cancelled"})),
    ],
)
def test_an_order_that_is_cancelled_now_or_was_before_is_a_success(settings: dict[str, str], reply: HttpReply) -> None:
    run(erp(**settings).cancel(DOCUMENT), reply)


@pytest.mark.parametrize(
    ("status", "error", "code"),
    [
        (301, PermanentError, "refused"),
        (400, PermanentError, "refused"),
        (401, AuthError, "auth"),
        (403, AuthError, "auth"),
        (404, PermanentError, "not_found"),
        (405, PermanentError, "refused"),
        (408, TransientError, "unavailable"),
        (409, PermanentError, "too_late"),
        (410, PermanentError, "not_found"),
        (422, PermanentError, "refused"),
        (429, TransientError, "unavailable"),
        (500, UncertainError, "server_error"),
        (502, UncertainError, "server_error"),
        (503, TransientError, "unavailable"),
    ],
)
def test_each_status_of_a_cancel_has_its_class(status: int, error: type[PeerError], code: str) -> None:
    problem = failure(erp().cancel(DOCUMENT), answer({"message": "已出库"}, status))

    assert (type(problem), problem.code) == (error, f"generic_rest.cancel.{code}")
    assert (problem.peer_code, json.loads(problem.peer_text)) == (str(status), {"message": "已出库"})


@pytest.mark.parametrize("settings", [{"cancelled_field": ""}, {"cancelled_field": "state=cancelled"}])
def test_a_refusal_is_no_success_where_the_field_that_tells_is_another_one(settings: dict[str, str]) -> None:
    problem = failure(erp(**settings).cancel(DOCUMENT), answer({"status": "cancelled"}, 409))

    assert problem.code == "generic_rest.cancel.too_late"


@pytest.mark.parametrize("reply", [PROXY_PAGE, HttpReply(200, body=b'{"status": "can'), answer(["x"])])
def test_a_success_that_is_not_the_protocols_json_is_uncertain(reply: HttpReply) -> None:
    problem = failure(erp().cancel(DOCUMENT), reply)

    assert (type(problem), problem.code) == (UncertainError, "generic_rest.cancel.garbled")


@pytest.mark.parametrize(
    ("said", "error", "code"),
    [
        ({"code": 17, "message": "已开票"}, PermanentError, "rejected"),
        ({"code": None}, PermanentError, "rejected"),
        ({"message": "?"}, UncertainError, "garbled"),
    ],
)
def test_a_failure_inside_a_200_is_no_success(said: dict[str, Any], error: type[PeerError], code: str) -> None:
    problem = failure(erp(failure_field="code").cancel(DOCUMENT), answer(said))

    assert (type(problem), problem.code) == (error, f"generic_rest.cancel.{code}")


# --- settings


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("cancel_path", "api/cancel", "must start with /"),
        ("cancel_method", "get", "must be one of post, put, patch, delete"),
        ("cancel_fields", "status", "NAME=VALUE"),
        ("cancelled_field", "=x", "FIELD"),
    ],
)
def test_a_wrong_setting_is_refused_with_a_sentence(name: str, text: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        erp(**{name: text})


def test_the_defaults_are_what_their_own_parsers_make_of_them() -> None:
    defaults = {setting.name: setting.default for setting in erp().spec.settings if setting.name.startswith("cancel")}
    assert sent(**{name: text for name, text in defaults.items() if text}) == sent()
