"""SAP's number by a look-up, and an order cancelled: only what SAP itself says counts."""

from __future__ import annotations

import json
from xml.etree import ElementTree

import pytest

from mappings.erps.sap_pi.lookup import read_ordrsp
from mappings.erps.sap_pi.xml_reply import read_xml
from mappings.errors import AuthError, PeerError, PermanentError, TransientError, UncertainError
from mappings.model import ErpDocument
from mappings.wire import HttpReply
from tests.contract.erps.sap_pi.cases import (
    CANCEL,
    FIND,
    HTTP,
    PROXY_200,
    PROXY_502,
    SN,
    SOAP,
    TAKEN,
    document,
    erp,
    failure,
    fault,
    fields_of,
    ordrsp,
    run,
)

NUMBER = "0000012345"


def json_reply(value: object, status: int = 200) -> HttpReply:
    return HttpReply(status, body=json.dumps(value).encode())


def found(reply: HttpReply, **settings: str) -> ErpDocument | None:
    result, [call] = run(erp(SOAP, **{**FIND, **settings}).find(SN), reply)
    assert not call.changes_peer
    return result


def test_the_look_up_is_a_read_at_the_configured_address() -> None:
    _, [call] = run(erp(SOAP, find_url="https://pi.example.com/x?ref={external_ref}&f=j").find("a/b 1"), HttpReply(204))

    assert (call.method, call.url) == ("GET", "https://pi.example.com/x?ref=a%2Fb%201&f=j")
    assert call.headers["Authorization"].startswith("Basic ")
    assert "s3cret-word" in call.secrets


@pytest.mark.parametrize(
    "reply",
    [
        ordrsp((SN, NUMBER, NUMBER)),
        ordrsp((SN, NUMBER, SN)),
        ordrsp((SN, "", NUMBER)),
        ordrsp(("other", "9", "9"), (SN, NUMBER, "")),
        ordrsp((SN, NUMBER, ""), (SN, NUMBER, "")),
        ordrsp((SN, NUMBER, ""), root="ORDRSP"),
        json_reply({"order_id": SN, "erp_no": NUMBER}),
        json_reply([{"order_id": SN, "erp_no": NUMBER}]),
        json_reply([{"order_id": "other", "erp_no": "9"}, {"order_id": SN, "erp_no": NUMBER}]),
        json_reply({"order_id": int(SN), "erp_no": NUMBER}),
    ],
)
def test_sap_s_number_is_what_stands_beside_our_own(reply: HttpReply) -> None:
    assert found(reply) == ErpDocument(NUMBER, SN, adopted=True)


def test_json_may_call_its_fields_otherwise() -> None:
    reply = json_reply({"PurchNoC": SN, "VBELN": NUMBER})

    assert found(reply, find_ref_field="PurchNoC", find_erp_no_field="VBELN") == ErpDocument(NUMBER, SN, adopted=True)


@pytest.mark.parametrize("reply", [ordrsp((SN, "", SN)), json_reply({"order_id": SN, "erp_no": None})])
def test_an_order_without_number_is_there_and_waits(reply: HttpReply) -> None:
    assert found(reply) == ErpDocument("", SN, adopted=True)


@pytest.mark.parametrize(
    "reply",
    [
        HttpReply(204),
        HttpReply(200),
        HttpReply(404),
        json_reply({"error": "not_found"}, 404),
        json_reply([]),
        json_reply({}),
        json_reply(None),
        ordrsp(),
        HttpReply(200, body=b"<ORDRSP/>"),
    ],
)
def test_none_yet_is_none(reply: HttpReply) -> None:
    assert found(reply) is None


@pytest.mark.parametrize(
    "reply",
    [
        ordrsp(("other", NUMBER, NUMBER)),
        json_reply({"order_id": "other", "erp_no": NUMBER}),
        json_reply({"erp_no": NUMBER}),
        json_reply({"data": []}),
        json_reply(["x"]),
        json_reply("x"),
        json_reply(7),
    ],
)
def test_an_answer_about_something_else_is_neither_adopted_nor_taken_for_none(reply: HttpReply) -> None:
    problem = failure(erp(SOAP, **FIND).find(SN), reply)

    assert (type(problem), problem.code) == (PermanentError, "sap_pi.find.found_other")


@pytest.mark.parametrize(
    "reply",
    [
        ordrsp((SN, "1", ""), (SN, "2", "")),
        json_reply([{"order_id": SN, "erp_no": "1"}, {"order_id": SN, "erp_no": "2"}]),
    ],
)
def test_an_order_that_sap_holds_twice_is_for_a_person(reply: HttpReply) -> None:
    problem = failure(erp(HTTP, **FIND).find(SN), reply)

    assert (type(problem), problem.code, problem.peer_text) == (PermanentError, "sap_pi.find.found_twice", "1, 2")


