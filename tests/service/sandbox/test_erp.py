from __future__ import annotations

from typing import Any

import pytest
import requests

from sync.sandbox.server import SandboxPeers, SandboxSettings
from tests.service.sandbox.by_hand import ERP_TOKEN, erp_order


def push(peers: SandboxPeers, order: Any, key: str = "", **more: Any) -> requests.Response:
    headers = {"Authorization": f"Bearer {ERP_TOKEN}"} | ({"Idempotency-Key": key} if key else {})
    arguments: dict[str, Any] = {"json": order, "headers": headers, "timeout": 10, **more}
    with requests.post(f"{peers.erp_url}/api/orders", **arguments) as reply:
        return reply


def find(peers: SandboxPeers, path: str) -> requests.Response:
    with requests.get(f"{peers.erp_url}{path}", headers={"Authorization": f"Bearer {ERP_TOKEN}"}, timeout=10) as reply:
        return reply


def test_an_order_becomes_a_document_and_is_found_both_ways(peers: SandboxPeers) -> None:
    reply = push(peers, erp_order())
    assert reply.status_code == 201
    document = reply.json()
    assert document["order_id"] == "SN1"
    assert find(peers, "/api/orders/SN1").json() == document
    assert find(peers, "/api/orders?order_id=SN1").json() == document
    assert find(peers, "/api/orders/SN2").status_code == 404
    assert find(peers, "/api/orders?order_id=SN2").status_code == 404


def test_basic_credentials_open_as_well_and_wrong_ones_do_not(peers: SandboxPeers) -> None:
    assert push(peers, erp_order(), headers={}, auth=("ecsync", ERP_TOKEN)).status_code == 201
    for bad in (("ecsync", "wrong"), ("somebody", ERP_TOKEN), None):
        assert push(peers, erp_order("SN2"), headers={}, auth=bad).status_code == 401
    for header in ("Bearer wrong", "Basic !!!", "Digest x", ""):
        assert push(peers, erp_order("SN2"), headers={"Authorization": header}).status_code == 401
    assert list(peers.ledger()["erp"]["orders"]["SN2"]["documents"]) == []


def test_the_same_key_and_body_give_the_same_answer_and_one_document(peers: SandboxPeers) -> None:
    first, second = (push(peers, erp_order(), "key-1") for _ in range(2))
    assert (second.status_code, second.json()) == (201, first.json())
    assert second.headers["Idempotent-Replayed"] == "true"
    told = peers.ledger()["erp"]["orders"]["SN1"]
    assert (len(told["documents"]), told["idempotency_keys"], told["calls"], told["adopted"]) == (1, ["key-1"], 2, 1)


def test_the_same_key_with_another_body_is_refused(peers: SandboxPeers) -> None:
    push(peers, erp_order(), "key-1")
    assert push(peers, erp_order(total_amount="119.00"), "key-1").status_code == 422


@pytest.mark.parametrize("key", ["", "key-2"])
def test_the_same_order_under_another_key_is_a_duplicate(peers: SandboxPeers, key: str) -> None:
    push(peers, erp_order(), "key-1")
    assert push(peers, erp_order(), key).status_code == 409
    assert peers.ledger()["erp"]["documents"] == 1


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"order_id": ""}, "order_id"),
        ({"order_id": 7}, "order_id"),
        ({"customer_name": None}, "customer_name"),
        ({"total_amount": "118"}, "total_amount"),
        ({"total_amount": 118.005}, "total_amount"),
        ({"total_amount": True}, "total_amount"),
        ({"order_date": "2026-11-21"}, "order_date"),
        ({"order_date": "20261301"}, "order_date"),
        ({"lines": []}, "lines"),
        ({"lines": [{"sku": "", "quantity": 1}]}, "line 1: sku"),
        ({"lines": [{"sku": "A", "quantity": 0}]}, "line 1: quantity"),
        ({"lines": [{"sku": "A", "quantity": 1}, {"sku": "B", "quantity": 1, "price": 1.005}]}, "line 2: price"),
    ],
)
def test_a_field_out_of_form_is_refused_by_name(peers: SandboxPeers, changes: dict[str, Any], named: str) -> None:
    reply = push(peers, erp_order(**changes))
    assert reply.status_code == 422
    assert named in reply.json()["message"]


@pytest.mark.parametrize("amount", [118, 118.5, 118.55, "118.00", "-3.50"])
def test_amounts_may_be_numbers_or_texts_of_two_decimals(peers: SandboxPeers, amount: object) -> None:
    assert push(peers, erp_order(total_amount=amount)).status_code == 201


def test_an_unknown_sku_is_refused_by_name() -> None:
    with SandboxPeers(SandboxSettings(unknown_skus=frozenset({"TS-01"}))) as peers:
        reply = push(peers, erp_order())
    assert (reply.status_code, reply.json()["error"]) == (422, "unknown_sku")
    assert "TS-01" in reply.json()["message"]


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff"])
def test_what_is_no_json_object_is_refused(peers: SandboxPeers, body: bytes) -> None:
    assert push(peers, None, data=body, json=None).status_code == 400


def test_another_path_is_not_found(peers: SandboxPeers) -> None:
    assert find(peers, "/api/customers").status_code == 404


def test_notices_are_kept_as_they_came(peers: SandboxPeers) -> None:
    notice = {"title": "物流异常", "message": "48 小时未揽收", "type": "warning"}
    with requests.post(peers.notice_url, json=notice, timeout=10) as reply:
        assert reply.status_code == 200
    with requests.post(peers.notice_url, data=b"plain", timeout=10) as reply:
        assert reply.status_code == 400
    assert peers.ledger()["notices"] == [notice]
