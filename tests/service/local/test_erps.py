"""The demo's ERPs: each has settings that its connector takes, and a sandbox that understands what it sends."""

from __future__ import annotations

from pathlib import Path

import pytest

from sync.local.broker import free_port
from sync.local.erps import GENERIC, NAMES, ChosenErp
from sync.sandbox.erps import build_erp
from tests.service.house import open_house
from tests.service.test_fulfilment import documents
from tests.service.withdrawals import live_documents, withdraw

SECRET = "demo-secret-of-one-erp"


@pytest.mark.parametrize("name", NAMES)
def test_orders_reach_each_of_them_once_and_a_withdrawn_one_is_taken_back(name: str, tmp_path: Path) -> None:
    port = free_port()
    chosen = ChosenErp(name, port, SECRET)
    without = {"ECSYNC_ERP_GENERIC_REST_BASE_URL": None, "ECSYNC_ERP_GENERIC_REST_TOKEN": None}
    settings: dict[str, str | None] = {**(without if name != GENERIC else {}), **chosen.settings}
    with open_house(tmp_path, sandbox={"erp": name, "erp_port": port, "erp_token": SECRET}, **settings) as house:
        kept, cancelled = house.seed(2)
        house.poll()
        for _ in range(2):  # one of them numbers an order at the second look only
            house.settle()
        assert {order: len(found) for order, found in documents(house).items()} == {kept: 1, cancelled: 1}
        assert house.order(kept).erp_no not in ("", "accepted")

        withdraw(house, cancelled)
        house.settle()

        assert len(live_documents(house)) == 1


def test_an_erp_that_nobody_imitates_is_said(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no ERP is called 'odoo'; known are generic_rest, "):
        build_erp("odoo", None)  # type: ignore[arg-type]  # what it is told does not matter
