"""What the stand-in for SAP PI checks: the SOAP envelope, the query of each adapter, and the IDoc segment by segment.

Written from the facts of ORDERS05 and SAP's help, not from the connector's own table: one checks the other.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any
from xml.etree import ElementTree

from sync.sandbox.http import Request

ENVELOPE = "{http://schemas.xmlsoap.org/soap/envelope/}"
HEADER = (
    "EDI_DC40",
    "E1EDK01",
    "E1EDK14",
    "E1EDK03",
    "E1EDK04",
    "E1EDK05",
    "E1EDKA1",
    "E1EDK02",
    "E1EDK17",
    "E1EDK18",
    "E1EDKT1",
    "E1EDP01",
    "E1EDS01",
)
ITEM = ("E1EDP02", "E1EDP03", "E1EDP05", "E1EDP20", "E1EDPA1", "E1EDP19", "E1EDPT1")
_CHANNEL = re.compile(r"[^:]*:[^:]+:[^:]+")
_GUID = re.compile(r"[0-9A-F]{32}")
_DECIMAL = re.compile(r"\d+(\.\d+)?")
_DATE = re.compile(r"20\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])")
_LENGTHS = {"NAME1": 35, "NAME2": 35, "STRAS": 35, "STRS2": 35, "ORT01": 35, "ORT02": 35, "IDTNR": 35, "KTEXT": 70}


class NotPi(Exception):
    """The request is not what the adapter takes; the message says why."""


def unwrap_soap(request: Request) -> bytes:
    """The payload of a SOAP message. Raises NotPi."""
    if request.headers.get("soapaction", "").strip('"') != "http://sap.com/xi/WebService/soap1.1":
        raise NotPi("SOAPAction is missing or another one")
    if not request.headers.get("content-type", "").startswith("text/xml"):
        raise NotPi("the content type of SOAP 1.1 is text/xml")
    _check_address(request.query)
    if request.query.get("nosoap") == "true":
        return request.body
    root = parse(request.body)
    body = root.find(f"{ENVELOPE}Body")
    if root.tag != f"{ENVELOPE}Envelope" or body is None or len(body) != 1:
        raise NotPi("no SOAP envelope with exactly one payload")
    return bytes(ElementTree.tostring(body[0], encoding="utf-8"))


def check_plain(query: Mapping[str, str]) -> str:
    """The message ID of a call to the plain HTTP adapter. Raises NotPi."""
    _check_interface(query)
    if query.get("qos") not in ("EO", "EOIO") or (query["qos"] == "EOIO") != ("queueid" in query):
        raise NotPi("qos must be EO, or EOIO with a queueid")
    if not _GUID.fullmatch(query.get("msgguid", "")):
        raise NotPi("msgguid must have 32 characters of 0 to 9 and A to F")
    return query["msgguid"]


def read_order(payload: bytes, message_type: str = "ORDERS") -> tuple[str, list[str]]:
    """Our reference and the materials of an IDoc. Raises NotPi."""
    root = parse(payload)
    idoc = root.find("IDOC")
    if root.tag != "ORDERS05" or idoc is None or idoc.get("BEGIN") != "1":
        raise NotPi("no ORDERS05 with an IDOC")
    _check_sequence(idoc, HEADER)
    control = idoc.find("EDI_DC40")
    told = [text(control, name) for name in ("TABNAM", "DIRECT", "IDOCTYP", "MESTYP")]
    if told != ["EDI_DC40", "2", "ORDERS05", message_type]:
        raise NotPi(f"EDI_DC40 says {told}")
    for element in idoc.iter():
        _check_field(element.tag, element.text or "")
    references = {text(segment, "QUALF"): text(segment, "BELNR") for segment in idoc.iter("E1EDK02")}
    if not references.get("001"):
        raise NotPi("E1EDK02 001 is missing")
    if message_type == "ORDERS":
        _check_parties(idoc)
    return references["001"], _materials(idoc, needed=message_type == "ORDERS")


def read_json_order(body: bytes) -> tuple[str, list[str]]:
    """Our reference and the materials of an order in JSON. Raises NotPi."""
    try:
        order: Any = json.loads(body)
        lines = [(line["sku"], line["quantity"], line["price"]) for line in order["lines"]]
        amounts = [order["total_amount"], *(price for _, _, price in lines)]
        reference, date = order["order_id"], order["order_date"]
    except (ValueError, TypeError, KeyError) as problem:
        raise NotPi(f"the JSON lacks {problem}") from None
    if not all(re.fullmatch(r"\d+\.\d\d", amount) for amount in amounts) or not _DATE.fullmatch(date) or not lines:
        raise NotPi("an amount or the date is not spelled as agreed, or there is no line")
    return str(reference), [str(sku) for sku, _, _ in lines]


def parse(body: bytes) -> ElementTree.Element:
    """The root of some XML. Raises NotPi."""
    try:
        return ElementTree.fromstring(body)  # noqa: S314 - the sandbox reads what our own side sends
    except ElementTree.ParseError as problem:
        raise NotPi(f"no XML: {problem}") from None


def text(segment: ElementTree.Element | None, name: str) -> str:
    """A field of a segment; empty when either is missing."""
    return (segment.findtext(name) or "") if segment is not None else ""


def _check_address(query: Mapping[str, str]) -> None:
    if "channel" not in query:
        _check_interface(query)
    elif not _CHANNEL.fullmatch(query["channel"]):
        raise NotPi("channel is not party:service:channel")


def _check_interface(query: Mapping[str, str]) -> None:
    for name in ("senderService", "interface", "interfaceNamespace"):
        if not query.get(name):
            raise NotPi(f"{name} is missing from the query")


def _check_sequence(parent: ElementTree.Element, sequence: Iterable[str]) -> None:
    places = {name: place for place, name in enumerate(sequence)}
    segments = [child for child in parent if child.get("SEGMENT") is not None]
    if any(child.get("SEGMENT") != "1" or child.tag not in places for child in segments):
        raise NotPi(f"a segment beneath {parent.tag} is unknown or lacks SEGMENT=1")
    found = [places[child.tag] for child in segments]
    if found != sorted(found):
        raise NotPi(f"the segments beneath {parent.tag} are out of sequence")
    for child in segments:
        if child.tag == "E1EDP01":
            _check_sequence(child, ITEM)


def _check_field(name: str, value: str) -> None:
    is_date = name in ("CREDAT", "DATUM", "EDATU")
    is_number = name in ("MENGE", "WMENG", "VPREI", "PEINH", "BETRG", "SUMME")
    if (is_date and not _DATE.fullmatch(value)) or (is_number and not _DECIMAL.fullmatch(value)):
        raise NotPi(f"{name} is not spelled as SAP reads it")
    if len(value.encode("utf-16-le")) > 2 * _LENGTHS.get(name, 10_000):
        raise NotPi(f"{name} is too long")


def _check_parties(idoc: ElementTree.Element) -> None:
    partners = {text(segment, "PARVW"): text(segment, "PARTN") for segment in idoc.iter("E1EDKA1")}
    areas = {text(segment, "QUALF") for segment in idoc.iter("E1EDK14")}
    if not partners.get("AG") or "WE" not in partners or not {"006", "007", "008", "012"} <= areas:
        raise NotPi("sold-to, ship-to or the sales area is missing")


def _materials(idoc: ElementTree.Element, *, needed: bool) -> list[str]:
    items = list(idoc.iter("E1EDP01"))
    materials = [text(item.find("E1EDP19"), "IDTNR") for item in items]
    if needed and (not materials or not all(materials)):
        raise NotPi("an item has no material, or there is no item")
    return materials
