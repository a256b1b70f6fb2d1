"""What the sandbox carrier and ERP do with a cancel: the ledger keeps it, and faults strike as with any other call."""

from __future__ import annotations

from typing import Any, cast

import pytest
import requests

from sync.sandbox.erp import SandboxErp
from sync.sandbox.server import SandboxPeers
from tests.service.sandbox.by_hand import ERP_TOKEN, ask, erp_order, signed, waybill_order

CODE = "2026112100001-1"
BEARER = {"Authorization": f"Bearer {ERP_TOKEN}"}


def erp(peers: SandboxPeers, method: str, path: str, **more: Any) -> requests.Response:
    with requests.request(method, peers.erp_url + path, **{"headers": BEARER, "timeout": 10, **more}) as reply:
        return reply


def pushed(peers: SandboxPeers) -> str:
    return str(erp(peers, "POST", "/api/orders", json=erp_order()).json()["erp_no"])


def booked(peers: SandboxPeers) -> dict[str, str]:
    """What a cancel of a new waybill says."""
    number = ask(peers.carrier_url, waybill_order())["Order"]["LogisticCode"]
    return {"ShipperCode": "ZTO", "OrderCode": CODE, "ExpNo": number}


# --- the carrier


@pytest.mark.parametrize("name", ["ShipperCode", "OrderCode", "ExpNo"])
def test_a_waybill_is_voided_only_by_all_that_names_it(peers: SandboxPeers, name: str) -> None:
    cancel = booked(peers)
    lacking = {key: value for key, value in cancel.items() if key != name}

    assert ask(peers.carrier_url, lacking, "1147")["ResultCode"] == "101"
    assert ask(peers.carrier_url, {**cancel, name: "OTHER"}, "1147")["Reason"] == "取消失败，订单不存在"
    assert peers.ledger()["carrier"]["orders"][CODE]["cancelled"] is False


def test_a_void_waybill_is_told_apart_from_one_that_never_was(peers: SandboxPeers) -> None:
    cancel = booked(peers)

    first, second = (ask(peers.carrier_url, cancel, "1147") for _ in range(2))

    assert (first["Success"], first["ResultCode"]) == (True, "100")
    assert (second["Success"], second["ResultCode"], second["Reason"]) == (False, "105", "取消失败，订单已取消")
    assert peers.ledger()["counts"]["carrier.cancel_waybill.cancelled"] == 1


def test_a_cancel_with_a_wrong_signature_voids_nothing(peers: SandboxPeers) -> None:
    cancel = booked(peers)

    assert ask(peers.carrier_url, cancel, "1147", DataSign="x")["ResultCode"] == "102"
    assert peers.ledger()["carrier"]["orders"][CODE]["cancelled"] is False


def test_a_void_waybill_has_no_traces(peers: SandboxPeers) -> None:
    cancel = booked(peers)
    ask(peers.carrier_url, cancel, "1147")

    answer = ask(peers.carrier_url, {"ShipperCode": "ZTO", "LogisticCode": cancel["ExpNo"]}, "8001")

    assert (answer["Traces"], answer["State"]) == ([], "0")


@pytest.mark.parametrize(("fault", "is_void"), [("reset_after", True), ("reset_before", False)])
def test_a_lost_answer_leaves_the_waybill_void_and_a_lost_call_does_not(
    peers: SandboxPeers, fault: str, is_void: bool
) -> None:
    cancel = booked(peers)
    peers.configure_faults({"carrier": {fault: 1.0, "only": ["cancel_waybill"]}})

    with pytest.raises(requests.ConnectionError):
        requests.post(peers.carrier_url, signed(cancel, "1147"), timeout=10)

    assert peers.ledger()["carrier"]["orders"][CODE]["cancelled"] is is_void


# --- the ERP


def test_a_document_is_cancelled_once_and_shows_it(peers: SandboxPeers) -> None:
    erp_no = pushed(peers)

    first, second = (erp(peers, "POST", "/api/orders/SN1/cancel") for _ in range(2))

    assert (first.status_code, first.json()["status"], first.json()["erp_no"]) == (200, "cancelled", erp_no)
    assert (second.status_code, second.json()["status"]) == (409, "cancelled")
    assert erp(peers, "GET", "/api/orders/SN1").json()["status"] == "cancelled"
    told = peers.ledger()["erp"]["orders"]["SN1"]
    assert (told["documents"], told["cancelled"]) == ([erp_no], True)


def test_what_is_shipped_is_not_cancelled(peers: SandboxPeers) -> None:
    pushed(peers)
    cast(SandboxErp, peers._peers["erp"]).ship("SN1")

    reply = erp(peers, "POST", "/api/orders/SN1/cancel")

    assert (reply.status_code, reply.json()["status"]) == (409, "shipped")
    assert peers.ledger()["erp"]["orders"]["SN1"]["cancelled"] is False


def test_an_order_that_the_erp_does_not_hold_cannot_be_cancelled(peers: SandboxPeers) -> None:
    assert erp(peers, "POST", "/api/orders/SN9/cancel").status_code == 404
    assert "SN9" not in peers.ledger()["erp"]["orders"]


def test_nobody_cancels_without_credentials(peers: SandboxPeers) -> None:
    pushed(peers)

    assert erp(peers, "POST", "/api/orders/SN1/cancel", headers={}).status_code == 401
    assert peers.ledger()["erp"]["orders"]["SN1"]["cancelled"] is False


@pytest.mark.parametrize(("fault", "is_cancelled"), [("html_502", True), ("server_error", False), ("outage", False)])
def test_faults_strike_a_cancel_as_any_other_call(peers: SandboxPeers, fault: str, is_cancelled: bool) -> None:
    pushed(peers)
    share: float | bool = True if fault == "outage" else 1.0
    peers.configure_faults({"erp": {fault: share, "only": ["cancel_order"]}})

    assert erp(peers, "POST", "/api/orders/SN1/cancel").status_code >= 500
    assert peers.ledger()["erp"]["orders"]["SN1"]["cancelled"] is is_cancelled


def test_a_pushed_again_order_stays_cancelled(peers: SandboxPeers) -> None:
    headers = {**BEARER, "Idempotency-Key": "key-1"}
    erp(peers, "POST", "/api/orders", json=erp_order(), headers=headers)
    erp(peers, "POST", "/api/orders/SN1/cancel")

    again = erp(peers, "POST", "/api/orders", json=erp_order(), headers=headers)

    assert (again.status_code, again.json()["status"]) == (201, "cancelled")
    assert peers.ledger()["erp"]["documents"] == 1
