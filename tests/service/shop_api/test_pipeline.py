"""The whole way of an order, with a shop behind the plug-in: configured, polled, written to as any other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from sync.services.check import check
from sync.shops.ecshop_api import EcshopApiShop
from tests.service import test_fulfilment, test_parcels, test_tracking
from tests.service.house import SHOP, House, open_house
from tests.service.plugin.php import KEY
from tests.service.shop_api.way import PluginYard

people = test_parcels.people
shipped = test_tracking.shipped

_TOO: dict[ModuleType, tuple[str, ...]] = {
    test_fulfilment: (
        "test_a_paid_order_gets_one_waybill_an_erp_document_and_a_note_in_the_shop",
        "test_polling_again_and_losing_every_message_changes_nothing",
        "test_an_order_cancelled_before_its_waybill_never_reaches_the_carrier",
        "test_an_order_that_cannot_be_read_is_parked_and_the_others_go_on",
        "test_every_paid_order_is_in_exactly_one_bucket",
        "test_an_order_that_fell_out_of_every_bucket_is_named",
        "test_no_name_phone_or_street_stands_in_any_record",
        "test_an_unreadable_order_leaves_the_desk_when_the_shop_no_longer_owes_it",
        "test_an_edit_after_the_waybill_is_told_and_still_reaches_the_erp",
    ),
    test_parcels: (
        "test_an_order_that_staff_split_gets_a_waybill_for_each_part_and_one_erp_document",
        "test_an_address_edited_between_poll_and_booking_is_the_one_on_the_waybill",
        "test_an_order_that_staff_shipped_before_its_booking_keeps_their_number",
        "test_staff_read_in_the_orders_log_that_a_pickup_is_overdue",
    ),
    test_tracking: ("test_a_pickup_shows_the_order_as_shipped_in_the_shop_with_the_pickup_time",),
}
"""What the services do of these, they do whatever the shop is reached by."""
for _module, _names in _TOO.items():
    globals().update({name: getattr(_module, name) for name in _names})


@pytest.fixture
def house(tmp_path: Path, mariadb_yard: PluginYard) -> Iterator[House]:
    with open_house(
        tmp_path,
        ECSYNC_SHOP_MAIN_DSN=None,
        ECSYNC_SHOP_MAIN_CONNECTOR="ecshop_api",
        ECSYNC_SHOP_MAIN_URL=mariadb_yard.plugin_url,
        ECSYNC_SHOP_MAIN_KEY=KEY,
    ) as opened:
        yield House(opened.rt, mariadb_yard.engine, opened.peers)


def test_the_connector_is_found_by_its_name_and_handed_the_way_out(house: House) -> None:
    shop = house.rt.shops[SHOP]
    assert isinstance(shop, EcshopApiShop)
    assert shop.find_id("nothing") is None


def test_the_installation_s_check_says_what_the_plug_in_says(house: House) -> None:
    house.seed(2)
    findings = {one.subject: one for one in check(house.rt) if one.subject.startswith(SHOP)}
    assert "ecsync.php" in findings[f"{SHOP}: plug-in"].detail
    assert findings[f"{SHOP}: engine"].detail.startswith("MyISAM")


def test_a_shop_s_work_is_one_attempt_however_many_requests_it_takes(house: House) -> None:
    (order_sn,) = house.seed()
    house.poll()
    written = [one.operation for one in test_fulfilment.attempts(house, SHOP)]
    assert written.count("write_note") == 1
    assert house.shipment(order_sn).waybill_no
    assert house.rt.door.ask(SHOP) is None
