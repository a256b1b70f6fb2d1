"""The cloud print label: asked for only where a template is set, made by SF, fetched as a file."""

from __future__ import annotations

import base64

import pytest

from mappings.carriers.sf import SfCarrier
from mappings.errors import AuthError, PeerError, PermanentError, TransientError
from mappings.wire import HttpReply
from tests.contract.sf.cases import NUMBER, ORDER_CODE, Talk, carrier, gateway, inner, message_of, service

PLACE = inner({"success": True, "obj": {"files": [{"url": "https://print.sf.example/1.pdf", "token": "t0k3n"}]}})
PDF = HttpReply(200, {"content-type": "application/pdf"}, b"%PDF-1.4 label")


def talk(*answers: HttpReply | PeerError) -> Talk:
    ours = carrier(print_template="fm_150_standard_TESTPID")
    return Talk(ours.fetch_label(waybill_no=NUMBER, order_code=ORDER_CODE), *answers)


def refusal(*answers: HttpReply | PeerError) -> PeerError:
    with pytest.raises(PeerError) as caught:
        talk(*answers)
    return caught.value


def test_without_a_template_no_label_is_wanted() -> None:
    assert not SfCarrier.spec.fetches_labels({})
    assert not SfCarrier.spec.fetches_labels({"print_template": ""})
    assert SfCarrier.spec.fetches_labels({"print_template": "fm_150_standard_TESTPID"})


def test_the_file_is_fetched_with_its_token_and_kept_as_pdf() -> None:
    told = talk(PLACE, PDF)
    printing, fetching = told.calls

    assert told.asked == ["print_label", "fetch_label"]
    assert message_of(printing)["templateCode"] == "fm_150_standard_TESTPID"
    assert message_of(printing)["documents"] == [{"masterWaybillNo": NUMBER}]
    assert (fetching.url, fetching.headers["X-Auth-token"]) == ("https://print.sf.example/1.pdf", "t0k3n")
    assert fetching.secrets == ("t0k3n",)
    assert not printing.changes_peer
    assert not fetching.changes_peer
    assert (told.result.kind, base64.b64decode(told.result.content)) == ("pdf", PDF.body)


def test_a_label_in_the_usual_place_of_an_answer_is_found_too() -> None:
    usual = service(obj={"files": [{"url": "https://print.sf.example/1.pdf"}]})
    assert talk(usual, PDF).result.kind == "pdf"


@pytest.mark.parametrize(
    ("answer", "error", "code"),
    [
        (gateway("A1099"), TransientError, "failed"),
        (service("8196"), TransientError, "reason_unknown"),
        (HttpReply(502, {}, b""), TransientError, "server_error"),
        (HttpReply(200, {}, b"<html>"), TransientError, "garbled"),
        (inner({"success": True}), TransientError, "address_missing"),
        (inner({"success": True, "obj": {"files": [None]}}), TransientError, "address_missing"),
        (
            inner({"success": True, "obj": {"files": [{"url": "http://x.example/1"}]}}),
            TransientError,
            "address_missing",
        ),
        (
            inner({"success": True, "obj": {"files": [{"url": "file:///etc/passwd"}]}}),
            TransientError,
            "address_missing",
        ),
        (service("S0002"), PermanentError, "field_missing"),
        (gateway("A1006"), AuthError, "signature_refused"),
    ],
    ids=range(10),
)
def test_a_label_that_sf_does_not_make_says_why(answer: HttpReply, error: type[PeerError], code: str) -> None:
    refused = refusal(answer)
    assert (type(refused), refused.code) == (error, f"sf.label.{code}")
    assert not refused.peer_is_well


def test_a_print_service_that_is_not_ours_leaves_sf_open_for_orders() -> None:
    refused = refusal(gateway("A1004"))
    assert (type(refused), refused.code, refused.peer_is_well) == (AuthError, "sf.label.service_not_allowed", True)


@pytest.mark.parametrize(
    ("answer", "error", "code"),
    [
        (HttpReply(403, {}, b""), AuthError, "sf.label.auth"),
        (HttpReply(404, {}, b""), PermanentError, "sf.label.refused"),
        (HttpReply(502, {}, b""), TransientError, "sf.label.server_error"),
        (HttpReply(200, {}, b"<html>login</html>"), TransientError, "sf.label.garbled"),
        (TransientError("sf.fetch_label.timeout", "no answer"), TransientError, "sf.fetch_label.timeout"),
    ],
    ids=range(5),
)
def test_a_file_that_cannot_be_had_is_no_word_against_sf(
    answer: HttpReply | PeerError, error: type[PeerError], code: str
) -> None:
    refused = refusal(PLACE, answer)
    assert (type(refused), refused.code, refused.peer_is_well) == (error, code, True)
