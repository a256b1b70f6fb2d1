"""Kuaidi100's pushes in a house: what is believed, what it leads to, and what goes to a person."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from sync.clock import BusinessClock, utc_now
from sync.db.models import InboxRow, TrackingEventRow
from sync.sandbox.http import HttpServer, Request, Response
from sync.sandbox.journeys import JourneyMix
from sync.services.receive_callback import Push, receive_callback
from tests.service.kuaidi100_house import (
    CARRIER,
    DELIVERED,
    DELIVERING,
    ORDERED,
    PICKED_UP,
    PICKUP,
    TRANSIT,
    Kuaidi100House,
    open_kuaidi100_house,
)


@pytest.fixture
def house(tmp_path: Path, database_url: str) -> Iterator[Kuaidi100House]:
    with open_kuaidi100_house(tmp_path, ECSYNC_DATABASE_URL=database_url) as opened:
        yield opened


@pytest.fixture
def shipped(house: Kuaidi100House) -> str:
    return house.ship()


def events(house: Kuaidi100House) -> list[tuple[str, str | None]]:
    with house.rt.database.reading() as session:
        rows = session.execute(select(TrackingEventRow).order_by(TrackingEventRow.id)).scalars()
        return [(row.fields["raw_code"], row.canonical) for row in rows]


def test_pushes_lead_an_order_to_its_delivery(house: Kuaidi100House, shipped: str) -> None:
    assert house.push(house.told(shipped, ORDERED)) == {"result": True, "returnCode": "200", "message": "成功"}
    assert (house.shipment(shipped).status, house.shipment(shipped).pickup_at) == ("info_received", None)

    house.push(house.told(shipped, ORDERED, PICKED_UP))
    shipment, shown = house.shipment(shipped), house.shop_order(shipped)
    assert shipment.status == "picked_up"
    assert shipment.pickup_at is not None
    assert (shown.shipping_status, shown.invoice_nos) == (1, (shipment.waybill_no,))

    house.push(house.told(shipped, ORDERED, PICKED_UP, TRANSIT, DELIVERING, DELIVERED, status="shutdown"))
    assert house.shipment(shipped).status == "delivered"
    assert house.step("remind_review", shipped).state == "owed"
    assert house.lines() == []


@pytest.mark.parametrize("more", [{}, PICKUP], ids=["label", "merchant_pickup"])
def test_the_platform_s_own_pushes_lead_orders_to_their_delivery(tmp_path: Path, more: dict[str, str]) -> None:
    """Over HTTP, with the sandbox's own journeys: two days pass in some seconds. Of an ordered courier the states of
    the order come first, then tracking."""
    now = utc_now()
    held: dict[str, Kuaidi100House] = {}

    def receiver(request: Request) -> Response:
        push = Push(request.body, request.headers.get("content-type", ""), "127.0.0.1")
        reply = receive_callback(held["house"].rt, CARRIER, push)
        return Response(reply.status, reply.body, reply.headers["content-type"])

    server = HttpServer(receiver)
    server.start()
    sandbox = {
        "clock": BusinessClock(now, now, 40_000),
        "mix": JourneyMix(locker=0, exception=0, returned=0),
        "faults": {"push": {"duplicate": 0.5, "reorder": 0.3, "forged": 0.3}},
        "push_backoff_s": 0.05,
    }
    hook = {"ECSYNC_CARRIER_KUAIDI100_CALLBACK_URL": f"{server.url}/callbacks/kuaidi100"}
    try:
        with open_kuaidi100_house(tmp_path, sandbox=sandbox, **hook, **more) as house:
            held["house"] = house
            numbers = house.seed(3)
            house.poll()
            assert house.peers.wait_until(lambda ledger: ledger["pushes"]["counts"].get("accepted", 0) >= 6 * 3, 60)
            assert house.peers.wait_until(lambda _: house.peers.kuaidi100_sender.waiting == 0, 30)
            house.settle()
            assert {house.shipment(order_sn).status for order_sn in numbers} == {"delivered"}
            assert "forged_accepted" not in house.peers.ledger()["pushes"]["counts"]
    finally:
        server.stop()


def test_an_unsigned_or_wrongly_signed_push_stores_nothing(house: Kuaidi100House, shipped: str) -> None:
    told = house.told(shipped, PICKED_UP, DELIVERED)

    heard = house.push(told, salt="another")
    unsigned = house.receive(b"param=%7B%22lastResult%22%3A%7B%7D%7D")

    assert (heard["result"], heard["returnCode"]) == (False, "500")
    assert unsigned.status == 401
    with house.rt.database.reading() as session:
        assert session.query(InboxRow).count() == 0
    assert house.shipment(shipped).status == "info_received"


def test_a_corrected_courier_company_is_the_parcel_s_from_then_on(house: Kuaidi100House, shipped: str) -> None:
    was = house.shipment(shipped).shipper_code
    corrected = house.told(shipped, PICKED_UP, autoCheck="1", comOld="zhongtong", comNew="yuantong")
    corrected["lastResult"]["com"] = "yuantong"

    house.push(corrected)

    shipment = house.shipment(shipped)
    assert (was != "YTO", shipment.shipper_code, shipment.status) == (True, "YTO", "picked_up")
    assert house.waybills() == {shipment.order_code: [shipment.waybill_no]}


def test_the_end_of_following_changes_nothing_and_is_kept(house: Kuaidi100House, shipped: str) -> None:
    house.push(house.told(shipped, PICKED_UP))

    heard = house.push(house.told(shipped, status="abort", message="3天查询无记录"))

    assert heard["result"] is True
    assert house.shipment(shipped).status == "picked_up"
    assert ("abort", None) in events(house)
    assert house.lines() == []


def test_a_code_nobody_mapped_goes_to_the_desk_and_moves_nothing(house: Kuaidi100House, shipped: str) -> None:
    house.push(house.told(shipped, PICKED_UP, ("987", "新状态")))

    assert house.shipment(shipped).status == "picked_up"
    assert {line.code for line in house.lines()} == {f"{CARRIER}.status_unmapped"}


def test_a_push_that_is_bad_in_part_is_applied_in_part_and_told(house: Kuaidi100House, shipped: str) -> None:
    told = house.told(shipped, PICKED_UP)
    told["lastResult"]["data"].insert(0, {"time": "soon", "context": "?"})

    assert house.push(told)["result"] is True

    assert house.shipment(shipped).status == "picked_up"
    assert {line.code for line in house.lines()} == {"callback.unreadable"}
