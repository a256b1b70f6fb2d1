"""An order that an ERP cannot take as it is: on the desk, in words, and a retry after the correction brings it in."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from sync import exceptions as desk
from sync.local.broker import free_port
from sync.local.erps import GENERIC, ChosenErp
from tests.service.house import open_house
from tests.service.test_fulfilment import documents, waybills
from tests.service.withdrawals import lines

SECRET = "secret-of-a-strict-erp"


@pytest.mark.parametrize(
    ("name", "code", "is_sent"),
    [(GENERIC, "generic_rest.order.refused", True), ("shopex_oms", "shopex_oms.order.sku_unknown", False)],
)
def test_an_unknown_sku_is_parked_and_goes_in_once_it_is_known_there(
    tmp_path: Path, name: str, code: str, is_sent: bool
) -> None:
    port = free_port()
    with_generic = {"ECSYNC_ERP_GENERIC_REST_BASE_URL": None, "ECSYNC_ERP_GENERIC_REST_TOKEN": None}
    settings: dict[str, str | None] = {**with_generic, **ChosenErp(name, port, SECRET).settings}
    with open_house(tmp_path, sandbox={"erp": name, "erp_port": port, "erp_token": SECRET}, **settings) as house:
        erp = cast(Any, house.peers._peers["erp"])
        erp.unknown_skus = frozenset(line.sku for line in house.rt.shops["shop.main"].read_stock())
        (order_sn,) = house.seed()
        house.poll()

        (line,) = lines(house)
        assert (line.code, line.order_sn, line.peer) == (code, order_sn, f"erp.{name}")
        assert ("erp.create_order" in house.peers.ledger()["counts"]) is is_sent
        assert len(waybills(house)) == 1, "the parcel waits for no ERP"

        erp.unknown_skus = frozenset()
        with house.rt.database.writing() as session:
            assert desk.retry_exception(session, line.id, "han.mei", "entered there")
        house.settle()

        assert len(documents(house)[order_sn]) == 1
        assert lines(house) == []
