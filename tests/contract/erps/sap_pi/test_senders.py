"""How an order reaches each of PI's sender adapters."""

from __future__ import annotations

import json
import re
from base64 import b64decode
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree

import pytest

from mappings.erps.sap_pi.envelope import message_id
from mappings.wire import HttpCall
from sync.redaction import redact
from tests.contract.erps.sap_pi.cases import (
    HTTP,
    KEY,
    NAMED,
    REST,
    SENDERS,
    SN,
    SOAP,
    STREET,
    erp,
    erp_order,
    line,
    sent,
    with_consignee,
)

ENVELOPE = "{http://schemas.xmlsoap.org/soap/envelope/}"


def query(call: HttpCall) -> dict[str, str]:
    return {name: value for name, [value] in parse_qs(urlsplit(call.url).query, keep_blank_values=True).items()}


def test_soap_carries_the_idoc_alone_in_its_body_to_a_named_channel() -> None:
    call = sent(erp(SOAP))
    root = ElementTree.fromstring(call.body)

    assert call.url == "https://pi.example.com:50001/XISOAPAdapter/MessageServlet?channel=%3ABC_ECSHOP%3ASOAP_ORDERS"
    assert call.headers["SOAPAction"] == '"http://sap.com/xi/WebService/soap1.1"'
    assert call.headers["Content-Type"] == "text/xml; charset=utf-8"
    assert root.tag == f"{ENVELOPE}Envelope"
    assert [child.tag for child in root] == [f"{ENVELOPE}Header", f"{ENVELOPE}Body"]
    assert [child.tag for child in root[1]] == ["ORDERS05"]
    assert call.body.count(b"<?xml") == 1


def test_soap_names_sender_and_interface_where_there_is_no_channel() -> None:
    call = sent(erp({**SOAP, **NAMED, "channel": "", "receiver_service": "S4H"}))

    assert query(call) == {
        "senderParty": "",
        "senderService": "BC_ECSHOP",
        "receiverParty": "",
        "receiverService": "S4H",
        "interface": "SI_Orders_Out",
        "interfaceNamespace": "urn:shop:orders",
    }
    assert "interfaceNamespace=urn%3Ashop%3Aorders" in call.url


def test_soap_without_envelope_says_so_and_sends_the_bare_idoc() -> None:
    call = sent(erp(SOAP, nosoap="1"))

    assert query(call)["nosoap"] == "true"
    assert ElementTree.fromstring(call.body).tag == "ORDERS05"


def test_soap_gives_its_message_id_only_where_the_channel_heeds_it() -> None:
    assert "MessageId" not in query(sent(erp(SOAP)))
    assert query(sent(erp(SOAP, duplicate_check="1")))["MessageId"] == str(message_id(KEY))


def test_plain_http_asks_for_exactly_once_under_a_stable_id() -> None:
    first, again = sent(erp(HTTP)), sent(erp(HTTP))
    asked = query(first)

    assert urlsplit(first.url).path == "/HttpAdapter/HttpMessageServlet"
    assert asked["qos"] == "EO"
    assert "queueid" not in asked
    assert re.fullmatch(r"[0-9A-F]{32}", asked["msgguid"])
    assert first == again
    assert ElementTree.fromstring(first.body).tag == "ORDERS05"
    assert "SOAPAction" not in first.headers


def test_another_order_has_another_message_id() -> None:
    assert message_id(KEY) != message_id(KEY + "1")
    assert message_id(KEY).hex == "98493616c9395dfa957c73a127da9dae"


def test_orders_in_sequence_have_a_queue() -> None:
    asked = query(sent(erp(HTTP, queue_id="ECSHOP")))

    assert (asked["qos"], asked["queueid"]) == ("EOIO", "ECSHOP")


def test_a_rest_channel_takes_the_idoc_or_json() -> None:
    idoc, as_json = sent(erp(REST)), sent(erp(REST, payload="json", rest_path="/RESTAdapter/shop/in"))

    assert idoc.url == "https://pi.example.com:50001/RESTAdapter/orders"
    assert idoc.headers["Content-Type"] == "text/xml; charset=utf-8"
    assert as_json.url == "https://pi.example.com:50001/RESTAdapter/shop/in"
    assert as_json.headers["Content-Type"] == "application/json; charset=utf-8"
    assert json.loads(as_json.body) == {
        "order_id": SN,
        "customer_name": "张三",
        "total_amount": "2776.00",
        "order_date": "20261121",
        "phone": "13800138000",
        "province": "北京",
        "city": "北京",
        "district": "",
        "street": STREET,
        "shipping_fee": "0.00",
        "discount": "0.00",
        "lines": [{"sku": "ECS000000", "name": "KD876", "quantity": 2, "price": "1388.00"}],
    }


@pytest.mark.parametrize("sender", SENDERS)
def test_every_sender_lets_itself_in_by_basic(sender: str) -> None:
    call = sent(erp(SENDERS[sender]))
    scheme, _, credentials = call.headers["Authorization"].partition(" ")

    assert scheme == "Basic"
    assert b64decode(credentials).decode() == "ecsync:s3cret-word"
    assert {"s3cret-word", credentials} <= set(call.secrets)


@pytest.mark.parametrize("sender", SENDERS)
def test_a_record_of_the_call_shows_neither_credentials_nor_the_consignee(sender: str) -> None:
    street = "A&B <大厦> " + "长" * 40
    order = erp_order(line(name="茶"), **with_consignee(street=street, name="欧阳&小明"))
    call = sent(erp(SENDERS[sender]), order)
    shown = redact(f"{call.headers}\n{call.body.decode()}", private=("欧阳&小明", street), secrets=call.secrets)

    for private in ("长长长", "大厦", "小明", "13800138000", "s3cret-word"):
        assert private not in shown
    assert SN in shown
