from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urljoin

import pytest
import requests

from sync.sandbox.faults import FaultInjector, FaultKind, Faults, PushFaults
from sync.sandbox.server import SandboxPeers, SandboxSettings
from tests.service.sandbox.by_hand import ERP_TOKEN, ask, erp_order, signed, waybill_order

Start = Callable[[SandboxSettings], SandboxPeers]


def book(peers: SandboxPeers, code: str = "A1", timeout_s: float = 10) -> requests.Response:
    with requests.post(peers.carrier_url, signed(waybill_order(code)), timeout=timeout_s) as reply:
        return reply


def waybills(peers: SandboxPeers, code: str = "A1") -> list[str]:
    orders = peers.ledger()["carrier"]["orders"]
    numbers = orders[code]["waybills"]
    assert isinstance(numbers, list)
    return numbers


@pytest.mark.parametrize(("fault", "status"), [("server_error", 500), ("too_many", 429)])
def test_a_failure_before_the_order_takes_nothing_and_the_repeat_is_a_first(
    peers: SandboxPeers, fault: str, status: int
) -> None:
    peers.configure_faults({"carrier": {fault: 1}})
    assert book(peers).status_code == status
    assert waybills(peers) == []
    assert json.loads(book(peers).content)["ResultCode"] == "100"
    assert peers.ledger()["carrier"]["orders"]["A1"]["faults"] == [fault]


def test_429_says_when_to_come_back(peers: SandboxPeers) -> None:
    peers.configure_faults({"carrier": {"too_many": 1, "retry_after_s": 7}})
    assert book(peers).headers["Retry-After"] == "7"


def test_a_business_refusal_takes_nothing_and_says_what_it_is_told_to_say(peers: SandboxPeers) -> None:
    peers.configure_faults({"carrier": {"business": 1}, "erp": {"business": 1, "business_code": "423"}})
    refused = json.loads(book(peers).content)
    assert (refused["Success"], refused["ResultCode"], refused["Reason"]) == (False, "105", "系统繁忙，请稍后再试")
    assert waybills(peers) == []
    headers = {"Authorization": f"Bearer {ERP_TOKEN}"}
    with requests.post(f"{peers.erp_url}/api/orders", json=erp_order(), headers=headers, timeout=10) as reply:
        assert reply.status_code == 423


@pytest.mark.parametrize(("fault", "taken"), [("reset_before", 0), ("reset_after", 1)])
def test_a_reset_before_takes_nothing_and_a_reset_after_keeps_the_order(
    peers: SandboxPeers, fault: str, taken: int
) -> None:
    peers.configure_faults({"carrier": {fault: 1}})
    with pytest.raises(requests.ConnectionError):
        book(peers)
    assert len(waybills(peers)) == taken
    assert json.loads(book(peers).content)["ResultCode"] == ("106" if taken else "100")
    assert len(waybills(peers)) == 1


def test_a_hang_keeps_the_order_and_lets_the_client_run_into_its_own_timeout(peers: SandboxPeers) -> None:
    peers.configure_faults({"carrier": {"hang_after": 1, "hang_s": 60}})
    with pytest.raises(requests.ReadTimeout):
        book(peers, timeout_s=0.2)
    assert len(waybills(peers)) == 1


def test_a_hang_shorter_than_the_timeout_ends_in_a_closed_connection(peers: SandboxPeers) -> None:
    peers.configure_faults({"carrier": {"hang_after": 1, "hang_s": 0.05}})
    with pytest.raises(requests.ConnectionError):
        book(peers)


def test_half_a_promised_body_is_a_broken_transfer_with_the_order_kept(peers: SandboxPeers) -> None:
    peers.configure_faults({"carrier": {"truncated": 1}})
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        book(peers)
    assert len(waybills(peers)) == 1


