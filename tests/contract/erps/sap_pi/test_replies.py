"""What PI's answers to an order mean: at best that it keeps the message."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from mappings.errors import (
    AuthError,
    PeerError,
    PermanentError,
    TransientError,
    UncertainError,
    UndecidedError,
    UnmappedError,
)
from mappings.model import ErpDocument
from mappings.wire import HttpReply
from tests.contract.erps.sap_pi.cases import (
    FIND,
    HTTP,
    REST,
    SENDERS,
    SN,
    SOAP,
    SOAP_ENVELOPE,
    TAKEN,
    erp,
    erp_order,
    failure,
    fault,
    run,
    sap_error,
)

ROUTING = "com.sap.aii.adapter.xi.routing.RoutingException: InterfaceDetermination did not yield any actual interface"
MAPPING = "com.sap.aii.mapping.api.StreamTransformationException: cannot map E1EDP01"
CHANNEL = "Channel :BC_ECSHOP:SOAP_ORDERS not found"
RIGHTS = "User ecsync is not authorized for the sender interface"
IDOC = "IDOC_ADAPTER: ATTRIBUTE_IDOC_RUNTIME, partner profile is missing"


def json_reply(value: object, status: int = 200) -> HttpReply:
    return HttpReply(status, body=json.dumps(value, ensure_ascii=False).encode())


@pytest.mark.parametrize(
    ("sender", "reply"),
    [
        ("soap", TAKEN),
        ("soap", HttpReply(200)),
        ("soap", HttpReply(202)),
        ("http", HttpReply(200)),
        ("http", HttpReply(202, body=b"\n")),
        ("rest", HttpReply(202)),
        ("rest", json_reply({})),
        ("rest", json_reply({"message": "queued"}, 202)),
        ("rest", TAKEN),
    ],
)
def test_an_answer_without_refusal_says_accepted_and_no_number(sender: str, reply: HttpReply) -> None:
    document, calls = run(erp(SENDERS[sender]).create(erp_order()), reply)

    assert document == ErpDocument("", SN)
    assert [call.operation for call in calls] == ["create_order"]


def test_a_rest_channel_that_works_at_once_may_say_the_number() -> None:
    document, _ = run(erp(REST, find_erp_no_field="vbeln").create(erp_order()), json_reply({"vbeln": "0000012345"}))

    assert document.erp_no == "0000012345"


# --- refusals


@pytest.mark.parametrize("sender", SENDERS)
@pytest.mark.parametrize("status", [200, 500])
@pytest.mark.parametrize(
    ("code", "text", "error", "word"),
    [
        ("ADAPTER.SOAP_EXCEPTION", "soap fault: Server error", TransientError, "system_error"),
        ("ADAPTER.JAVA_EXCEPTION", "some content", TransientError, "system_error"),
        ("ADAPTER.JAVA_EXCEPTION", ROUTING, PermanentError, "routing_missing"),
        ("ADAPTER.JAVA_EXCEPTION", MAPPING, PermanentError, "mapping_failed"),
        ("ADAPTER.SOAP_EXCEPTION", CHANNEL, PermanentError, "channel_closed"),
        ("ADAPTER.JAVA_EXCEPTION", RIGHTS, AuthError, "auth"),
        ("ADAPTER.JAVA_EXCEPTION", IDOC, PermanentError, "idoc_refused"),
        ("XMS.NEW_ONE", "a word nobody knows", UnmappedError, "result_unmapped"),
    ],
)
def test_a_system_fault_is_judged_by_its_words_then_by_its_code(
    sender: str, status: int, code: str, text: str, error: type[PeerError], word: str
) -> None:
    problem = failure(erp(SENDERS[sender]).create(erp_order()), fault(code, text, status))

    assert type(problem) is error
    assert problem.code == f"sap_pi.order.{word}"
    assert text in problem.peer_text


def test_a_code_nobody_mapped_names_the_line_to_add() -> None:
    problem = failure(erp().create(erp_order()), fault("XMS.NEW_ONE", "?"))

    assert 'mappings/erps/sap_pi/results.toml under [result]: "XMS.NEW_ONE" = { class = "…" }' in problem.message


@pytest.mark.parametrize(
    ("reply", "error", "code"),
    [
        (sap_error("XIServer", "GENERAL", "queue is locked"), TransientError, "system_error"),
        (sap_error("XIServer", "GENERAL", "MAPPING failed"), PermanentError, "mapping_failed"),
        (sap_error("Application", "E", "Material ECS000000 is not maintained"), PermanentError, "application_fault"),
        (sap_error("XIServer", "NO_SUCH", "?"), UnmappedError, "result_unmapped"),
    ],
)
def test_an_error_of_the_integration_engine_is_judged_alike(
    reply: HttpReply, error: type[PeerError], code: str
) -> None:
    problem = failure(erp(HTTP).create(erp_order()), reply)

    assert (type(problem), problem.code) == (error, f"sap_pi.order.{code}")


def test_a_fault_of_the_application_is_for_a_person_with_its_own_words() -> None:
    inner = "<faultcode>SOAP:Client</faultcode><faultstring>Customer 10100001 is blocked</faultstring>"
    body = SOAP_ENVELOPE.format(f"<SOAP:Body><SOAP:Fault>{inner}</SOAP:Fault></SOAP:Body>").encode()
    problem = failure(erp().create(erp_order()), HttpReply(500, body=body))

    assert type(problem) is PermanentError
    assert problem.code == "sap_pi.order.application_fault"
    assert problem.peer_code == "SOAP:Client"
    assert "10100001 is blocked" in problem.peer_text


@pytest.mark.parametrize("name", ["error", "fault", "errors"])
def test_a_rest_channel_that_says_no_inside_a_200_has_not_taken_it(name: str) -> None:
    problem = failure(erp(REST).create(erp_order()), json_reply({name: {"message": "no such material"}}))

    assert (type(problem), problem.code) == (PermanentError, "sap_pi.order.rejected")
    assert "no such material" in problem.peer_text


@pytest.mark.parametrize(
    "reply",
    [
        HttpReply(500, body=b"com.sap...DuplicateMessageException: Message 98493616C939 already exists"),
        HttpReply(500, body=b"<html><body>Duplicate message ID</body></html>"),
        fault("ADAPTER.JAVA_EXCEPTION", "DuplicateMessageException: message was already received"),
        sap_error("XIServer", "GENERAL", "Message ID 9849 already known"),
    ],
)
def test_a_message_that_pi_holds_already_is_adopted(reply: HttpReply) -> None:
    document, _ = run(erp(HTTP).create(erp_order()), reply)

    assert document == ErpDocument("", SN, adopted=True)


# --- an answer that was lost

LOST = UncertainError("sap_pi.create_order.timeout", "No complete answer")


@pytest.mark.parametrize(
    "settings",
    [HTTP, {**SOAP, "duplicate_check": "1"}, {**REST, "duplicate_check": "1"}],
    ids=["http", "soap that drops repeats", "rest that drops repeats"],
)
def test_where_repeats_are_dropped_a_lost_order_is_sent_again_under_its_id(settings: dict[str, str]) -> None:
    connector = erp(settings)

    assert failure(connector.create(erp_order()), LOST) is LOST
    assert run(connector.find(SN)) == (None, [])
    _, [first] = run(connector.create(erp_order()), TAKEN)
    _, [again] = run(connector.create(erp_order()), TAKEN)
    assert first == again


@pytest.mark.parametrize("base", [SOAP, REST], ids=["soap", "rest"])
def test_where_they_are_not_and_nobody_can_be_asked_a_person_looks(base: dict[str, str]) -> None:
    connector = erp(base)
    assert failure(connector.create(erp_order()), LOST) is LOST
    problem = failure(connector.find(SN))

    assert (type(problem), problem.code) == (PermanentError, "sap_pi.order.outcome_unknown")
    for word in (SN, "VA05", "WE02", "FIND_URL", "DUPLICATE_CHECK"):
        assert word in problem.message


@pytest.mark.parametrize("lost", [lambda: LOST, lambda: HttpReply(502, body=b"<html/>")], ids=["no answer", "a page"])
def test_where_they_are_not_it_is_looked_up_once_sap_has_had_time(lost: Callable[[], HttpReply | PeerError]) -> None:
    problem = failure(erp(SOAP, **FIND, settle_s="120").create(erp_order()), lost())

    assert type(problem) is UndecidedError
    assert problem.retry_after_s == 120
    assert not problem.peer_is_well
