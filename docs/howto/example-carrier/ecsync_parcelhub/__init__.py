"""Parcelhub: a connector of a third party, as an example. The platform is made up; the connector is complete."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar

from mappings.connector import CallbackRefused, Config, Setting, Spec
from mappings.errors import PermanentError, UncertainError
from mappings.events import TEXT_LENGTH, Parcel, facts_of
from mappings.model import Callback, Consignee, Consignor, EventKind, TrackingEvent, Waybill, WaybillRequest
from mappings.status import StatusTable
from mappings.wire import Exchange, HttpCall, HttpReply, check_status, parse_base_url, read_json_object

SPEC = Spec(
    name="parcelhub",
    kind="carrier",
    title_en="Parcelhub",
    title_zh="Parcelhub(示例)",
    settings=(
        Setting("base_url", "Service address", "接口地址", required=True, parse=parse_base_url),
        Setting("token", "Access token", "访问令牌", required=True, secret=True, parse=str.strip),
        Setting("push_key", "Key that signs pushes", "推送签名密钥", required=True, secret=True, parse=str.strip),
    ),
    rate_per_s=10,
    repeat_is_safe=True,  # Parcelhub answers a repeated reference with the parcel it made for it
)

CHANNEL = "parcelhub_code"
TABLE = StatusTable.of("ecsync_parcelhub")
COURIERS = {"ZTO": "zto", "YTO": "yto", "": "any"}


class ParcelhubCarrier:
    """The connector: it says what to send and reads what came back, and never sends anything itself."""

    spec: ClassVar[Spec] = SPEC

    def __init__(self, config: Config) -> None:
        self.config = config

    def _call(self, operation: str, method: str, path: str, fields: Mapping[str, Any] | None = None) -> HttpCall:
        token = str(self.config["token"])
        return HttpCall(
            operation,
            method,
            f"{self.config['base_url']}{path}",
            {"authorization": f"Bearer {token}", "content-type": "application/json"},
            b"" if fields is None else json.dumps(fields, ensure_ascii=False).encode(),
            changes_peer=method != "GET",
            secrets=(token,),
        )

    # --- booking

    def book_waybill(self, request: WaybillRequest) -> Exchange[Waybill]:
        """Order one waybill; Parcelhub answers a repeated reference with the first."""
        reply = yield self._call("book_waybill", "POST", "/v1/parcels", _parcel(request))
        check_status(reply, "parcelhub.waybill")
        answer = read_json_object(reply, "parcelhub.waybill")
        number = answer.get("number")
        if not isinstance(number, str) or not number:
            raise UncertainError("parcelhub.waybill.number_missing", "Parcelhub took the order and named no number")
        return Waybill(
            number,
            request.shipper_code,
            request.order_code,
            adopted=answer.get("existing") is True,
            label=str(answer.get("label_url") or ""),
            label_kind="url",
        )

    # --- cancel, subscribe, query

    def cancel_waybill(
        self, *, shipper_code: str, waybill_no: str, order_code: str, carrier_order_no: str = "", account: str = ""
    ) -> Exchange[None]:
        """Void one waybill; that it is void already is a success."""
        reply = yield self._call("cancel_waybill", "POST", "/v1/cancellations", {"number": waybill_no})
        if reply.status == 409:
            _accept(reply, "parcelhub.cancel", already="cancelled")
            return
        check_status(reply, "parcelhub.cancel")
        read_json_object(reply, "parcelhub.cancel")

    def subscribe(
        self, *, shipper_code: str, waybill_no: str, order_code: str, phone: str, callback_url: str
    ) -> Exchange[None]:
        """Ask for pushes about a number; that it is followed already is a success."""
        fields = {"number": waybill_no, "url": callback_url}
        reply = yield self._call("subscribe", "POST", "/v1/subscriptions", fields)
        if reply.status == 409:
            _accept(reply, "parcelhub.subscribe", already="subscribed")
            return
        check_status(reply, "parcelhub.subscribe")
        read_json_object(reply, "parcelhub.subscribe")

    def query_tracking(
        self, *, shipper_code: str, waybill_no: str, order_code: str, phone: str, asked_at: datetime
    ) -> Exchange[tuple[TrackingEvent, ...]]:
        """Ask for all events of one waybill."""
        reply = yield self._call("query_tracking", "GET", f"/v1/parcels/{waybill_no}/events")
        check_status(reply, "parcelhub.query", changes_peer=False)
        answer = read_json_object(reply, "parcelhub.query", changes_peer=False)
        events = (_read_event(row, n, asked_at) for n, row in enumerate(_rows(answer), start=1))
        return tuple(event for event in events if event is not None)

    # --- pushes

    def verify_callback(self, body: bytes, content_type: str) -> None:
        """Check the signature over the payload's text as it was received. Raises CallbackRefused."""
        outer = _object(body)
        payload, sign = outer.get("payload"), outer.get("sign")
        if not isinstance(payload, str) or not isinstance(sign, str):
            raise CallbackRefused("the push has no payload, or no sign")
        ours = hmac.new(str(self.config["push_key"]).encode(), payload.encode("utf-8", "replace"), hashlib.sha256)
        if not hmac.compare_digest(ours.hexdigest().encode(), sign.encode("utf-8", "replace")):
            raise CallbackRefused("signature refused", status=401)
        _object(payload, signature_ok=True)

    def read_callback(self, body: bytes, content_type: str, received_at: datetime) -> Callback:
        """Read every item; one that cannot be read is named, and the others count."""
        rows = _rows(_object(_object(body)["payload"]))
        events, problems = [], []
        for n, row in enumerate(rows, start=1):
            event = _read_event(row, n, received_at)
            if event is None:
                problems.append(f"item {n} has no number, no code or no readable time")
            else:
                events.append(event)
        return Callback(tuple(events), problems=tuple(problems))

    def callback_reply(self, *, ok: bool, reason: str, now: datetime) -> HttpReply:
        """Parcelhub sends a push again until it is answered with 200."""
        body = json.dumps({"taken": ok, "reason": reason}, ensure_ascii=False).encode()
        return HttpReply(200 if ok else 400, {"content-type": "application/json"}, body)