@pytest.mark.parametrize(
    ("fault", "status", "looks_wrong"),
    [
        ("garbage", 200, lambda body: b"\x00" in body),
        ("html_200", 200, lambda body: body.startswith(b"<html>")),
        ("html_502", 502, lambda body: body.startswith(b"<html>")),
        ("half_json", 200, lambda body: body.startswith(b"{") and not body.endswith(b"}")),
        ("gbk", 200, lambda body: "北京市".encode("gbk") in body and "北京市".encode() not in body),
    ],
)
def test_a_damaged_answer_keeps_the_order(
    peers: SandboxPeers, fault: str, status: int, looks_wrong: Callable[[bytes], bool]
) -> None:
    peers.configure_faults({"carrier": {fault: 1}})
    reply = book(peers)
    assert reply.status_code == status
    assert looks_wrong(reply.content)
    assert len(waybills(peers)) == 1


def test_a_drip_outlasts_a_read_timeout_that_looks_at_each_piece_only(peers: SandboxPeers) -> None:
    peers.configure_faults({"carrier": {"drip": 1, "drip_s": 0.4}})
    started = time.monotonic()
    assert json.loads(book(peers, timeout_s=0.2).content)["ResultCode"] == "100"
    assert time.monotonic() - started >= 0.4


def test_latency_is_kept_before_every_answer(peers: SandboxPeers) -> None:
    peers.configure_faults({"carrier": {"latency_ms": 50, "latency_jitter_ms": 10}})
    started = time.monotonic()
    assert book(peers).status_code == 200
    assert time.monotonic() - started >= 0.05


def test_an_outage_lasts_until_it_is_switched_off_however_often_one_order_asks(peers: SandboxPeers) -> None:
    peers.configure_faults({"carrier": {"outage": True}})
    assert {book(peers).status_code for _ in range(4)} == {503}
    peers.configure_faults({"carrier": {}})
    assert book(peers).status_code == 200


def test_an_outage_may_last_for_the_first_calls_only(peers: SandboxPeers) -> None:
    peers.configure_faults({"carrier": {"outage_first_calls": 2}})
    assert [book(peers, code).status_code for code in ("A", "B", "C", "A")] == [503, 503, 200, 200]


def test_one_order_is_hit_no_more_often_than_allowed(peers: SandboxPeers) -> None:
    peers.configure_faults({"carrier": {"server_error": 1, "max_per_order": 2}})
    assert [book(peers).status_code for _ in range(4)] == [500, 500, 200, 200]
    peers.configure_faults({"carrier": {"server_error": 1, "max_per_order": 0}})
    assert {book(peers).status_code for _ in range(5)} == {500}


def test_faults_may_be_kept_to_one_operation(peers: SandboxPeers) -> None:
    peers.configure_faults({"carrier": {"server_error": 1, "only": "query_tracking", "max_per_order": 0}})
    assert book(peers).status_code == 200
    query = signed({"ShipperCode": "ZTO", "LogisticCode": waybills(peers)[0]}, "8001")
    with requests.post(peers.carrier_url, query, timeout=10) as reply:
        assert reply.status_code == 500


def test_a_duplicate_may_be_answered_without_the_order_and_an_answer_begin_with_a_bom(peers: SandboxPeers) -> None:
    peers.configure_faults({"carrier": {"bare_duplicate": 1, "bom": 1}})
    assert book(peers).content.startswith(b"\xef\xbb\xbf{")
    again = ask(peers.carrier_url, waybill_order("A1"))
    assert (again["ResultCode"], "Order" in again) == ("106", False)
    assert len(waybills(peers)) == 1


def test_shares_hit_about_as_many_orders_as_they_say_and_the_same_ones_every_time() -> None:
    def fates(seed: int, codes: list[str]) -> dict[str, FaultKind | None]:
        injector = FaultInjector(seed, Faults(reset_after=0.2, html_502=0.1))
        return {code: injector.draw("book_waybill", code).kind for code in codes}

    codes = [f"A{number}" for number in range(2000)]
    first = fates(7, codes)
    kinds = list(first.values())
    assert 320 < kinds.count(FaultKind.RESET_AFTER) < 480
    assert 140 < kinds.count(FaultKind.HTML_502) < 260
    assert fates(7, codes[::-1]) == first
    assert fates(8, codes) != first


