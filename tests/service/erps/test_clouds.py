"""Jushuitan and Wangdiantong in a whole house: over HTTP, with answers lost, always one document an order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import cast

import pytest
from prometheus_client import CollectorRegistry

from mappings.connector import ShippingErp
from mappings.errors import TransientError
from sync.clock import utc_now
from sync.db.models import CursorRow
from sync.db.orders import read_order
from sync.gateway import CallContext
from sync.metrics import Counters
from sync.runtime import Runtime
from sync.sandbox.jushuitan import SandboxJushuitan
from sync.secrets_box import new_key
from sync.services.poll_shop import poll_shop
from sync.services.sync_stock import sync_stock
from sync.services.take_shipments import take_shipments
from tests.service.erps.cloud_house import Cloud, CloudHouse, jushuitan, open_cloud_house, wangdiantong
from tests.service.house import SHOP

MAKERS: dict[str, Callable[..., Cloud]] = {"jushuitan": jushuitan, "wangdiantong": wangdiantong}


@pytest.fixture(params=sorted(MAKERS))
def maker(request: pytest.FixtureRequest) -> Callable[..., Cloud]:
    return MAKERS[request.param]


@pytest.fixture
def cloud(tmp_path: Path, maker: Callable[..., Cloud]) -> Iterator[CloudHouse]:
    with open_cloud_house(tmp_path, maker()) as opened:
        yield opened


def skus_of(cloud: CloudHouse) -> list[str]:
    with cloud.house.rt.database.reading() as session:
        return sorted({line.sku for row in cloud.house.orders() for line in read_order(session, row).lines})


def test_every_order_becomes_one_document_and_no_record_shows_a_secret_or_a_name(cloud: CloudHouse) -> None:
    numbers = cloud.house.seed(5)
    cloud.house.poll()
    cloud.house.settle()

    assert sorted(cloud.documents()) == sorted(numbers)
    assert {len(documents) for documents in cloud.documents().values()} == {1}
    assert {step.state for step in cloud.pushes()} == {"done"}
    assert cloud.desk() == []
    recorded = cloud.records()
    secrets = [cloud.erp.app_secret, *cloud.erp.app_secret.split(":")]
    secrets += [cloud.erp.access_token] if isinstance(cloud.erp, SandboxJushuitan) else []
    private = [text for who in cloud.consignees() for text in (who["name"], who["phone"], who["address"]["street"])]
    assert numbers[0] in recorded
    assert [text for text in (*secrets, *private) if text in recorded] == []


@pytest.mark.parametrize(
    "fault",
    [
        "reset_before", "server_error", "too_many", "reset_after", "truncated", "garbage", "html_200", "html_502",
        "gbk", "half_json",
    ],
)  # fmt: skip
def test_a_lost_or_damaged_answer_ends_with_exactly_one_document(cloud: CloudHouse, fault: str) -> None:
    cloud.faults(**{fault: 1.0, "only": ["create_order"], "retry_after_s": 0})
    numbers = cloud.house.seed(3)
    cloud.house.poll()
    cloud.house.settle()

    assert sorted(cloud.documents()) == sorted(numbers)
    assert {len(documents) for documents in cloud.documents().values()} == {1}
    assert {step.state for step in cloud.pushes()} == {"done"}


def test_three_answers_in_ten_lost_anywhere_make_no_second_document(cloud: CloudHouse) -> None:
    cloud.faults(reset_after=0.1, half_json=0.1, html_502=0.1, max_per_order=2)
    numbers = cloud.house.seed(20)
    cloud.house.poll()
    cloud.house.settle()

    assert sorted(cloud.documents()) == sorted(numbers)
    assert {len(documents) for documents in cloud.documents().values()} == {1}


@pytest.mark.parametrize("fault", ["", "reset_after", "half_json", "html_502"])
def test_an_order_that_the_shop_withdraws_is_cancelled_there(cloud: CloudHouse, fault: str) -> None:
    first, second = cloud.house.seed(2)
    cloud.house.poll()
    cloud.house.settle()
    if fault:
        cloud.faults(**{fault: 1.0, "only": ["cancel_order"]})
    cloud.house.cancel(first)
    cloud.house.poll()
    cloud.house.settle()

    assert cloud.cancelled() == [first]
    assert cloud.house.step("cancel_order", first).state == "done"
    assert second in cloud.documents()


def test_an_unknown_sku_parks_the_order_before_it_is_sent(cloud: CloudHouse) -> None:
    [number] = cloud.house.seed(1)
    found = poll_shop(cloud.house.rt, SHOP)
    cloud.erp.shelves.unknown = frozenset(skus_of(cloud)[:1])
    cloud.house.serve(found.wakes)

    assert cloud.documents() == {}
    assert cloud.asked("create_order") == []
    assert cloud.desk() == [f"{cloud.key.removeprefix('erp.')}.order.sku_unknown"]

    cloud.erp.shelves.unknown = frozenset()
    cloud.retry_all()
    assert list(cloud.documents()) == [number]


def test_stock_is_what_is_there_less_what_orders_have_locked(cloud: CloudHouse) -> None:
    cloud.house.seed(3)
    cloud.house.poll()
    cloud.house.settle()
    skus = skus_of(cloud)
    cloud.erp.shelves.put(skus[0], 50)
    rt = cloud.house.rt

    figures = rt.gateway.run(cloud.key, rt.erps[cloud.key].read_stock(None, [*skus, "never-heard-of"]), CallContext())

    locked = {shelf.sku: shelf.locked for shelf in cloud.erp.shelves.named(skus)}
    told = {figure.sku: figure.available for figure in figures}
    assert locked[skus[0]] > 0
    assert told[skus[0]] == 50 - locked[skus[0]]
    assert set(told) >= set(skus)


def test_stock_that_changed_since_a_time_is_read_too(cloud: CloudHouse) -> None:
    rt, started = cloud.house.rt, cloud.house.rt.clock.now()
    cloud.erp.shelves.put("A", 50)

    figures = rt.gateway.run(cloud.key, rt.erps[cloud.key].read_stock(started), CallContext())

    assert [(figure.sku, figure.available) for figure in figures] == [("A", 50)]


def test_after_the_first_run_the_cloud_is_asked_for_what_changed(cloud: CloudHouse) -> None:
    house = cloud.house
    sold = sorted({line.sku for line in house.rt.shops[SHOP].read_stock() if line.sku})
    sync_stock(house.rt, SHOP, approved_by="ops")
    asked = len(cloud.asked("read_stock"))
    cloud.erp.shelves.put(sold[0], 40)

    run = sync_stock(house.rt, SHOP)

    assert (run.is_full, [(change.sku, change.after) for change in run.written]) == (False, [(sold[0], 40)])
    assert len(cloud.asked("read_stock")) == asked + 1


def test_the_shop_shows_what_the_cloud_can_sell(cloud: CloudHouse) -> None:
    house = cloud.house
    house.seed(2)
    house.poll()
    house.settle()
    sold = {line.sku for line in house.rt.shops[SHOP].read_stock() if line.sku}
    for sku in sold:
        cloud.erp.shelves.put(sku, 40)

    run = sync_stock(house.rt, SHOP, approved_by="ops")

    assert any(shelf.locked for shelf in cloud.erp.shelves.named(sorted(sold))), "the orders there have taken some"
    assert len(run.written) > 1
    assert {change.after for change in run.written} == {40}, "what is promised is still on the shop's own shelves"


# --- Jushuitan


def test_a_token_that_ran_out_is_renewed_and_no_order_waits(tmp_path: Path) -> None:
    peer = jushuitan(refresh_token="sandbox-refresh")
    with open_cloud_house(tmp_path, peer) as cloud:
        peer.expire_token()
        numbers = cloud.house.seed(3)
        cloud.house.poll()
        cloud.house.settle()

        assert sorted(cloud.documents()) == sorted(numbers)
        assert cloud.asked("refresh_token") == [("refresh_token", "renewed")], "once, and it is remembered"
        assert [text for text in (peer.access_token, peer.refresh_token) if text in cloud.records()] == []


def test_a_renewed_token_is_known_to_other_workers_and_after_a_restart(tmp_path: Path) -> None:
    peer = jushuitan(refresh_token="sandbox-refresh")
    with open_cloud_house(tmp_path, peer, ECSYNC_SECRETS_KEY=new_key()) as cloud:
        peer.expire_token()
        [number] = cloud.house.seed(1)
        cloud.house.poll()
        cloud.house.settle()

        other = Runtime(cloud.house.rt.settings, counters=Counters(CollectorRegistry()))
        found = other.gateway.run(cloud.key, other.erps[cloud.key].find(number), CallContext())
        other.close()

        assert found is not None
        assert cloud.asked("refresh_token") == [("refresh_token", "renewed")]
        with cloud.house.rt.database.reading() as session:
            kept = session.get_one(CursorRow, f"kept.{cloud.key}").value
        assert kept.startswith("fernet:")
        assert [text for text in (peer.access_token, peer.refresh_token) if text in kept + cloud.records()] == []


def test_a_token_that_cannot_be_renewed_closes_the_door_and_orders_wait(tmp_path: Path) -> None:
    peer = jushuitan()
    with open_cloud_house(tmp_path, peer) as cloud:
        peer.expire_token()
        cloud.house.seed(2)
        cloud.house.poll()

        assert {step.state for step in cloud.pushes()} == {"owed"}
        assert cloud.desk() == ["erp.jushuitan.refused"]
        assert cloud.documents() == {}


def test_who_meets_jushuitans_limit_a_minute_waits_for_a_minute(tmp_path: Path) -> None:
    with open_cloud_house(tmp_path, jushuitan(per_minute=1)) as cloud:
        cloud.house.seed(1)
        cloud.house.poll()
        [step] = cloud.pushes()

        assert (step.state, step.last_code) == ("owed", "jushuitan.order.rate_limited")
        assert step.not_before is not None
        assert 50 < (step.not_before - utc_now()).total_seconds() <= 60
        assert cloud.documents() == {}


def test_an_order_that_jushuitan_shipped_is_not_cancelled(tmp_path: Path) -> None:
    peer = jushuitan()
    with open_cloud_house(tmp_path, peer) as cloud:
        [number] = cloud.house.seed(1)
        cloud.house.poll()
        cloud.house.settle()
        peer.order(number).status = "Sent"
        cloud.house.cancel(number)
        cloud.house.poll()
        cloud.house.settle()

        assert cloud.cancelled() == []
        assert "jushuitan.cancel.too_late" in cloud.desk()


def test_what_jushuitan_shipped_is_told_once_it_was_sent(tmp_path: Path) -> None:
    peer = jushuitan()
    with open_cloud_house(tmp_path, peer) as cloud:
        first, second = cloud.house.seed(2)
        cloud.house.poll()
        cloud.house.settle()
        rt, line = cloud.house.rt, peer.order(second).row["items"][0]
        erp = cast(ShippingErp, rt.erps[cloud.key])
        since = rt.clock.now() - timedelta(minutes=15)
        before = rt.gateway.run(cloud.key, erp.poll_shipments(since), CallContext())
        peer.ship(first, "SF100")
        peer.ship(second, "SF200", outer_oi_ids=(line["outer_oi_id"],))

        shipments = rt.gateway.run(cloud.key, erp.poll_shipments(since), CallContext())

        told = {one.external_ref: (one.waybill_no, dict(one.quantities)) for one in shipments}
        assert before == ()
        assert told[first] == ("SF100", dict(peer.order(first).pieces()))
        assert told[second] == ("SF200", {line["sku_id"]: line["qty"]})


@pytest.mark.parametrize("fault", ["", "reset_after", "half_json", "html_502"])
def test_the_number_of_jushuitans_warehouse_becomes_the_parcels(tmp_path: Path, fault: str) -> None:
    peer = jushuitan()
    with open_cloud_house(tmp_path, peer, ECSYNC_ERP_JUSHUITAN_TAKES_SHIPMENTS="1") as cloud:
        [number] = cloud.house.seed(1)
        cloud.house.poll()
        cloud.house.settle()
        peer.ship(number, "773000000000001", name="申通快递")
        if fault:
            cloud.faults(**{fault: 1.0, "only": ["poll_shipments"]})
            with pytest.raises(TransientError):
                take_shipments(cloud.house.rt, cloud.key)
            cloud.faults()

        run = take_shipments(cloud.house.rt, cloud.key)
        cloud.house.serve(run.wakes)

        parcel = cloud.house.shipment(number)
        assert (parcel.waybill_no, parcel.shipper_code, parcel.shipped_by) == ("773000000000001", "STO", cloud.key)
        assert dict(take_shipments(cloud.house.rt, cloud.key).counts) == {"known": 1}


# --- Wangdiantong


def test_what_wangdiantong_shipped_is_told_and_answered(tmp_path: Path) -> None:
    peer = wangdiantong()
    with open_cloud_house(tmp_path, peer) as cloud:
        first, second = cloud.house.seed(2)
        cloud.house.poll()
        cloud.house.settle()
        line = peer.trade(second).lines[0]
        whole, part = peer.ship(first, "ST100"), peer.ship(second, "ST200", oids=(line["oid"],))
        rt = cloud.house.rt
        erp = cast(ShippingErp, rt.erps[cloud.key])

        shipments = rt.gateway.run(cloud.key, erp.poll_shipments(rt.clock.now()), CallContext())
        rt.gateway.run(cloud.key, erp.settle_shipments({str(whole): "", str(part): "no such parcel"}), CallContext())
        again = rt.gateway.run(cloud.key, erp.poll_shipments(rt.clock.now()), CallContext())

        told = {one.external_ref: (one.waybill_no, dict(one.quantities)) for one in shipments}
        assert told == {first: ("ST100", {}), second: ("ST200", {line["spec_no"]: int(line["num"])})}
        assert peer.answers == {whole: ("0", ""), part: ("2", "no such parcel")}
        assert again == ()


def test_the_number_of_wangdiantongs_warehouse_becomes_the_parcels(tmp_path: Path) -> None:
    peer = wangdiantong()
    with open_cloud_house(tmp_path, peer, ECSYNC_ERP_WANGDIANTONG_TAKES_SHIPMENTS="1") as cloud:
        [number] = cloud.house.seed(1)
        cloud.house.poll()
        cloud.house.settle()
        sync_id = peer.ship(number, "773000000000001", name="申通快递")

        run = take_shipments(cloud.house.rt, cloud.key)
        cloud.house.serve(run.wakes)

        parcel = cloud.house.shipment(number)
        assert (parcel.waybill_no, parcel.shipper_code, parcel.shipped_by) == ("773000000000001", "STO", cloud.key)
        assert peer.answers == {sync_id: ("0", "")}
        assert dict(take_shipments(cloud.house.rt, cloud.key).counts) == {}


def test_who_asks_wangdiantong_too_often_waits_ten_minutes(tmp_path: Path) -> None:
    with open_cloud_house(tmp_path, wangdiantong(per_minute=1)) as cloud:
        cloud.house.seed(1)
        cloud.house.poll()
        [step] = cloud.pushes()

        assert (step.state, step.last_code) == ("owed", "wangdiantong.order.rate_limited")
        assert step.not_before is not None
        assert 590 < (step.not_before - utc_now()).total_seconds() <= 600
        assert cloud.documents() == {}


def test_the_clouds_refuse_a_forged_call(maker: Callable[..., Cloud], tmp_path: Path) -> None:
    wrong = {"ECSYNC_ERP_JUSHUITAN_APP_SECRET": "wrong", "ECSYNC_ERP_WANGDIANTONG_APP_SECRET": "wrong:sandbox-wdt-salt"}
    peer = maker()
    own = {name: text for name, text in wrong.items() if ("JUSHUITAN" in name) == isinstance(peer, SandboxJushuitan)}
    with open_cloud_house(tmp_path, peer, **own) as cloud:
        cloud.house.seed(1)
        cloud.house.poll()

        assert cloud.documents() == {}
        assert cloud.desk() == [f"{cloud.key}.refused"]
