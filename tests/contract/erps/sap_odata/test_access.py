"""How SAP lets a call in: tokens that go stale, cookies that go with them, OAuth 2, and secrets that nobody records."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable
from typing import Any

import pytest

from mappings.erps.sap_odata import SapOdataErp
from mappings.errors import AuthError, TransientError, UncertainError
from mappings.model import ErpDocument
from mappings.wire import Exchange, HttpReply
from tests.contract.erps.hands import SN, configured, erp_order, failure, run, said
from tests.contract.erps.sap_odata.hands import (
    BASE,
    HOST,
    NOTHING_FOUND,
    SESSION,
    STALE,
    TOKEN,
    asked,
    erp,
    fresh_token,
    opened,
    replied,
)

OAUTH = {
    "auth": "oauth",
    "token_url": "https://login.example.com/token",
    "client_id": "ec",
    "client_secret": "c-secret",
}
BEARER = said({"access_token": "bearer-one", "token_type": "Bearer", "expires_in": 3600})
SECOND_BEARER = said({"access_token": "bearer-two"})
UNAUTHORISED = HttpReply(401, {}, b"<html>Logon failed</html>")


def test_a_look_up_brings_the_token_so_that_the_create_after_it_is_one_call() -> None:
    connector = erp()
    _, [find] = run(connector.find(SN), replied("look_up_before", token=TOKEN))
    _, [create] = run(connector.create(erp_order()), replied("create"))

    assert (find.headers["x-csrf-token"], create.headers["x-csrf-token"]) == ("fetch", TOKEN)
    assert create.headers["Cookie"] == f"SAP_SESSIONID_S4H_100={SESSION}"


def test_a_session_is_kept_so_that_sap_opens_no_new_one_for_every_call() -> None:
    connector = opened()
    _, [find] = run(connector.find(SN), NOTHING_FOUND)
    _, [stock] = run(connector.read_stock(None), NOTHING_FOUND)

    assert find.headers["Cookie"] == stock.headers["Cookie"] == f"SAP_SESSIONID_S4H_100={SESSION}"
    assert "x-csrf-token" not in find.headers


def test_another_session_makes_the_token_of_the_old_one_worthless() -> None:
    connector = opened()
    run(connector.find(SN), HttpReply(200, {}, NOTHING_FOUND.body, {"SAP_SESSIONID_S4H_100": "e" * 32}))
    _, calls = run(connector.create(erp_order()), fresh_token(), replied("create"))

    assert [call.operation for call in calls] == ["fetch_token", "create_order"]


def test_a_stale_token_is_fetched_anew_once_and_the_create_is_replayed() -> None:
    document, [stale, fetch, create] = run(opened().create(erp_order()), STALE, fresh_token(), replied("create"))

    assert document.erp_no == "100001"
    assert stale.headers["x-csrf-token"] == TOKEN
    assert "Cookie" not in fetch.headers, "the old session is forgotten with its token"
    assert create.headers["x-csrf-token"] == "another-token"
    assert (create.method, create.body) == ("POST", stale.body)


def test_a_token_that_is_refused_twice_stops_the_peer_instead_of_going_round() -> None:
    error = failure(opened().create(erp_order()), STALE, fresh_token(), STALE)

    assert (type(error), error.code) == (AuthError, "sap_odata.order.csrf_refused")


@pytest.mark.parametrize("headers", [{}, {"x-csrf-token": "Required"}, {"x-csrf-token": ""}])
def test_no_token_no_create(headers: dict[str, str]) -> None:
    error = failure(erp().create(erp_order()), HttpReply(200, headers, b"{}"))

    assert (type(error), error.code) == (AuthError, "sap_odata.order.csrf_missing")


def test_a_missing_authorization_is_no_stale_token() -> None:
    error = failure(opened().create(erp_order()), HttpReply(403, {}, b"<html>Forbidden</html>"))

    assert type(error) is AuthError


@pytest.mark.parametrize(
    ("reply", "kind"),
    [(HttpReply(503, {"retry-after": "9"}), TransientError), (HttpReply(500, {}, b"<html>"), TransientError)],
)
def test_while_the_token_cannot_be_fetched_nothing_has_happened(reply: HttpReply, kind: type[Exception]) -> None:
    assert type(failure(erp().create(erp_order()), reply)) is kind


def test_the_client_is_part_of_every_address_or_of_none() -> None:
    _, calls = run(erp().create(erp_order()), fresh_token(), replied("create"))
    _, [find] = run(erp(sap_client="").find(SN), NOTHING_FOUND)

    assert [asked(call).options["sap-client"] for call in calls] == ["100", "100"]
    assert "sap-client" not in asked(find).options


def test_basic_sends_user_and_password_and_no_record_shows_what_opens_the_door() -> None:
    _, [create] = run(opened().create(erp_order()), replied("create"))
    scheme, encoded = create.headers["Authorization"].split()

    assert (scheme, b64decode(encoded).decode()) == ("Basic", "ECSHOP:s3cret-Pass")
    assert {"s3cret-Pass", encoded, TOKEN, SESSION} <= set(create.secrets)
    assert "sap-client=100" not in create.secrets, "the client is no secret, and every address holds it"
    assert "s3cret" not in repr(create.url)


# --- OAuth 2


def by_oauth(**settings: str) -> SapOdataErp:
    plain = {name: text for name, text in BASE.items() if name not in ("username", "password")}
    return configured(SapOdataErp, **{**plain, **OAUTH, **settings})


def test_client_credentials_are_asked_for_once_and_the_bearer_is_kept() -> None:
    connector = by_oauth()
    _, [token, find] = run(connector.find(SN), BEARER, NOTHING_FOUND)
    _, [again] = run(connector.find(SN), NOTHING_FOUND)

    assert (token.method, token.url, token.body) == (
        "POST",
        "https://login.example.com/token",
        b"grant_type=client_credentials",
    )
    assert b64decode(token.headers["Authorization"].split()[1]).decode() == "ec:c-secret"
    assert "c-secret" in token.secrets
    assert find.headers["Authorization"] == again.headers["Authorization"] == "Bearer bearer-one"
    assert "bearer-one" in find.secrets


def test_a_bearer_that_has_run_out_is_renewed_once_and_the_call_is_made_again() -> None:
    connector = by_oauth()
    run(connector.find(SN), BEARER, replied("look_up_before", token=TOKEN))
    document, [_, renewed, create] = run(connector.create(erp_order()), UNAUTHORISED, SECOND_BEARER, replied("create"))

    assert renewed.operation == "fetch_bearer"
    assert create.headers["Authorization"] == "Bearer bearer-two"
    assert document.erp_no == "100001"


def test_a_second_401_is_the_end_of_it() -> None:
    error = failure(by_oauth().find(SN), BEARER, UNAUTHORISED, SECOND_BEARER, UNAUTHORISED)

    assert type(error) is AuthError


@pytest.mark.parametrize(
    "ask",
    [
        lambda connector: connector.create(erp_order()),
        lambda connector: connector.find(SN),
        lambda connector: connector.cancel(ErpDocument("100001", SN)),
        lambda connector: connector.read_stock(None),
    ],
    ids=["create", "find", "cancel", "stock"],
)
def test_no_operation_asks_for_a_third_bearer(ask: Callable[[SapOdataErp], Exchange[Any]]) -> None:
    connector = by_oauth()
    run(connector.find(SN), BEARER, replied("look_up_before", token=TOKEN))

    assert type(failure(ask(connector), UNAUTHORISED, SECOND_BEARER, UNAUTHORISED)) is AuthError


@pytest.mark.parametrize("seconds", [0, -1, 1, "3600", None, 10**12])
def test_whichever_clock_is_wrong_a_bearer_is_good_until_sap_refuses_it(seconds: Any) -> None:
    connector = by_oauth()
    run(connector.find(SN), said({"access_token": "bearer-one", "expires_in": seconds}), NOTHING_FOUND)
    _, calls = run(connector.find(SN), NOTHING_FOUND)
    _, refused = run(connector.find(SN), UNAUTHORISED, SECOND_BEARER, NOTHING_FOUND)

    assert [call.operation for call in calls] == ["find_order"]
    assert [call.operation for call in refused] == ["find_order", "fetch_bearer", "find_order"]


def test_with_basic_a_401_is_never_tried_again() -> None:
    assert type(failure(erp().find(SN), UNAUTHORISED)) is AuthError


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (said({"error": "invalid_client"}, 401), "refused"),
        (said({"error": "invalid_client"}, 400), "refused"),
        (said({"token": "x"}), "missing"),
        (said({"access_token": ""}), "missing"),
    ],
)
def test_a_token_s_address_that_gives_none_stops_the_peer(reply: HttpReply, code: str) -> None:
    error = failure(by_oauth().find(SN), reply)

    assert (type(error), error.code) == (AuthError, f"sap_odata.token.{code}")


@pytest.mark.parametrize("reply", [HttpReply(200, {}, b"<html>"), HttpReply(503), HttpReply(502, {}, b"<html>")])
def test_a_token_s_address_that_is_away_is_tried_again(reply: HttpReply) -> None:
    assert type(failure(by_oauth().create(erp_order()), reply)) is TransientError


# --- settings


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"password": ""}, "username and password"),
        ({**OAUTH, "client_secret": ""}, "token_url, client_id and client_secret"),
        ({"note_text_id": "TX01", "address_text_id": "tx01"}, "must differ"),
        ({"sap_client": "1"}, "three digits"),
        ({"sales_organization": "10100"}, "at most 4 characters"),
        ({"order_path": "sap"}, "must start with /"),
        ({"stock_places": "1010/"}, "PLANT or PLANT/LOCATION"),
        ({"header_fields": "ExternalDocumentID=1"}, "set by SAP alone"),
        ({"header_fields": "Colour=red"}, "no property Colour"),
        ({"header_fields": "to_Text=x"}, "no single value"),
        ({"header_fields": "SoldToParty=1"}, "setting of its own"),
        ({"item_fields": "ProductionPlant=1010"}, "setting of its own"),
        ({"item_fields": "SalesOrderItemCategory"}, "is not PROPERTY=VALUE"),
        ({"item_fields": "ShippingPoint=12345"}, "may have 4 characters"),
        ({"username": "a:b"}, "colon"),
        ({"missing_stock": "guess"}, "keep, zero"),
        ({"base_url": "http://s4.example.com"}, "https://"),
        ({"delivery_days": "-1"}, "whole number"),
        ({"order_type": ""}, "must not be empty"),
    ],
)
def test_a_setting_that_cannot_be_right_is_told_at_start(settings: dict[str, str], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        erp(**settings)


def test_the_settings_show_no_secret() -> None:
    shown: Any = repr(erp()._given)

    assert "s3cret" not in shown
    assert HOST in shown


def test_an_uncertain_create_is_not_looked_up_before_sap_can_have_committed_it() -> None:
    error = failure(opened(settle_s="45").create(erp_order()), HttpReply(502, {}, b"<html>"))

    assert isinstance(error, UncertainError)
    assert getattr(error, "retry_after_s", None) == 45
