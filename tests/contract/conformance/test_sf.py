from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from mappings.carriers.sf import SfCarrier
from mappings.conformance import CarrierCase, CarrierConformance, Scan
from mappings.wire import HttpCall, HttpReply
from tests.contract.sf.cases import JSON, NUMBER, inner, message_of, push, route, service

CONFIG = {
    "environment": "production",
    "partner_id": "TESTPID",
    "checkword": "check word+0123456789",
    "monthly_card": "0210000001",
    "cod_card": "0210000002",
    "print_template": "fm_150_standard_TESTPID",
}


class ScriptedSf:
    """A second order of an orderId is refused with 8016, and the search finds the first; a second cancel is 8037."""

    def __init__(self) -> None:
        self.numbers: dict[str, str] = {}
        self.cancelled: set[str] = set()

    def __call__(self, call: HttpCall) -> HttpReply:
        if call.operation == "fetch_label":
            return HttpReply(200, {}, b"%PDF-1.4")
        asked = message_of(call)
        if call.operation == "print_label":
            file = {"url": "https://print.sf.example/1.pdf", "token": "a-token-of-one-file"}
            return inner({"success": True, "obj": {"files": [file]}})
        if call.operation == "query_tracking":
            return service(routeResps=[])
        if call.operation == "cancel_waybill":
            return self._cancel(asked["orderId"])
        code = asked["orderId"]
        if call.operation == "book_waybill" and code in self.numbers:
            return service("8016", "重复下单")
        number = self.numbers.setdefault(code, f"SF100000000{len(self.numbers) + 1:04d}")
        listed = [{"waybillType": 1, "waybillNo": number}]
        return service(orderId=code, filterResult=2, waybillNoInfoList=listed)

    def _cancel(self, code: str) -> HttpReply:
        if code in self.cancelled:
            return service("8037", "已消单")
        self.cancelled.add(code)
        return service(orderId=code, resStatus=2)


def sf_push(scans: Sequence[Scan]) -> bytes:
    """Each route names its own parcel."""
    return push(
        *(
            route(
                scan.code,
                "soon" if scan.is_broken else f"{scan.at + timedelta(hours=8):%Y-%m-%d %H:%M:%S}",
                mailno=scan.waybill_no,
                id=str(n),
            )
            for n, scan in enumerate(scans, start=1)
        )
    )


class TestSf(CarrierConformance):
    case = CarrierCase(
        SfCarrier,
        CONFIG,
        ScriptedSf,
        sf_push,
        known_code="50",
        unknown_code="9876",
        content_type=JSON,
        shipper_code="SF",
        waybill_no=NUMBER,
        second_waybill_no="SF1000000000002",
    )
