"""OAuth 2 client credentials of the generic REST ERP: when a token is asked for, when it is not, and how often."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from urllib.parse import parse_qs

import pytest

from mappings.erps.generic_rest import GenericRestErp
from mappings.errors import AuthError, PeerError, TransientError, UncertainError
from mappings.model import ErpDocument
from mappings.wire import Exchange, HttpCall, HttpReply, Stamp
from tests.contract.erps.test_generic_rest import BASE, answer, erp, erp_order

T = TypeVar("T")
NOON = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)
OAUTH2 = {
    "auth": "oauth2",
    "token": "",
    "token_url": "https://login.example.com/oauth/token?tenant=7",
    "client_id": "ecsync",
    "client_secret": "s3cret client",
}
FOUND = answer({"order_id": "42", "erp_no": "SO-1"})


def oauth2(**settings: str) -> GenericRestErp:
    return erp(**{**OAUTH2, **settings})


def token(text: str = "token-1", **more: Any) -> HttpReply:
    return answer({"access_token": text, "token_type": "Bearer", "expires_in": 3600, **more})


def drive(exchange: Exchange[T], *replies: HttpReply, at: datetime = NOON) -> tuple[T, list[HttpCall]]:
    """As the gateway does it: each call leaves at a moment, and may be finished or changed then."""
    waiting, calls = list(replies), []
    call = next(exchange)
    while True:
        calls.append(call.sealed(Stamp(at, "n")))
        try:
            call = exchange.send(waiting.pop(0))
        except StopIteration as end:
            assert not waiting, "the exchange ended before it read every reply"
            return end.value, calls


def problem(exchange: Exchange[Any], *replies: HttpReply) -> PeerError:
    with pytest.raises(PeerError) as caught:
        drive(exchange, *replies)
    assert "s3cret" not in str(caught.value)
    return caught.value


def told(calls: list[HttpCall]) -> list[str]:
    return [f"{call.operation} {call.headers['Authorization'].split()[-1]}" for call in calls]


# --- when a token is asked for


def test_the_first_call_asks_for_a_token_and_later_ones_use_it() -> None:
    connector = oauth2()

    _, first = drive(connector.find("42"), token(), FOUND)
    document, second = drive(
        connector.create(erp_order()), answer({"erp_no": "SO-2"}, 201), at=NOON + timedelta(hours=0.9)
    )

    assert [call.operation for call in first] == ["ask_token", "find_order"]
    assert told(second) == ["create_order token-1"]
    assert document.erp_no == "SO-2"


@pytest.mark.parametrize(
    ("said", "seconds", "is_renewed"),
    [
        ({"expires_in": 3600}, 3569, False),
        ({"expires_in": 3600}, 3570, True),
        ({"expires_in": "3600"}, 3570, True),
        ({"expires_in": 20}, 9, False),
        ({"expires_in": 20}, 10, True),
        ({"expires_in": None}, 10**7, False),
        ({"expires_in": 0}, 10**7, False),
        ({"expires_in": "soon"}, 10**7, False),
        ({"expires_in": 10**30}, 10**7, False),
        ({"expires_in": True}, 10**7, False),
    ],
)
def test_a_token_is_renewed_before_it_runs_out_by_the_moment_of_sending(
    said: dict[str, Any], seconds: int, is_renewed: bool
) -> None:
    connector = oauth2()
    drive(connector.find("42"), token(**said), FOUND)
    replies = [token("token-2"), FOUND] if is_renewed else [FOUND]

    _, calls = drive(connector.find("42"), *replies, at=NOON + timedelta(seconds=seconds))

    assert told(calls)[-1] == f"find_order token-{2 if is_renewed else 1}"
    assert len(calls) == len(replies)


def test_a_call_that_is_answered_401_is_made_once_more_with_a_new_token() -> None:
    connector = oauth2()
    drive(connector.find("42"), token(), FOUND)

    document, calls = drive(connector.create(erp_order()), HttpReply(401), token("token-2"), answer({"erp_no": "SO-2"}))

    assert [call.operation for call in calls] == ["create_order", "ask_token", "create_order"]
    assert told(calls)[-1] == "create_order token-2"
    assert calls[0].body == calls[2].body
    assert document == ErpDocument("SO-2", "2026112200042")
    assert told(drive(connector.find("42"), FOUND)[1]) == ["find_order token-2"]


@pytest.mark.parametrize("at", [NOON - timedelta(days=3650), NOON + timedelta(minutes=50)])
def test_where_two_clocks_differ_the_erp_s_401_decides(at: datetime) -> None:
    """Ours was put back, or the ERP's runs ahead: the token looks good here and is not there."""
    connector = oauth2()
    drive(connector.find("42"), token(), FOUND)

    _, calls = drive(connector.find("42"), HttpReply(401), token("token-2"), FOUND, at=at)

    assert told(calls)[-1] == "find_order token-2"


def test_a_second_401_is_the_end_and_no_third_token_is_asked_for() -> None:
    connector = oauth2()
    drive(connector.find("42"), token(), FOUND)

    found = problem(connector.find("42"), HttpReply(401), token("token-2"), HttpReply(401))

    assert (type(found), found.code) == (AuthError, "generic_rest.order.auth")