# --- from the house's words to Parcelhub's, and back


def _parcel(request: WaybillRequest) -> dict[str, Any]:
    if not request.order.lines:
        raise PermanentError("parcelhub.waybill.goods_missing", "The order has nothing to ship")
    if request.shipper_code not in COURIERS:
        raise PermanentError(
            "parcelhub.waybill.courier_unknown",
            f"Parcelhub has no courier {request.shipper_code}: change the shipping method, or route it elsewhere",
        )
    return {
        "reference": request.order_code,
        "courier": COURIERS[request.shipper_code],
        "from": _party(request.consignor, "consignor"),
        "to": _party(request.order.consignee, "consignee"),
        "goods": [{"name": line.name, "count": line.quantity} for line in request.order.lines],
        "weight_g": request.order.weight_g,
        "collect_fen": request.order.cod_fen,
    }


def _party(party: Consignee | Consignor, side: str) -> dict[str, str]:
    if not party.phone.strip():
        raise PermanentError("parcelhub.waybill.phone_missing", f"The {side} has no phone number")
    place = party.address
    return {
        "name": party.name,
        "phone": party.phone,
        "address": f"{place.province}{place.city}{place.district}{place.street}",
    }


def _accept(reply: HttpReply, area: str, *, already: str) -> None:
    """A conflict is a success where it says that this was done before."""
    said = str(read_json_object(reply, area).get("error") or "")
    if said != already:
        message = "Parcelhub will not do that to this parcel any more"
        raise PermanentError(f"{area}.refused", message, peer_code=str(reply.status), peer_text=said[:200])


def _read_event(row: object, sequence: int, told_at: datetime) -> TrackingEvent | None:
    """One event, or None for an item that is none. The table decides what a code means, and nobody else."""
    if not isinstance(row, dict):
        return None
    number, code = str(row.get("number") or ""), str(row.get("code") or "")
    try:
        at = datetime.fromisoformat(str(row.get("at")))
    except ValueError:
        return None
    if not number or not code or at.tzinfo is None:
        return None
    parcel = Parcel(SPEC.name, "", number, str(row.get("reference") or ""), told_at)
    facts = facts_of(TABLE.look_up(CHANNEL, code))
    text = str(row.get("text") or "")[:TEXT_LENGTH]
    return parcel.event(EventKind.TRACE, at, CHANNEL, code, text=text, sequence=sequence, **facts)


def _rows(answer: Mapping[str, Any]) -> list[Any]:
    rows = answer.get("events")
    return rows if isinstance(rows, list) else []


def _object(text: bytes | str, *, signature_ok: bool = False) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise CallbackRefused("the push is no JSON object", signature_ok=signature_ok)
    return found
