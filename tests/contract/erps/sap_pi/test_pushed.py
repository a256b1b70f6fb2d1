"""SAP's number as PI tells it by itself: an ORDRSP that names our number and SAP's, and nothing else."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from mappings.connector import CallbackRefused
from mappings.erps.sap_pi import SapPiErp
from mappings.model import ErpDocument
from tests.contract.erps.sap_pi.cases import FIND, HTTP, PROXY_200, REST, SN, SOAP, SOAP_ENVELOPE, erp, fault, ordrsp

NUMBER = "0000012345"
TOLD = (ErpDocument(NUMBER, SN, adopted=True),)
BARE = ordrsp((SN, NUMBER, NUMBER)).text().partition("?>")[2]


@pytest.mark.parametrize(
    "body",
    [
        ordrsp((SN, NUMBER, NUMBER)).body,
        SOAP_ENVELOPE.format(f"<SOAP:Body>{BARE}</SOAP:Body>").encode(),
        json.dumps({"order_id": SN, "erp_no": NUMBER}).encode(),
        ordrsp((SN, NUMBER, ""), (SN + "9", "", SN + "9")).body,
    ],
    ids=["bare", "in an envelope", "JSON", "beside one without a number"],
)
def test_an_ordrsp_tells_our_number_and_sap_s(body: bytes) -> None:
    erp(HTTP).verify_callback(body, "text/xml")
    assert erp(HTTP).read_numbers(body, "text/xml") == TOLD


def test_one_push_may_tell_of_several_orders() -> None:
    told = erp(HTTP).read_numbers(ordrsp((SN, "1", ""), ("another", "2", "")).body, "")

    assert [(document.external_ref, document.erp_no) for document in told] == [(SN, "1"), ("another", "2")]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[1]",
        b"<ORDRSP/>",
        b"<ORDERS05><IDOC>",
        PROXY_200.body,
        fault("GENERAL", "?").body,
        ordrsp(("", NUMBER, NUMBER)).body,
        ordrsp((SN, "", SN)).body,
        ordrsp((SN, NUMBER, "")).body.decode().replace("<ORDERS05>", "<!DOCTYPE x><ORDERS05>").encode(),
        json.dumps({"order_id": SN, "erp_no": "订单"}, ensure_ascii=False).encode("gbk"),
    ],
)
def test_what_names_no_number_of_an_order_is_refused(body: bytes) -> None:
    with pytest.raises(CallbackRefused):
        erp(HTTP).verify_callback(body, "text/xml")


def test_pi_is_answered_so_that_its_monitor_says_why() -> None:
    now = datetime(2026, 11, 22, tzinfo=UTC)
    good, bad = erp().callback_reply(ok=True, reason="", now=now), erp().callback_reply(ok=False, reason="no", now=now)

    assert (good.status, good.body, bad.status, bad.body) == (200, b"", 400, b"no")


@pytest.mark.parametrize(
    ("base", "settings", "told"),
    [
        (HTTP, {}, False),
        (HTTP, {"ordrsp_pushed": "1"}, True),
        (SOAP, {"ordrsp_pushed": "1"}, False),
        (REST, {"ordrsp_pushed": "1", "duplicate_check": "1"}, True),
        (SOAP, FIND, True),
    ],
    ids=["nobody tells", "http", "soap, a look-up would hand it to a person", "rest that drops repeats", "a look-up"],
)
def test_a_number_is_waited_for_where_it_can_come(base: dict[str, str], settings: dict[str, str], told: bool) -> None:
    parse = {setting.name: setting.parse for setting in SapPiErp.spec.settings}
    config = {name: parse[name](text) for name, text in {**base, **settings}.items()}

    assert SapPiErp.spec.tells_numbers(config) is told
    assert SapPiErp.spec.pushes_numbers(config) is ("ordrsp_pushed" in settings)
