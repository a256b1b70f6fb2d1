"""`ecsync explain order`: where each field comes from that an ERP is told, with nobody's name in it."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from click.testing import CliRunner, Result

from mappings.connector import ErpConnector
from mappings.erps.jushuitan import JushuitanErp
from mappings.erps.shopex_oms import ShopexOms
from mappings.erps.wangdiantong import WangdiantongErp
from mappings.explaining import Explained, ExplainingErp
from mappings.model import ErpOrder
from mappings.wire import HttpCall
from sync import cli
from sync.db.orders import find_by_sn, read_order
from sync.services.push_order import describe_order
from tests.service.house import House, open_house
from tests.service.test_fulfilment import ERP, documents

SETTINGS: dict[str, str | None] = {
    "ECSYNC_ERP_GENERIC_REST_FIELD_MAP": "order_id=orderNo,phone=tel,lines.sku=materialCode",
    "ECSYNC_ERP_GENERIC_REST_EXTRA_FIELDS": "source=ecshop,lines.unit=PCS",
}


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with open_house(tmp_path, sandbox=None, **SETTINGS) as opened:
        yield opened


@pytest.fixture
def order_sn(house: House) -> str:
    """An order that we hold; the ERP, which reads other names, has refused it."""
    (order_sn,) = house.seed()
    house.poll()
    return order_sn


def shell(house: House, monkeypatch: pytest.MonkeyPatch, *words: str) -> Result:
    monkeypatch.setattr(cli, "Runtime", lambda settings: house.rt)
    monkeypatch.setattr(cli, "load_settings", lambda: house.rt.settings)
    return CliRunner().invoke(cli.main, ["explain", "order", *words])


def test_each_field_names_its_source_its_rule_and_its_value(
    house: House, order_sn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = json.loads(shell(house, monkeypatch, order_sn, "--erp", "generic_rest", "--json").stdout)
    fields = {field["target"]: (field["source"], field["rule"], field["value"]) for field in told["fields"]}

    assert fields["orderNo"][1:] == ("field_map", order_sn)
    assert fields["total_amount"][:2] == ("order.total_fen", "under its own name, amount_format")
    assert fields["source"] == ("the setting extra_fields", "constant", "ecshop")
    assert fields["lines[0].unit"] == ("the setting extra_fields", "constant", "PCS")
    assert fields["lines[0].materialCode"][:2] == ("line.sku", "field_map")
    assert "customer_name" in fields


def test_what_is_explained_is_what_is_sent(house: House, order_sn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    told = json.loads(shell(house, monkeypatch, order_sn, "--json").stdout)
    assert isinstance(house.rt.erps[ERP], ExplainingErp)
    sent = json.loads(_body(house, order_sn))

    flat = {name: value for name, value in sent.items() if name != "lines"}
    flat |= {f"lines[{n}].{name}": value for n, line in enumerate(sent["lines"]) for name, value in line.items()}
    assert sorted(field["target"] for field in told["fields"]) == sorted(flat)


def _body(house: House, order_sn: str) -> bytes:
    with house.rt.database.reading() as session:
        order = describe_order(read_order(session, house.order(order_sn)), order_sn)
    call = next(house.rt.erps[ERP].create(order))
    return call.body


def test_no_name_phone_street_or_secret_is_shown(house: House, order_sn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    who = house.order(order_sn).header["consignee"]

    said = shell(house, monkeypatch, order_sn).stdout

    for private in (who["name"], who["phone"], who["address"]["street"], house.peers.settings.erp_token):
        assert private not in said
    assert who["phone"][:3] + "****" in said
    assert shell(house, monkeypatch, order_sn, "--unmasked").exit_code == 2, "there is no such way"


@pytest.mark.parametrize(
    ("connector", "settings", "targets"),
    [
        (
            ShopexOms,
            {"node_id": "2000000001", "token": "hush", "shop_bn": "s", "flag": "ecsync", "key": "hush"},
            ("consignee.name", "consignee.mobile", "consignee.addr"),
        ),
        (
            JushuitanErp,
            {"app_key": "k", "app_secret": "hush", "access_token": "hush", "shop_id": 1},
            ("receiver_name", "receiver_mobile", "receiver_address"),
        ),
        (
            WangdiantongErp,
            {"sid": "s", "app_key": "k", "app_secret": "hush:hush", "shop_no": "s"},
            ("trades[0].receiver_name", "trades[0].receiver_mobile", "trades[0].receiver_address"),
        ),
    ],
)
def test_an_erp_that_signs_its_calls_is_explained_without_being_asked(
    house: House,
    order_sn: str,
    monkeypatch: pytest.MonkeyPatch,
    connector: Callable[[dict[str, Any]], ErpConnector],
    settings: dict[str, Any],
    targets: tuple[str, str, str],
) -> None:
    house.rt.erps[ERP] = connector({"base_url": "https://erp.example", "url": "https://erp.example", **settings})
    who = house.order(order_sn).header["consignee"]

    said = shell(house, monkeypatch, order_sn, "--json").stdout

    shown = {field["target"]: field["value"] for field in json.loads(said)["fields"]}
    name, phone, street = (shown[target] for target in targets)
    assert (name[0], phone) == (who["name"][0], f"{who['phone'][:3]}****{who['phone'][-4:]}")
    assert not any(private in said for private in (who["name"], who["phone"], who["address"]["street"], "hush"))
    assert "*" in street


def test_a_piece_of_a_street_that_nobody_knows_by_itself_is_masked_as_its_connector_says(
    house: House, order_sn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def explain(order: ErpOrder) -> list[Explained]:
        cut = {"source": "consignee.address.street", "rule": "what follows", "value": "弄5号"}
        return [Explained("STRS2", **cut, is_personal=True), Explained("NOTE", "a constant", "constant", "3号门")]

    house.rt.erps[ERP] = cast(ErpConnector, SimpleNamespace(explain=explain))

    said = shell(house, monkeypatch, order_sn).stdout

    assert "弄**" in said
    assert "5号" not in said
    assert "3号门" in said


def test_nothing_is_sent_and_nothing_is_changed(house: House, order_sn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before = house.peers.ledger()["counts"]

    shell(house, monkeypatch, order_sn)

    assert (house.peers.ledger()["counts"], documents(house).get(order_sn, [])) == (before, [])


def test_an_erp_that_does_not_explain_itself_shows_its_request_masked(
    house: House, order_sn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def create(order: ErpOrder) -> Generator[HttpCall, Any, None]:
        yield HttpCall("fetch_token", "GET", "https://erp.example/token", changes_peer=False)
        body = json.dumps({"no": order.external_ref, "to": order.order.consignee.name, "key": "hush-hush"})
        yield HttpCall("create_order", "POST", "https://erp.example/orders", body=body.encode(), secrets=("hush-hush",))

    house.rt.erps[ERP] = cast(ErpConnector, SimpleNamespace(create=create))

    said = shell(house, monkeypatch, order_sn).stdout

    assert "POST https://erp.example/orders" in said
    assert order_sn in said
    assert "hush-hush" not in said
    assert house.order(order_sn).header["consignee"]["name"] not in said


def test_one_that_wants_real_answers_first_says_so(
    house: House, order_sn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def create(order: ErpOrder) -> Generator[HttpCall, Any, None]:
        yield HttpCall("fetch_token", "GET", "https://erp.example/token", changes_peer=False)

    house.rt.erps[ERP] = cast(ErpConnector, SimpleNamespace(create=create))

    assert "depends on what the ERP answers first" in shell(house, monkeypatch, order_sn).stdout


def test_an_order_that_only_the_shop_has_is_explained_and_not_taken_in(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    (order_sn,) = house.seed()
    told = json.loads(shell(house, monkeypatch, order_sn, "--json").stdout)

    assert {field["target"]: field["value"] for field in told["fields"]}["orderNo"] == order_sn
    with house.rt.database.reading() as session:
        assert find_by_sn(session, order_sn) == []
    assert documents(house) == {}


def test_an_unknown_order_or_erp_is_said(house: House, order_sn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "No shop has an order 2020000000000" in shell(house, monkeypatch, "2020000000000").stderr
    assert "say which ERP with --erp: generic_rest" in shell(house, monkeypatch, order_sn, "--erp", "sap").stderr