def test_a_new_token_that_is_refused_at_once_is_not_renewed() -> None:
    assert problem(oauth2().create(erp_order()), token(), HttpReply(401)).code == "generic_rest.order.auth"


@pytest.mark.parametrize(
    "ask",
    [
        lambda connector: connector.cancel(ErpDocument("SO-1", "42")),
        lambda connector: connector.read_stock(None),
        lambda connector: connector.find("42"),
    ],
)
def test_every_operation_renews_its_token_once(ask: Callable[[GenericRestErp], Exchange[Any]]) -> None:
    connector = oauth2(stock_page_param="")
    drive(connector.find("42"), token(), FOUND)
    good = answer({"order_id": "42", "erp_no": "SO-1", "stock": []})

    _, calls = drive(ask(connector), HttpReply(401), token("token-2"), good)

    assert [call.operation for call in calls].count("ask_token") == 1


def test_each_connector_holds_its_own_token() -> None:
    drive(oauth2().find("42"), token(), FOUND)

    assert [call.operation for call in drive(oauth2().find("42"), token(), FOUND)[1]] == ["ask_token", "find_order"]


def test_a_403_is_no_matter_of_the_token() -> None:
    connector = oauth2()
    drive(connector.find("42"), token(), FOUND)

    assert isinstance(problem(connector.find("42"), HttpReply(403)), AuthError)


# --- what is asked, and what no record may show


def test_the_question_is_that_of_rfc_6749() -> None:
    _, [question, call] = drive(oauth2(scope="orders stock").find("42"), token(), FOUND)

    assert (question.method, question.url) == ("POST", OAUTH2["token_url"])
    assert question.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert parse_qs(question.body.decode()) == {"grant_type": ["client_credentials"], "scope": ["orders stock"]}
    scheme, encoded = question.headers["Authorization"].split()
    assert (scheme, b64decode(encoded)) == ("Basic", b"ecsync:s3cret+client")
    assert not question.changes_peer
    assert {"s3cret client", "s3cret+client", encoded} <= set(question.secrets)
    assert call.secrets == ("token-1",)


def test_client_and_secret_may_stand_in_the_body() -> None:
    _, [question, _] = drive(oauth2(client_auth="body").find("42"), token(), FOUND)

    assert "Authorization" not in question.headers
    assert parse_qs(question.body.decode())["client_secret"] == ["s3cret client"]
    assert {"s3cret client", "s3cret+client"} <= set(question.secrets)


# --- what may come for a token


@pytest.mark.parametrize(
    ("reply", "error", "word"),
    [
        (answer({"error": "invalid_client"}, 401), AuthError, "refused"),
        (answer({"error": "invalid_scope"}, 400), AuthError, "refused"),
        (HttpReply(404, body=b"nothing here"), AuthError, "refused"),
        (HttpReply(302), AuthError, "refused"),
        (answer({"error": "invalid_client"}), AuthError, "refused"),
        (answer({"access_token": ""}), AuthError, "refused"),
        (answer({"access_token": 7}), AuthError, "refused"),
        (answer({"access_token": "two words"}), AuthError, "refused"),
        (answer({"access_token": "a\r\nHost: evil"}), AuthError, "refused"),
        (answer(["token"]), AuthError, "refused"),
        (HttpReply(200, body=b"<html>login</html>"), TransientError, "garbled"),
        (HttpReply(200, body=b'{"access_token": "tok'), TransientError, "garbled"),
        (HttpReply(502, body=b"<html>bad gateway</html>"), TransientError, "server_error"),
        (HttpReply(503), TransientError, "unavailable"),
        (HttpReply(429), TransientError, "unavailable"),
    ],
    ids=str,
)
def test_without_a_token_nothing_is_sent_to_the_erp(reply: HttpReply, error: type[PeerError], word: str) -> None:
    found = problem(oauth2().create(erp_order()), reply)

    assert (type(found), found.code) == (error, f"generic_rest.token.{word}")


def test_an_answer_with_half_a_token_is_shown_nowhere() -> None:
    found = problem(oauth2().find("42"), HttpReply(200, body=b'{"access_token": "half-a-tok'))

    assert "half-a-tok" not in str(found)


def test_a_push_whose_answer_is_lost_after_the_new_token_is_uncertain_as_ever() -> None:
    exchange = oauth2().create(erp_order())
    next(exchange).sealed(Stamp(NOON, "n"))
    exchange.send(token())

    with pytest.raises(UncertainError):
        exchange.throw(UncertainError("generic_rest.create_order.timeout", "No complete answer"))


# --- settings


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"token_url": ""}, "token_url, client_id and client_secret"),
        ({"client_secret": ""}, "token_url, client_id and client_secret"),
        ({"token_url": "http://login.example.com/token"}, "https://"),
        ({"token_url": "https://u:p@login.example.com/token"}, "bare address"),
        ({"token_url": "login.example.com/token"}, "https://"),
        ({"client_auth": "jwt"}, "must be one of basic, body"),
        ({"client_secret": "a\nb"}, "line break"),
    ],
)
def test_settings_that_cannot_be_right_are_refused_at_start(settings: dict[str, str], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        oauth2(**settings)


def test_a_fixed_token_needs_none_of_this() -> None:
    _, [call] = drive(erp().find("42"), FOUND)

    assert told([call]) == [f"find_order {BASE['token']}"]
    assert json.loads(FOUND.body)
