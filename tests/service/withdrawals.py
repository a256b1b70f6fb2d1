"""What the tests of withdrawn orders ask the peers' ledgers and the desk, and how they let things happen at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import select

from mappings.wire import Exchange
from sync import exceptions as desk
from sync.db.models import StepRow
from sync.services.poll_shop import poll_shop
from sync.services.reconcile import reconcile_shop
from sync.services.withdraw import CODE
from tests.service.house import SHOP, House
from tests.service.test_fulfilment import CARRIER, ERP


def live_waybills(house: House) -> list[str]:
    """What the carrier would still come for."""
    orders = house.peers.ledger()["carrier"]["orders"].values()
    return [number for order in orders if not order["cancelled"] for number in order["waybills"]]


def live_documents(house: House) -> list[str]:
    """What the ERP would still have shipped."""
    orders = house.peers.ledger()["erp"]["orders"].values()
    return [number for order in orders if not order["cancelled"] for number in order["documents"]]


def issued(house: House) -> int:
    return int(house.peers.ledger()["carrier"]["waybills_issued"])


def made(house: House) -> int:
    return int(house.peers.ledger()["erp"]["documents"])


def lines(house: House) -> list[desk.OpenException]:
    with house.rt.database.reading() as session:
        return desk.list_open(session)


def codes(house: House) -> list[str]:
    return sorted(line.code for line in lines(house))


def message(house: House) -> str:
    """What the warehouse is told."""
    (line,) = [line for line in lines(house) if line.code == CODE]
    return line.message


def states(house: House, order_sn: str) -> dict[str, str]:
    with house.rt.database.reading() as session:
        wanted = select(StepRow.name, StepRow.state).where(StepRow.order_id == house.order(order_sn).id)
        return dict(session.execute(wanted).all())


def notices(house: House) -> list[str]:
    return [notice["title"] for notice in house.peers.ledger()["notices"] if "撤回" in notice["title"]]


def is_balanced(house: House) -> bool:
    account = reconcile_shop(house.rt, SHOP)
    return account.difference == 0 and account.unaccounted == ()


def withdraw(house: House, order_sn: str, *, serve: bool = True) -> None:
    house.cancel(order_sn)
    found = poll_shop(house.rt, SHOP)
    assert found.withdrawn == 1
    if serve:
        house.serve(found.wakes)


def while_calling(house: House, kind: str, name: str, meanwhile: Callable[[], None]) -> None:
    """Let something happen after a step was claimed and before its peer is called."""
    connector = house.rt.carriers[CARRIER] if kind == "carrier" else house.rt.erps[ERP]
    original = getattr(connector, name)

    def call(*arguments: Any, **named: Any) -> Exchange[Any]:
        delattr(connector, name)
        meanwhile()
        exchange: Exchange[Any] = original(*arguments, **named)
        return exchange

    setattr(connector, name, call)