def test_a_share_below_one_and_a_count_survive_reading() -> None:
    assert Faults.read({"drip": 0.25, "hang_s": 1, "max_per_order": 2}) == Faults(
        drip=0.25, hang_s=1.0, max_per_order=2
    )


@pytest.mark.parametrize(
    ("sections", "sentence"),
    [
        ({"carrier": {"explode": 1}}, "explode"),
        ({"carrier": {"drip": "often"}}, "drip"),
        ({"carrier": {"drip": -1}}, "drip"),
        ({"carrier": {"drip": True}}, "drip"),
        ({"carrier": {"drip": 0.6, "garbage": 0.6}}, "together"),
        ({"carrier": {"outage": 1}}, "outage"),
        ({"carrier": {"max_per_order": 1.5}}, "max_per_order"),
        ({"carrier": 3}, "object"),
        ({"moon": {}}, "moon"),
        ({"erp": {}, "push": {"batch": "2"}}, "batch"),
    ],
)
def test_faults_that_do_not_exist_are_refused_by_name_and_change_nothing(
    peers: SandboxPeers, sections: Any, sentence: str
) -> None:
    before = peers.faults()
    for url in (peers.carrier_url, peers.erp_url, peers.notice_url):
        with requests.post(urljoin(url, "/_faults"), json=sections, timeout=10) as reply:
            assert reply.status_code == 400
            assert sentence in reply.json()["error"]
    assert peers.faults() == before


def test_faults_given_at_start_hold_and_others_can_be_posted_while_it_runs(start: Start) -> None:
    peers = start(SandboxSettings(faults={"carrier": {"outage": True}, "push": {"batch": 3}}))
    assert book(peers).status_code == 503
    control = f"http://127.0.0.1:{peers.ports()['erp']}/_faults"
    with requests.post(control, json={"carrier": {"latency_ms": 1}}, timeout=10) as reply:
        assert reply.status_code == 200
    assert book(peers).status_code == 200
    with requests.get(control, timeout=10) as reply:
        told = reply.json()
    assert (told["carrier"]["latency_ms"], told["carrier"]["outage"], told["push"]["batch"]) == (1, False, 3)
    assert PushFaults.read({"batch": 3}) == peers.sender.faults


def test_a_reset_forgets_orders_and_records_but_keeps_the_faults(peers: SandboxPeers) -> None:
    peers.configure_faults({"carrier": {"server_error": 1}})
    book(peers)
    book(peers)
    control = f"http://127.0.0.1:{peers.ports()['carrier']}"
    with requests.post(f"{control}/_reset", timeout=10) as reply:
        assert reply.status_code == 200
    with requests.get(f"{control}/_ledger", timeout=10) as reply:
        assert (reply.json()["calls"], reply.json()["carrier"]["orders"]) == ([], {})
    assert [book(peers).status_code for _ in range(2)] == [500, 200]
    assert peers.ledger()["carrier"]["orders"]["A1"]["adopted"] == 0


def test_the_ledger_over_http_is_the_same_as_in_python_and_can_be_brief(peers: SandboxPeers) -> None:
    book(peers)
    control = f"http://127.0.0.1:{peers.ports()['notices']}"
    with requests.get(f"{control}/_ledger", timeout=10) as reply:
        assert reply.json() == peers.ledger()
        assert [call["note"] for call in reply.json()["calls"]] == ["issued"]
    with requests.get(f"{control}/_ledger?brief=1", timeout=10) as reply:
        assert reply.json() == peers.ledger(brief=True)
        assert "calls" not in reply.json()
    with requests.get(f"{control}/_nothing", timeout=10) as reply:
        assert reply.status_code == 404
