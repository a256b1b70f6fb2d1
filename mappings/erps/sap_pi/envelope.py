"""How an order travels to each of PI's sender adapters: address, headers and body."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass, field
from urllib.parse import urlencode
from uuid import NAMESPACE_URL, UUID, uuid5

from mappings.connector import Config
from mappings.erps.sap_pi.settings import HTTP, REST, SOAP
from mappings.wire import HttpCall

DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>'
XML_TYPE, JSON_TYPE = "text/xml; charset=utf-8", "application/json; charset=utf-8"
SOAP_ACTION = "http://sap.com/xi/WebService/soap1.1"
ENVELOPE = "http://schemas.xmlsoap.org/soap/envelope/"


def message_id(idempotency_key: str) -> UUID:
    """The ID under which PI keeps an order's message: the same key, the same ID, so that a repeat is recognised."""
    return uuid5(NAMESPACE_URL, f"ecsync:sap_pi:{idempotency_key}")


def basic_auth(values: Config) -> tuple[dict[str, str], tuple[str, ...]]:
    """The header that lets us in, and the texts in it that no record may show."""
    encoded = b64encode(f"{values['username']}:{values['password']}".encode()).decode()
    return {"Authorization": f"Basic {encoded}"}, (values["password"], encoded)


@dataclass(frozen=True, slots=True)
class Carriage:
    """One configured sender adapter. `is_safe`: the same message sent twice becomes one order."""

    values: Config = field(repr=False)

    @property
    def is_safe(self) -> bool:
        return self.values["sender"] == HTTP or bool(self.values["duplicate_check"])

    def call(self, payload: str, idempotency_key: str, secrets: tuple[str, ...]) -> HttpCall:
        """The call that hands an order over; `payload` is an IDoc without declaration, or JSON."""
        headers, own_secrets = basic_auth(self.values)
        is_soap = self.values["sender"] == SOAP
        if is_soap:
            headers |= {"SOAPAction": f'"{SOAP_ACTION}"'}
        return HttpCall(
            operation="create_order",
            method="POST",
            url=self._address(message_id(idempotency_key)),
            headers={**headers, "Content-Type": JSON_TYPE if self.values["payload"] == "json" else XML_TYPE},
            body=self._body(payload).encode(),
            secrets=(*own_secrets, *secrets),
        )

    def _body(self, payload: str) -> str:
        if self.values["payload"] == "json":
            return payload
        if self.values["sender"] != SOAP or self.values["nosoap"]:
            return DECLARATION + payload
        opening = f'<soapenv:Envelope xmlns:soapenv="{ENVELOPE}"><soapenv:Header/><soapenv:Body>'
        return f"{DECLARATION}{opening}{payload}</soapenv:Body></soapenv:Envelope>"

    def _address(self, guid: UUID) -> str:
        values = self.values
        if values["sender"] == REST:
            return str(values["base_url"] + values["rest_path"])
        path = values["soap_path"] if values["sender"] == SOAP else values["http_path"]
        query = self._soap_query(guid) if values["sender"] == SOAP else self._http_query(guid)
        return f"{values['base_url']}{path}?{urlencode(query)}"

    def _soap_query(self, guid: UUID) -> dict[str, str]:
        """`MessageId` counts where the channel has Use Encoded Headers and Use Query String (SAP help: Ensuring Exactly
        Once in the SOAP Sender Adapter), so it is sent only where the merchant says so."""
        values = self.values
        query = {"channel": values["channel"]} if values["channel"] else self._names()
        if values["nosoap"]:
            query["nosoap"] = "true"
        if values["duplicate_check"]:
            query["MessageId"] = str(guid)
        return query

    def _http_query(self, guid: UUID) -> dict[str, str]:
        """Exactly once; `msgguid` is 32 characters of 0 to 9 and A to F (SAP help: Defining Query for Plain HTTP)."""
        query = {**self._names(), "qos": "EO"}
        if self.values["queue_id"]:
            query |= {"qos": "EOIO", "queueid": self.values["queue_id"]}
        return {**query, "msgguid": guid.hex.upper()}

    def _names(self) -> dict[str, str]:
        values = self.values
        return {
            "senderParty": values["sender_party"],
            "senderService": values["sender_service"],
            "receiverParty": values["receiver_party"],
            "receiverService": values["receiver_service"],
            "interface": values["interface"],
            "interfaceNamespace": values["interface_namespace"],
        }
