"""The sandbox ERP's stock, asked by hand."""

from __future__ import annotations

from typing import Any, cast

import pytest
import requests

from sync.clock import utc_now
from sync.sandbox.erp import SandboxErp
from sync.sandbox.server import SandboxPeers
from tests.service.sandbox.by_hand import ERP_TOKEN, erp_order

HEADERS = {"Authorization": f"Bearer {ERP_TOKEN}"}


def stock_of(peers: SandboxPeers, **asked: str | int) -> Any:
    with requests.get(f"{peers.erp_url}/api/stock", params=asked, headers=HEADERS, timeout=10) as reply:
        assert reply.status_code == 200
        return {(row["sku"], row["warehouse"]): row["available"] for row in reply.json()["stock"]}


def push(peers: SandboxPeers, order: Any) -> None:
    with requests.post(f"{peers.erp_url}/api/orders", json=order, headers=HEADERS, timeout=10) as reply:
        assert reply.status_code == 201


@pytest.fixture
def erp(peers: SandboxPeers) -> SandboxErp:
    return cast(SandboxErp, peers._peers["erp"])


def test_an_order_reserves_what_it_asks_for_until_it_is_cancelled(peers: SandboxPeers, erp: SandboxErp) -> None:
    erp.stock.put("TS-01", 10, "SZ")
    erp.stock.put("TS-01", 5, "WH")
    wanted = sum(line["quantity"] for line in erp_order()["lines"] if line["sku"] == "TS-01")
    assert stock_of(peers) == {("TS-01", "SZ"): 10, ("TS-01", "WH"): 5}

    push(peers, erp_order())
    assert wanted > 0
    assert stock_of(peers) == {("TS-01", "SZ"): 10 - wanted, ("TS-01", "WH"): 5}
    erp.ship("SN1")
    assert stock_of(peers)["TS-01", "SZ"] == 10 - wanted, "what is shipped is gone as well"

    push(peers, erp_order("SN2"))
    with requests.post(f"{peers.erp_url}/api/orders/SN2/cancel", headers=HEADERS, timeout=10) as reply:
        assert reply.status_code == 200
    assert stock_of(peers)["TS-01", "SZ"] == 10 - wanted


def test_only_what_changed_since_is_told(peers: SandboxPeers, erp: SandboxErp) -> None:
    erp.stock.put("A", 1)
    erp.stock.put("B", 2)
    stock_of(peers)
    since = utc_now().isoformat()
    assert stock_of(peers, since=since) == {}
    erp.stock.put("B", 3)

    assert stock_of(peers, since=since) == {("B", ""): 3}


def test_figures_come_in_pages(peers: SandboxPeers, erp: SandboxErp) -> None:
    for sku in "ABC":
        erp.stock.put(sku, 1)

    assert [sorted(stock_of(peers, page=page, limit=2)) for page in (1, 2, 3)] == [
        [("A", ""), ("B", "")],
        [("C", "")],
        [],
    ]


def test_what_was_removed_or_forgotten_has_no_figure(peers: SandboxPeers, erp: SandboxErp) -> None:
    erp.stock.put("A", 1)
    erp.stock.put("B", 1)
    stock_of(peers)
    erp.stock.remove("A")
    assert stock_of(peers) == {("B", ""): 1}
    peers.reset()
    assert stock_of(peers) == {}


@pytest.mark.parametrize("asked", [{"page": "x"}, {"since": "soon"}])
def test_a_question_that_is_not_understood_is_refused(peers: SandboxPeers, asked: dict[str, str]) -> None:
    with requests.get(f"{peers.erp_url}/api/stock", params=asked, headers=HEADERS, timeout=10) as reply:
        assert reply.status_code == 400


def test_stock_is_not_told_to_strangers(peers: SandboxPeers) -> None:
    with requests.get(f"{peers.erp_url}/api/stock", timeout=10) as reply:
        assert reply.status_code == 401