def test_an_ordrsp_is_read_whatever_its_prefixes() -> None:
    body = (
        b"<n0:ORDRSP xmlns:n0='urn:x'><n0:IDOC><n0:E1EDK01><n0:BELNR>5</n0:BELNR></n0:E1EDK01><n0:E1EDK02><n0:QUALF>"
        b"001</n0:QUALF><n0:BELNR> A&amp;1 </n0:BELNR></n0:E1EDK02></n0:IDOC></n0:ORDRSP>"
    )

    assert read_ordrsp(read_xml(body)) == [("A&1", "5")]


@pytest.mark.parametrize(
    ("reply", "error", "code"),
    [
        (PROXY_200, TransientError, "garbled"),
        (PROXY_502, TransientError, "server_error"),
        (HttpReply(404, body=b"<html><body>Not Found</body></html>"), PermanentError, "refused"),
        (HttpReply(200, body=b'{"order_id": "2026'), TransientError, "garbled"),
        (HttpReply(200, body=b"<ORDRSP><IDOC>"), TransientError, "garbled"),
        (HttpReply(200, body="订单不存在".encode("gbk")), TransientError, "garbled"),
        (HttpReply(503, {"retry-after": "9"}), TransientError, "unavailable"),
        (HttpReply(401, body=b"<html/>"), AuthError, "auth"),
        (HttpReply(403), AuthError, "auth"),
        (fault("ADAPTER.JAVA_EXCEPTION", "busy"), TransientError, "system_error"),
        (fault("ADAPTER.JAVA_EXCEPTION", "MappingException", 200), PermanentError, "mapping_failed"),
    ],
)
def test_a_look_up_that_fails_is_never_uncertain(reply: HttpReply, error: type[PeerError], code: str) -> None:
    problem = failure(erp(SOAP, **FIND).find(SN), reply)

    assert (type(problem), problem.code) == (error, f"sap_pi.find.{code}")


# --- cancelling


def test_without_an_address_for_it_a_person_cancels_and_is_told_how() -> None:
    problem = failure(erp().cancel(document(NUMBER)))

    assert (type(problem), problem.code) == (PermanentError, "sap_pi.cancel.cannot_cancel")
    assert "VA02" in problem.message
    assert SN in problem.message


def test_a_cancel_is_an_ordchg_that_names_both_numbers() -> None:
    _, [call] = run(erp(SOAP, **CANCEL).cancel(document(NUMBER)), json_reply({"status": "cancelled"}))
    idoc = ElementTree.fromstring(call.body)[0]

    assert (call.operation, call.method, call.url) == ("cancel_order", "POST", CANCEL["cancel_url"])
    assert fields_of(idoc, "EDI_DC40")["MESTYP"] == "ORDCHG"
    assert fields_of(idoc, "E1EDK01") == {"ACTION": "003", "BELNR": SN}
    assert fields_of(idoc, "E1EDK02", QUALF="001")["BELNR"] == SN
    assert fields_of(idoc, "E1EDK02", QUALF="002")["BELNR"] == NUMBER


def test_a_cancel_names_no_number_that_nobody_knows() -> None:
    _, [call] = run(erp(SOAP, **CANCEL).cancel(document()), json_reply({"status": "Cancelled"}, 409))

    assert len(list(ElementTree.fromstring(call.body).iter("E1EDK02"))) == 1


def test_the_word_for_cancelled_is_a_setting() -> None:
    connector = erp(SOAP, **CANCEL, cancel_field="RESULT", cancelled_word="S")

    run(connector.cancel(document()), json_reply({"RESULT": "S"}))
    assert (
        failure(connector.cancel(document()), json_reply({"status": "cancelled"})).code == "sap_pi.cancel.only_accepted"
    )


@pytest.mark.parametrize(
    ("reply", "error", "code"),
    [
        (HttpReply(202), PermanentError, "only_accepted"),
        (HttpReply(200), PermanentError, "only_accepted"),
        (TAKEN, PermanentError, "only_accepted"),
        (json_reply({"status": "open"}), PermanentError, "only_accepted"),
        (json_reply([1]), UncertainError, "garbled"),
        (json_reply({"status": "delivered"}, 409), PermanentError, "too_late"),
        (HttpReply(404), PermanentError, "not_found"),
        (HttpReply(401), AuthError, "auth"),
        (HttpReply(503), TransientError, "unavailable"),
        (fault("ADAPTER.JAVA_EXCEPTION", "MappingException"), PermanentError, "mapping_failed"),
    ],
)
def test_that_pi_took_the_wish_is_no_cancel(reply: HttpReply, error: type[PeerError], code: str) -> None:
    problem = failure(erp(SOAP, **CANCEL).cancel(document(NUMBER)), reply)

    assert (type(problem), problem.code) == (error, f"sap_pi.cancel.{code}")


def test_a_cancel_whose_answer_was_cut_by_a_proxy_is_uncertain() -> None:
    problem = failure(erp(SOAP, **CANCEL).cancel(document(NUMBER)), PROXY_502)

    assert problem.outcome == "uncertain"
    assert problem.code == "sap_pi.cancel.server_error"
