"""SAP behind PI, asked and answered by hand: no socket, an exchange is fed replies as values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, TypeVar
from xml.etree import ElementTree

import pytest

from mappings.erps.sap_pi import SapPiErp
from mappings.errors import PeerError
from mappings.model import Address, Consignee, ErpDocument, ErpOrder, Order, OrderLine, Queue
from mappings.wire import Exchange, HttpCall, HttpReply

T = TypeVar("T")

SN, KEY = "2026112100001", "main-42-2026112100001"
NAME, PHONE, STREET = "张三", "13800138000", "海淀路1号"

SOAP = {
    "base_url": "https://pi.example.com:50001",
    "sender": "soap",
    "username": "ecsync",
    "password": "s3cret-word",
    "channel": ":BC_ECSHOP:SOAP_ORDERS",
    "sender_port": "ECSHOP",
    "sender_partner": "ECSHOP",
    "receiver_port": "SAPS4H",
    "receiver_partner": "S4HCLNT100",
    "sales_org": "1010",
    "distribution_channel": "10",
    "division": "00",
    "sold_to": "10100001",
}
NAMED = {"sender_service": "BC_ECSHOP", "interface": "SI_Orders_Out", "interface_namespace": "urn:shop:orders"}
HTTP = {**SOAP, **NAMED, "sender": "http", "channel": ""}
REST = {**SOAP, "sender": "rest", "channel": ""}
FIND = {"find_url": "https://pi.example.com:50001/RESTAdapter/orders/{external_ref}"}
CANCEL = {"cancel_url": "https://pi.example.com:50001/RESTAdapter/ordchg"}

SENDERS = {"soap": SOAP, "http": HTTP, "rest": REST}

SOAP_ENVELOPE = "<SOAP:Envelope xmlns:SOAP='http://schemas.xmlsoap.org/soap/envelope/'>{}</SOAP:Envelope>"
TAKEN = HttpReply(200, body=SOAP_ENVELOPE.format("<SOAP:Header/><SOAP:Body/>").encode())
PROXY_200 = HttpReply(200, {"content-type": "text/html"}, "<!DOCTYPE html><html><body>登录</body></html>".encode())
PROXY_502 = HttpReply(502, {"content-type": "text/html"}, b"<html><body>Bad Gateway</body></html>")


def erp(base: dict[str, str] | None = None, **settings: str) -> SapPiErp:
    """A connector as from the environment: every text goes through its setting's parse."""
    parse = {setting.name: setting.parse for setting in SapPiErp.spec.settings}
    return SapPiErp({name: parse[name](text) for name, text in {**(base or SOAP), **settings}.items()})


def line(**changes: Any) -> OrderLine:
    usual = OrderLine("7", sku="ECS000000", name="KD876", quantity=2, price_fen=138800, weight_g=110)
    return replace(usual, **changes)


def erp_order(*lines: OrderLine, ref: str = SN, order_date: str = "20261121", **changes: Any) -> ErpOrder:
    """The order of the shared example: two pieces, placed at 23:00 in Shanghai."""
    address = Address(province="北京", city="北京", district="", street=STREET, postcode="100000")
    order = Order(
        shop="main",
        shop_order_id="42",
        order_sn=SN,
        queue=Queue.AWAIT_SHIP,
        consignee=Consignee(name=NAME, phone=PHONE, address=address),
        lines=lines or (line(),),
        total_fen=277600,
        cod_fen=0,
        shipping_code="sf",
        shipping_name="顺丰速运",
        placed_at=datetime(2026, 11, 21, 15, 0, tzinfo=UTC),
        paid_at=None,
        content_hash="x",
    )
    return ErpOrder(replace(order, **changes), external_ref=ref, idempotency_key=KEY, order_date=order_date)


def with_consignee(**changes: Any) -> dict[str, Any]:
    """What changes of an order whose consignee differs; fields of the address go by their own names."""
    who = erp_order().order.consignee
    on_address = {name: changes.pop(name) for name in tuple(changes) if hasattr(who.address, name)}
    return {"consignee": replace(who, address=replace(who.address, **on_address), **changes)}


