"""The cloud print label: asked for only where a template is set, and never at the cost of the waybill."""

from __future__ import annotations

import base64

import pytest

from mappings.errors import PeerError, TransientError
from mappings.wire import HttpReply
from tests.contract.sf.cases import NUMBER, Talk, a_request, carrier, gateway, inner, message_of, ordered, service

ISSUED = ordered(2, (1, NUMBER))
PLACE = inner({"success": True, "obj": {"files": [{"url": "https://print.sf.example/1.pdf", "token": "t0k3n"}]}})
PDF = HttpReply(200, {"content-type": "application/pdf"}, b"%PDF-1.4 label")


def talk(*answers: HttpReply | PeerError, template: str = "fm_150_standard_TESTPID") -> Talk:
    return Talk(carrier(print_template=template).book_waybill(a_request()), *answers)


def test_without_a_template_no_label_is_asked_for() -> None:
    told = talk(ISSUED, template="")
    assert (told.asked, told.result.label, told.result.label_problem) == (["book_waybill"], "", "")


def test_the_file_is_fetched_with_its_token_and_kept_as_pdf() -> None:
    told = talk(ISSUED, PLACE, PDF)
    printing, fetching = told.calls[1:]

    assert told.asked == ["book_waybill", "print_label", "fetch_label"]
    assert message_of(printing)["templateCode"] == "fm_150_standard_TESTPID"
    assert message_of(printing)["documents"] == [{"masterWaybillNo": NUMBER}]
    assert (fetching.url, fetching.headers["X-Auth-token"]) == ("https://print.sf.example/1.pdf", "t0k3n")
    assert fetching.secrets == ("t0k3n",)
    assert not printing.changes_peer
    assert not fetching.changes_peer
    assert (told.result.label_kind, base64.b64decode(told.result.label)) == ("pdf", PDF.body)


def test_a_label_in_the_usual_place_of_an_answer_is_found_too() -> None:
    usual = service(obj={"files": [{"url": "https://print.sf.example/1.pdf"}]})
    told = talk(ISSUED, usual, PDF)
    assert told.result.label_kind == "pdf"


@pytest.mark.parametrize(
    "answers",
    [
        (gateway("A1004"),),
        (gateway("A1099"),),
        (service("9999"),),
        (HttpReply(502, {}, b""),),
        (HttpReply(200, {}, b"<html>"),),
        (TransientError("sf.print_label.timeout", "no answer"),),
        (inner({"success": True}),),
        (inner({"success": True, "obj": {"files": [{"url": "http://print.sf.example/1.pdf"}]}}),),
        (inner({"success": True, "obj": {"files": [{"url": "file:///etc/passwd"}]}}),),
        (inner({"success": True, "obj": {"files": [None]}}),),
        (PLACE, HttpReply(403, {}, b"")),
        (PLACE, HttpReply(200, {}, b"<html>login</html>")),
        (PLACE, TransientError("sf.fetch_label.timeout", "no answer")),
    ],
    ids=range(13),
)
def test_whatever_goes_wrong_with_the_label_the_waybill_stands_and_says_so(
    answers: tuple[HttpReply | PeerError, ...],
) -> None:
    told = talk(ISSUED, *answers)
    assert told.is_over
    assert (told.result.waybill_no, told.result.label) == (NUMBER, "")
    assert told.result.label_problem
