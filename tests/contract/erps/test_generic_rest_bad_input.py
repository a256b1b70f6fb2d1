"""Every kind of damaged answer to every operation of the generic REST ERP, in JSON and in XML: the right class each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mappings.erps.generic_rest import GenericRestErp
from mappings.errors import AuthError, PeerError, PermanentError, TransientError, UncertainError
from mappings.model import ErpDocument
from mappings.wire import Exchange, HttpReply
from tests.contract.erps.hands import failure
from tests.contract.erps.test_generic_rest import NAME, PHONE, erp, erp_order

REF = "2026112200042"
OPERATIONS: dict[str, Callable[[GenericRestErp], Exchange[Any]]] = {
    "create": lambda connector: connector.create(erp_order()),
    "find": lambda connector: connector.find(REF),
    "cancel": lambda connector: connector.cancel(ErpDocument("SO-1", REF)),
    "stock": lambda connector: connector.read_stock(None),
}
AREAS = {"create": "order", "find": "order", "cancel": "cancel", "stock": "stock"}
CHANGING = ("create", "cancel")

LOGIN = "<html><head><title>登录</title></head><body>请先登录</body></html>"
JSON_ORDER = f'{{"order_id": "{REF}", "erp_no": "销-1", "stock": [{{"sku": "茶-1", "available": 1}}]}}'
XML_ORDER = (
    f"<r><order_id>{REF}</order_id><erp_no>销-1</erp_no><stock><sku>茶-1</sku><available>1</available></stock></r>"
)

UNREADABLE = {
    "a proxy's page": (LOGIN.encode(), LOGIN.encode()),
    "a proxy's page of today": (f"<!DOCTYPE html>{LOGIN}".encode(), f"<!DOCTYPE html>{LOGIN}".encode()),
    "half a body": (JSON_ORDER.encode()[:30], XML_ORDER.encode()[:30]),
    "half a character": (JSON_ORDER.encode()[: JSON_ORDER.encode().index("销".encode()) + 1], XML_ORDER.encode()[:-70]),
    "the other format": (XML_ORDER.encode(), JSON_ORDER.encode()),
    "a word": (b"OK", b"OK"),
    "a form": (b"erp_no=SO-1&code=0", b"erp_no=SO-1&code=0"),
    "UTF-16": (JSON_ORDER.encode("utf-16"), XML_ORDER.encode("utf-16")),
    "zeros": (b"\x00" * 40, b"\x00" * 40),
    "a declared entity": (b"<!DOCTYPE r>", b'<!DOCTYPE r [<!ENTITY e "SO-1">]><r><erp_no>&e;</erp_no></r>'),
}


def connector(form: str, **settings: str) -> GenericRestErp:
    return erp(format=form, stock_page_param="", **settings)


def problem(form: str, operation: str, reply: HttpReply, **settings: str) -> PeerError:
    found = failure(OPERATIONS[operation](connector(form, **settings)), reply)
    assert not any(private in str(found) for private in (NAME, PHONE, "s3cret"))
    return found


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("form", ["json", "xml"])
@pytest.mark.parametrize("damage", UNREADABLE)
def test_an_answer_that_cannot_be_read_may_have_been_a_success_where_something_was_to_change(
    form: str, operation: str, damage: str
) -> None:
    body = UNREADABLE[damage][form == "xml"]

    found = problem(form, operation, HttpReply(200, body=body))

    assert type(found) is (UncertainError if operation in CHANGING else TransientError)
    assert found.code == f"generic_rest.{AREAS[operation]}.garbled"
    assert form.upper() in found.message


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("form", ["json", "xml"])
@pytest.mark.parametrize(
    ("status", "changing", "reading", "word"),
    [
        (502, UncertainError, TransientError, "server_error"),
        (504, UncertainError, TransientError, "server_error"),
        (503, TransientError, TransientError, "unavailable"),
        (429, TransientError, TransientError, "unavailable"),
        (401, AuthError, AuthError, "auth"),
        (403, AuthError, AuthError, "auth"),
        (302, PermanentError, PermanentError, "refused"),
        (413, PermanentError, PermanentError, "refused"),
    ],
)
def test_a_page_under_another_status_is_what_the_status_says(
    form: str, operation: str, status: int, changing: type[PeerError], reading: type[PeerError], word: str
) -> None:
    found = problem(form, operation, HttpReply(status, body=LOGIN.encode()))

    assert type(found) is (changing if operation in CHANGING else reading)
    assert found.code == f"generic_rest.{AREAS[operation]}.{word}"


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize(
    ("form", "said"),
    [("json", '{"code": 9, "message": "期间已关闭"}'), ("xml", "<r><code>9</code><message>期间已关闭</message></r>")],
)
def test_a_failure_inside_a_200_goes_to_a_person_in_the_erps_words(form: str, said: str, operation: str) -> None:
    found = problem(form, operation, HttpReply(200, body=said.encode()), failure_field="code")

    assert (type(found), found.code) == (PermanentError, f"generic_rest.{AREAS[operation]}.rejected")
    assert "期间已关闭" in found.peer_text


@pytest.mark.parametrize(
    ("form", "operation", "error", "word"),
    [
        ("json", "create", UncertainError, "garbled"),
        ("json", "find", TransientError, "garbled"),
        ("json", "stock", PermanentError, "figure_unreadable"),
        ("xml", "create", UncertainError, "garbled"),
        ("xml", "find", TransientError, "garbled"),
        ("xml", "cancel", UncertainError, "garbled"),
        ("xml", "stock", TransientError, "garbled"),
    ],
)
def test_a_number_or_sku_in_another_character_set_is_not_kept(
    form: str, operation: str, error: type[PeerError], word: str
) -> None:
    body = (JSON_ORDER if form == "json" else XML_ORDER).encode("gbk")

    found = problem(form, operation, HttpReply(200, body=body))

    assert (type(found), found.code) == (error, f"generic_rest.{AREAS[operation]}.{word}")


def test_words_in_another_character_set_around_a_plain_number_do_no_harm() -> None:
    said = '{"erp_no": "SO-1", "message": "成功"}'.encode("gbk")
    exchange = connector("json").create(erp_order())
    next(exchange)

    with pytest.raises(StopIteration) as end:
        exchange.send(HttpReply(200, body=said))

    assert end.value.value == ErpDocument("SO-1", REF)


@pytest.mark.parametrize("form", ["json", "xml"])
def test_a_number_that_exists_is_looked_up_and_adopted(form: str) -> None:
    exchange = connector(form).create(erp_order())
    next(exchange)
    look_up = exchange.send(HttpReply(409, body=b"duplicate"))
    assert look_up.operation == "find_order"

    with pytest.raises(StopIteration) as end:
        exchange.send(HttpReply(200, body=(JSON_ORDER if form == "json" else XML_ORDER).encode()))

    assert end.value.value == ErpDocument("销-1", REF, adopted=True)
