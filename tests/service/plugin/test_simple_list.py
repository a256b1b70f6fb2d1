"""GET /api/orders with Basic auth: the list that many integrations expect of a shop."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

import pytest
import requests
from sqlalchemy import select

from sync.sandbox.shop import seed_orders
from tests.service.plugin.php import PhpShop
from tests.service.shop.yard import CUP, NOW, STORED_NOW, TEA, Yard, parcel_of, ship, the_order

USER, PASSWORD = "warehouse", "a long pass:word 中"
LOGIN: Any = (USER.encode(), PASSWORD.encode())


@pytest.fixture
def listed(php_shop: PhpShop) -> PhpShop:
    php_shop.is_set(api_user=USER, api_password=PASSWORD)
    return php_shop


def get(shop: PhpShop, auth: Any = LOGIN, **parameters: Any) -> requests.Response:
    return requests.get(f"{shop.caller.url}/api/orders", params=parameters, auth=auth, timeout=20)


def test_an_order_is_told_in_plain_words(mariadb_yard: Yard, listed: PhpShop) -> None:
    mariadb_yard.order(1, TEA, CUP | {"product_id": 1}, email="buyer@shop.example", discount=3)
    answer = get(listed).json()
    assert answer == {
        "orders": [
            {
                "order_id": 1,
                "order_sn": "2026112200001",
                "status": "paid",
                "customer_name": "测试甲",
                "phone": "10000000001",
                "email": "buyer@shop.example",
                "address": answer["orders"][0]["address"],
                "total_amount": "261.00",
                "currency": "CNY",
                "order_date": "20261122",
                "paid_at": "2026-11-22T03:50:00Z",
                "shipping": "圆通速递",
                "lines": [
                    {"sku": "SBX-TEA-100", "name": "示例龙井茶 100g", "quantity": 2, "price": "128.00"},
                    {"sku": "SBX-CUP-1", "name": "示例陶瓷杯", "quantity": 1, "price": "128.00"},
                ],
            }
        ],
        "page": 1,
        "next": None,
    }
    regions = mariadb_yard.tables.region
    with mariadb_yard.engine.connect() as connection:
        named = select(regions.c.region_name).where(regions.c.region_id.in_([2, 3, 4])).order_by(regions.c.region_id)
        places = connection.scalars(named).all()
    assert answer["orders"][0]["address"] == " ".join([*places, "示例路 1 号"])


def test_a_route_parameter_is_as_good_as_a_path(mariadb_yard: Yard, listed: PhpShop) -> None:
    answer = requests.get(listed.caller.url, params={"r": "api/orders"}, auth=LOGIN, timeout=20)
    assert answer.json() == {"orders": [], "page": 1, "next": None}


def test_states_are_words(mariadb_yard: Yard, listed: PhpShop) -> None:
    states = {
        1: ({}, "paid"),
        2: ({"pay_status": 0}, "unpaid"),
        3: ({"order_status": 2, "pay_status": 0}, "cancelled"),
        4: ({"order_status": 3}, "invalid"),
        5: ({"order_status": 4}, "returned"),
        6: ({"order_status": 5, "shipping_status": 2}, "received"),
        7: ({"order_status": 6, "shipping_status": 4}, "partly_shipped"),
    }
    for order_id, (state, _) in states.items():
        mariadb_yard.order(order_id, **state)
    mariadb_yard.order(8)
    ship(mariadb_yard.shop(), parcel_of(the_order(mariadb_yard.shop(), "8")))
    told = {one["order_id"]: one["status"] for one in get(listed, status="all").json()["orders"]}
    assert told == {order_id: word for order_id, (_, word) in states.items()} | {8: "shipped"}
    assert [one["order_id"] for one in get(listed).json()["orders"]] == [1, 7]


@pytest.mark.parametrize("status", ["open", "all"])
def test_pages_hold_every_order_once(mariadb_yard: Yard, listed: PhpShop, status: str) -> None:
    seed_orders(mariadb_yard.engine, 17, 5, NOW)
    whole = [one["order_id"] for one in get(listed, status=status, limit=200).json()["orders"]]
    found, page = [], 1
    while page is not None:
        answer = get(listed, status=status, limit=5, page=page).json()
        assert answer["page"] == page
        found += [one["order_id"] for one in answer["orders"]]
        page = answer["next"]
    assert found == whole
    assert len(found) > 5


def test_since_is_a_true_time(mariadb_yard: Yard, listed: PhpShop) -> None:
    mariadb_yard.order(1)
    mariadb_yard.order(2, add_time=STORED_NOW)
    for status in ("open", "all"):
        answer = get(listed, since=int(NOW.timestamp()), status=status).json()
        assert [one["order_id"] for one in answer["orders"]] == [2]


def test_it_is_given_as_xml_too(mariadb_yard: Yard, listed: PhpShop) -> None:
    mariadb_yard.order(1, postscript="x", consignee="A & <B>")
    document = ElementTree.fromstring(get(listed, format="xml").content)
    assert document.findtext("orders/item/customer_name") == "A & <B>"


@pytest.mark.parametrize(
    "auth",
    [None, ("", ""), (USER, ""), (USER, "a wrong password"), ("x", PASSWORD.encode()), (USER + ":a", "long pass:word")],
)
def test_without_user_and_password_nothing_is_listed(mariadb_yard: Yard, listed: PhpShop, auth: Any) -> None:
    answer = get(listed, auth=auth)
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "credentials")
    assert answer.headers["WWW-Authenticate"].startswith("Basic ")


@pytest.mark.parametrize(
    ("user", "password"), [("", ""), ("", PASSWORD), (USER, ""), (USER, "fifteen letters")], ids=str
)
def test_the_list_is_off_unless_both_are_set_and_the_password_is_long(
    mariadb_yard: Yard, php_shop: PhpShop, user: str, password: str
) -> None:
    php_shop.is_set(api_user=user, api_password=password)
    answer = get(php_shop, auth=(user.encode(), password.encode()))
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "not_configured")


def test_the_signing_key_opens_no_list_and_the_password_no_other_route(mariadb_yard: Yard, listed: PhpShop) -> None:
    assert listed.caller.get("api/orders")[0] == 401
    answer = requests.get(listed.caller.url, params={"r": "orders"}, auth=LOGIN, timeout=20)
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "signature")


def test_the_list_wants_https_and_an_allowed_address_too(mariadb_yard: Yard, listed: PhpShop) -> None:
    listed.is_set(api_user=USER, api_password=PASSWORD, allow_http=False)
    assert get(listed).json()["error"]["code"] == "https_required"
    listed.is_set(api_user=USER, api_password=PASSWORD, allow=["203.0.113.7"])
    assert get(listed).json()["error"]["code"] == "address"


@pytest.mark.parametrize("parameters", [{"page": 0}, {"limit": 201}, {"status": "paid"}, {"since": "yesterday"}])
def test_a_parameter_that_makes_no_sense_is_named(
    mariadb_yard: Yard, listed: PhpShop, parameters: dict[str, Any]
) -> None:
    answer = get(listed, **parameters)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_request")