def run(exchange: Exchange[T], *replies: HttpReply | PeerError) -> tuple[T, list[HttpCall]]:
    """Feed the replies, or what a call failed with; the result and the calls made. Every reply must be used."""
    calls: list[HttpCall] = []
    waiting = list(replies)
    try:
        calls.append(next(exchange))
        while True:
            reply = waiting.pop(0)
            calls.append(exchange.throw(reply) if isinstance(reply, PeerError) else exchange.send(reply))
    except StopIteration as end:
        assert not waiting, "the exchange ended before it read every reply"
        return end.value, calls


def failure(exchange: Exchange[Any], *replies: HttpReply | PeerError) -> PeerError:
    """What the exchange raises in the end."""
    with pytest.raises(PeerError) as caught:
        run(exchange, *replies)
    return caught.value


def sent(connector: SapPiErp, order: ErpOrder | None = None) -> HttpCall:
    """The call that hands an order over."""
    _, [call] = run(connector.create(order or erp_order()), TAKEN)
    return call


def idoc(connector: SapPiErp | None = None, order: ErpOrder | None = None) -> ElementTree.Element:
    """The IDOC element of what is sent to a REST channel, which takes it bare."""
    root = ElementTree.fromstring(sent(connector or erp(REST), order).body)
    assert root.tag == "ORDERS05"
    return root[0]


def as_rows(segments: Sequence[ElementTree.Element]) -> list[dict[str, Any]]:
    """Segments in the form of `data/erps/sap_pi/orders05.json`."""
    rows = []
    for segment in segments:
        beneath = [child for child in segment if child.get("SEGMENT")]
        fields = {child.tag: child.text for child in segment if not child.get("SEGMENT")}
        row = {"segment": segment.tag, "fields": fields}
        rows.append({**row, "beneath": as_rows(beneath)} if beneath else row)
    return rows


def fields_of(root: ElementTree.Element, segment: str, **qualifier: str) -> dict[str, str | None]:
    """The fields of the one segment with that qualifier."""
    [found] = [part for part in root.iter(segment) if all(part.findtext(n) == v for n, v in qualifier.items())]
    return {child.tag: child.text for child in found}


def document(erp_no: str = "") -> ErpDocument:
    return ErpDocument(erp_no, SN)


def fault(code: str, text: str, status: int = 500) -> HttpReply:
    """A refusal as PI's adapter engine words it."""
    detail = f"<context>XIAdapter</context><code>{code}</code><text><![CDATA[{text}]]></text>"
    system = f"<s:SystemError xmlns:s='http://sap.com/xi/WebService/xi2.0'>{detail}</s:SystemError>"
    body = f"<faultcode>SOAP:Server</faultcode><faultstring>Server Error</faultstring><detail>{system}</detail>"
    whole = SOAP_ENVELOPE.format(f"<SOAP:Header/><SOAP:Body><SOAP:Fault>{body}</SOAP:Fault></SOAP:Body>")
    return HttpReply(status, {"content-type": "text/xml"}, whole.encode())


def sap_error(category: str, code: str, text: str) -> HttpReply:
    """A refusal as the Integration Engine words it."""
    inner = (
        f"<SAP:Category>{category}</SAP:Category><SAP:Code area='X'>{code}</SAP:Code>"
        f"<SAP:AdditionalText>{text}</SAP:AdditionalText>"
    )
    body = f"<SAP:Error xmlns:SAP='http://sap.com/xi/XI/Message/30'>{inner}</SAP:Error>"
    return HttpReply(500, body=body.encode())


def ordrsp(*orders: tuple[str, str, str], root: str = "ORDERS05") -> HttpReply:
    """An ORDRSP of orders: our number, SAP's in E1EDK02 002, and what stands in E1EDK01."""
    idocs = "".join(
        f'<IDOC BEGIN="1"><EDI_DC40 SEGMENT="1"><MESTYP>ORDRSP</MESTYP></EDI_DC40>'
        f'<E1EDK01 SEGMENT="1"><BELNR>{head}</BELNR></E1EDK01>'
        f'<E1EDK02 SEGMENT="1"><QUALF>001</QUALF><BELNR>{mine}</BELNR></E1EDK02>'
        f'<E1EDK02 SEGMENT="1"><QUALF>002</QUALF><BELNR>{theirs}</BELNR></E1EDK02></IDOC>'
        for mine, theirs, head in orders
    )
    return HttpReply(200, body=f'<?xml version="1.0" encoding="UTF-8"?><{root}>{idocs}</{root}>'.encode())
