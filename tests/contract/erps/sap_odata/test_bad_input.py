"""Every answer that SAP, a proxy or a bad line can give, for create, look-up, cancel and stock: the class of each."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from mappings.errors import AuthError, PeerError, PermanentError, TransientError, UncertainError
from mappings.model import ErpDocument
from mappings.wire import Exchange, HttpReply
from tests.contract.erps.hands import PROXY_200, PROXY_502, SN, erp_order, failure, run, said
from tests.contract.erps.sap_odata.hands import an_item, an_order, opened, refusal

TEXT = "Enter a value for SoldToParty"
ROW = {
    "SalesOrder": "100001",
    "PurchaseOrderByCustomer": SN,
    "note": "已建",
    "Material": "TEA",
    "InventoryStockType": "01",
    "MatlWrhsStkQtyInMatlBaseUnit": "1",
}
WHOLE = json.dumps({"d": {**ROW, "results": [ROW]}}, ensure_ascii=False)
"""A good answer to a create, a look-up and a question for stock: what is done to it is what makes it bad."""
CUT = WHOLE.encode()[: len(WHOLE) // 2]
REFUSED_IN_GBK = refusal("XY/999", "物料不存在").text().encode("gbk")

BAD: dict[str, tuple[HttpReply, type[PeerError], type[PeerError]]] = {
    "a failure inside a 200": (refusal("VP/112", TEXT, status=200), PermanentError, PermanentError),
    "a refusal": (refusal("VP/112", TEXT), PermanentError, PermanentError),
    "a login page with 200": (PROXY_200, UncertainError, TransientError),
    "a gateway's page with 502": (PROXY_502, UncertainError, TransientError),
    "a dispatcher's page with 404": (HttpReply(404, {}, b"<html>no server</html>"), TransientError, TransientError),
    "no JSON": (HttpReply(200, {}, b"\x00\xff}{"), UncertainError, TransientError),
    "a list": (HttpReply(200, {}, b"[1]"), UncertainError, TransientError),
    "half a body": (HttpReply(201, {}, CUT), UncertainError, TransientError),
    "half a character": (HttpReply(201, {}, WHOLE.encode()[:-1] + b"\xe5"), UncertainError, TransientError),
    "nothing": (HttpReply(200), UncertainError, TransientError),
    "GBK": (HttpReply(201, {}, WHOLE.encode("gbk")), UncertainError, TransientError),
    "UTF-16": (HttpReply(201, {}, WHOLE.encode("utf-16")), UncertainError, TransientError),
    "a refusal in GBK": (HttpReply(400, {}, REFUSED_IN_GBK), PermanentError, PermanentError),
    "a failure in GBK": (HttpReply(500, {}, REFUSED_IN_GBK), UncertainError, TransientError),
    "a redirect to a login": (HttpReply(302, {"location": "https://idp.example.com"}), PermanentError, PermanentError),
    "401": (HttpReply(401, {}, b"<html>Anmeldung fehlgeschlagen</html>"), AuthError, AuthError),
    "403 in an envelope": (refusal("/IWFND/CM_CONSUMER/403", "No authorization", status=403), AuthError, AuthError),
    "408": (HttpReply(408), TransientError, TransientError),
    "429": (HttpReply(429, {"retry-after": "7"}), TransientError, TransientError),
    "503": (HttpReply(503, {}, b"<html>Service cannot be reached</html>"), TransientError, TransientError),
    "503 in an envelope": (refusal("503", "busy", status=503), TransientError, TransientError),
    "500 in an envelope": (refusal("/IWBEP/CM_MGW_RT/021", "Exception", status=500), UncertainError, TransientError),
    "a short dump": (refusal("SY/530", "An exception was raised", status=500), UncertainError, TransientError),
    "a lock": (refusal("MC/601", "Object requested is currently locked"), TransientError, TransientError),
    "no such service": (refusal("/IWFND/MED/170", "No service found", status=404), PermanentError, PermanentError),
}  # fmt: skip


def creating() -> Exchange[Any]:
    return opened().create(erp_order())


def finding() -> Exchange[Any]:
    return opened().find(SN)


def reading_stock() -> Exchange[Any]:
    return opened().read_stock(None)


def cases(place: int) -> list[Any]:
    return [pytest.param(row[0], row[place], id=name) for name, row in BAD.items()]


@pytest.mark.parametrize(("reply", "kind"), cases(1))
def test_a_create_that_went_wrong(reply: HttpReply, kind: type[PeerError]) -> None:
    error = failure(creating(), reply)

    assert class_of(error) is kind
    assert error.code.startswith("sap_odata.order.")


@pytest.mark.parametrize("ask", [finding, reading_stock], ids=["find", "stock"])
@pytest.mark.parametrize(("reply", "kind"), cases(2))
def test_a_read_that_went_wrong_is_never_uncertain(
    ask: Callable[[], Exchange[Any]], reply: HttpReply, kind: type[PeerError]
) -> None:
    error = failure(ask(), reply)

    assert class_of(error) is kind
    assert error.code.startswith(("sap_odata.order.", "sap_odata.stock."))


@pytest.mark.parametrize(("reply", "kind"), cases(1))
def test_a_cancel_that_went_wrong(reply: HttpReply, kind: type[PeerError]) -> None:
    exchange = opened(rejection_reason="50").cancel(ErpDocument("100001", SN))
    if not reply.body and reply.status == 200:
        done = an_order([an_item("10", "50")])
        run(exchange, an_order([an_item("10")]), reply, done)  # SAP answers a change with nothing
        return
    error = failure(exchange, an_order([an_item("10")]), reply)

    assert class_of(error) is kind
    assert error.code.startswith("sap_odata.cancel.")


def class_of(error: PeerError) -> type[PeerError]:
    """The class that decides; a lost answer is uncertain with a time to wait."""
    return UncertainError if isinstance(error, UncertainError) else type(error)


def test_that_answer_is_good_until_something_is_done_to_it() -> None:
    for ask, told in ((creating, "100001"), (finding, "100001"), (reading_stock, "TEA")):
        assert told in str(run(ask(), HttpReply(200, {}, WHOLE.encode()))[0])
        assert told in str(run(ask(), HttpReply(200, {}, b"\xef\xbb\xbf" + WHOLE.encode()))[0]), (
            "with a byte order mark"
        )


# --- what is said stays


def test_the_details_of_a_refusal_are_walked_because_its_top_says_little() -> None:
    said_there = refusal(
        "SY/530",
        "An exception was raised",
        {"code": "V1/382", "message": "Material X-1 is not defined for sales org.1010", "severity": "error"},
        {"code": "V4/115", "message": {"lang": "en", "value": "Delivery block set"}, "severity": "warning"},
        {"code": "VP/112", "message": {"lang": "en", "value": TEXT}, "severity": "error"},
    )
    error = failure(creating(), said_there)

    assert (type(error), error.code) == (PermanentError, "sap_odata.order.material_unknown")
    assert error.peer_text == f"An exception was raised; Material X-1 is not defined for sales org.1010; {TEXT}"


@pytest.mark.parametrize(
    ("text", "kind", "word"),
    [
        ("Sold-to party 10100001 not maintained for sales area 1010 10 00", PermanentError, "customer_unknown"),
        ("Material TEA-01 does not exist", PermanentError, "material_unknown"),
        ("物料 TEA-01 不存在", PermanentError, "material_unknown"),
        ("Condition type PPR0 is not in procedure A17J01", PermanentError, "condition_refused"),
        ("Sales order is currently being processed by user SMITH", TransientError, "locked"),
        ("物料 TEA-01 被用户 SMITH 锁定", TransientError, "locked"),
        ("Property 'Colour' is invalid", PermanentError, "field_refused"),
        ("Credit limit exceeded", PermanentError, "rejected"),
    ],
)
def test_a_wording_that_is_known_says_what_to_do(text: str, kind: type[PeerError], word: str) -> None:
    error = failure(creating(), refusal("XY/999", text))

    assert (type(error), error.code) == (kind, f"sap_odata.order.{word}")


def test_a_lock_is_waited_for_longer_than_the_usual_retry() -> None:
    error = failure(creating(), refusal("MC/601", "locked"))

    assert isinstance(error, TransientError)
    assert error.retry_after_s == 60


def test_a_busy_sap_says_how_long_it_wants_to_be_left_alone() -> None:
    error = failure(creating(), HttpReply(429, {"retry-after": "7"}))

    assert isinstance(error, TransientError)
    assert error.retry_after_s == 7


@pytest.mark.parametrize(
    "answer",
    [
        *({"d": {}}, {"d": []}, {"value": 1}),
        *({"d": {"SalesOrder": number}} for number in ("", None, True, ["1"], "1" * 11)),
    ],
)
def test_a_success_without_a_number_is_looked_up_and_never_sent_again(answer: Any) -> None:
    assert isinstance(failure(creating(), said(answer, 201)), UncertainError)


@pytest.mark.parametrize("answer", [{"d": {}}, {"d": {"results": {}}}, {"d": {"results": [1]}}, {"results": []}])
def test_a_look_up_without_a_list_found_nothing_out(answer: Any) -> None:
    assert type(failure(finding(), said(answer))) is TransientError


def test_the_older_form_of_a_list_is_read_too() -> None:
    found, _ = run(finding(), said({"d": [{"SalesOrder": "7", "PurchaseOrderByCustomer": SN}]}))

    assert found == ErpDocument("7", SN, adopted=True)


# --- warnings of a success


@pytest.mark.parametrize(
    ("header", "remarks"),
    [
        ("", ()),
        (
            '{"code":"V4/115","message":"PO number exists","severity":"warning","details":'
            '[{"code":"V1/555","message":"Delivery date moved","severity":"info"}]}',
            ("V4/115 PO number exists", "V1/555 Delivery date moved"),
        ),
        ("<notification>old</notification>", ("<notification>old</notification>",)),
        ('["x"]', ('["x"]',)),
        ('{"code":"Z/1","message":"信用额度"}'.encode().decode("latin-1"), ("Z/1 信用额度",)),
    ],
)
def test_what_sap_remarks_on_an_order_that_it_took_is_kept(header: str, remarks: tuple[str, ...]) -> None:
    reply = HttpReply(201, {"sap-message": header}, b'{"d":{"SalesOrder":"100001"}}')
    document, _ = run(creating(), reply)

    assert document == ErpDocument("100001", SN, remarks=remarks)


# --- the look-up


def row(number: str, status: str = "A", reference: str = SN) -> dict[str, str]:
    return {"SalesOrder": number, "PurchaseOrderByCustomer": reference, "OverallSDDocumentRejectionSts": status}


def look_up(*rows: dict[str, str]) -> HttpReply:
    return said({"d": {"results": list(rows)}})


def test_two_documents_are_for_a_person_with_both_numbers() -> None:
    error = failure(finding(), look_up(row("100001"), row("100002")))

    assert (type(error), error.code) == (PermanentError, "sap_odata.order.found_twice")
    assert "100001, 100002" in error.peer_text


@pytest.mark.parametrize(
    ("rows", "number"),
    [
        ([row("100001", "C"), row("100002")], "100002"),
        ([row("100001", "C"), row("100002", "C")], "100002"),
        ([row("100001", "C")], "100001"),
        ([row("100001", "B")], "100001"),
    ],
)
def test_a_document_whose_items_are_all_rejected_counts_only_when_there_is_no_other(
    rows: list[dict[str, str]], number: str
) -> None:
    found, _ = run(finding(), look_up(*rows))

    assert found is not None
    assert found.erp_no == number


@pytest.mark.parametrize("number", [True, None, "1" * 11, {}])
def test_a_number_that_is_none_of_sap_s_is_not_adopted(number: Any) -> None:
    assert failure(finding(), look_up(row(number))).code == "sap_odata.order.found_other"


def test_other_people_s_orders_are_never_taken_for_ours() -> None:
    error = failure(finding(), look_up(row("5", reference="another"), row("6", reference="")))

    assert (type(error), error.code) == (PermanentError, "sap_odata.order.found_other")


def test_a_quote_in_a_number_ends_no_filter() -> None:
    _, [call] = run(opened().find("a' or 'b"), look_up())

    assert "PurchaseOrderByCustomer%20eq%20%27a%27%27%20or%20%27%27b%27" in call.url
