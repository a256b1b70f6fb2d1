"""A house whose only ERP is SAP behind PI: every order becomes one sales order, whatever is lost on the way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from sync.db.orders import read_order
from sync.sandbox.faults import FaultInjector, Faults
from sync.sandbox.ledger import Ledger
from sync.sandbox.sap_pi import CANCEL_PATH, REST_PATH, SandboxSapPi
from sync.sandbox.shop_data import GOODS
from sync.services.explain_order import explain_order
from sync.settings import SettingsError
from sync.web.app import create_app
from tests.contract.erps.sap_pi.cases import ordrsp
from tests.service.erps.erp_house import LOST_ANSWERS, ErpHouse, open_erp_house

PASSWORD = "sandbox-pi-password"

BEFORE = ("reset_before", "server_error", "too_many", "business")

NAMED = {"SENDER_SERVICE": "BC_ECSHOP", "INTERFACE": "SI_Orders_Out", "INTERFACE_NAMESPACE": "urn:shop:orders"}
SENDERS: dict[str, dict[str, str]] = {
    "soap": {"SENDER": "soap", "CHANNEL": ":BC_ECSHOP:SOAP_ORDERS"},
    "soap by interface": {"SENDER": "soap", **NAMED},
    "soap without envelope": {"SENDER": "soap", "CHANNEL": ":BC_ECSHOP:SOAP_ORDERS", "NOSOAP": "1"},
    "http": {"SENDER": "http", **NAMED},
    "http in sequence": {"SENDER": "http", **NAMED, "QUEUE_ID": "ECSHOP"},
    "rest": {"SENDER": "rest"},
    "rest with json": {"SENDER": "rest", "PAYLOAD": "json"},
}
DROPS = {"DUPLICATE_CHECK": "1"}
SAFE = {
    "http": SENDERS["http"],
    "soap that drops repeats": {**SENDERS["soap"], **DROPS},
    "rest that drops repeats": {**SENDERS["rest"], **DROPS},
}


SETTINGS: dict[str, str | None] = {
    "BASE_URL": "{url}",
    "USERNAME": "ecsync",
    "PASSWORD": PASSWORD,
    "SENDER_PORT": "ECSHOP",
    "SENDER_PARTNER": "ECSHOP",
    "RECEIVER_PORT": "SAPS4H",
    "RECEIVER_PARTNER": "S4HCLNT100",
    "SALES_ORG": "1010",
    "DISTRIBUTION_CHANNEL": "10",
    "DIVISION": "00",
    "SOLD_TO": "10100001",
    "DISCOUNT_CONDITION": "HB00",
    "FEE_CONDITION": "HZ00",
    "READ_TIMEOUT_S": "2",
}

Sap = ErpHouse[SandboxSapPi]


def open_sap_house(
    tmp_path: Path,
    sender: Mapping[str, str | None],
    *,
    finds: bool = False,
    form: str = "",
    cancels: bool = False,
    pi: dict[str, Any] | None = None,
    **more: str,
) -> AbstractContextManager[Sap]:
    """A house with SAP behind PI. `form` asks the look-up for JSON instead of an ORDRSP."""
    look_up: dict[str, str | None] = (
        {"FIND_URL": f"{{url}}{REST_PATH}/{{external_ref}}{form}"} if finds else {"NUMBER_WITHIN_S": "0"}
    )
    cancel = {"CANCEL_URL": "{url}" + CANCEL_PATH} if cancels else {}
    peer = SandboxSapPi(Ledger(), FaultInjector(1), password=PASSWORD, **(pi or {}))
    return open_erp_house(tmp_path, "sap_pi", peer, {**SETTINGS, **look_up, **cancel, **sender}, **more)


def break_calls(sap: Sap, **faults: Any) -> None:
    sap.peer.injector.configure(Faults(**{"only": ("create_order",), "hang_s": 0.1, **faults}))


@pytest.mark.parametrize("sender", SENDERS)
def test_every_sender_brings_every_order_to_sap_once(tmp_path: Path, sender: str) -> None:
    with open_sap_house(tmp_path, SENDERS[sender]) as sap:
        numbers = sap.house.seed(5)
        sap.house.poll()
        sap.house.settle()

        assert sorted(sap.documents()) == sorted(numbers)
        assert all(len(held) == 1 for held in sap.documents().values())
        assert {sap.house.order(sn).erp_no for sn in numbers} == {"accepted"}
        assert {sap.house.step("push_order", sn).state for sn in numbers} == {"done"}


@pytest.mark.parametrize(
    ("sender", "fault"),
    [
        *(("http", fault) for fault in (*LOST_ANSWERS, *BEFORE)),
        *((sender, fault) for sender in SAFE if sender != "http" for fault in ("reset_after", "html_502", "business")),
    ],
)
def test_where_repeats_are_dropped_a_lost_answer_ends_with_one_order(tmp_path: Path, sender: str, fault: str) -> None:
    drops = sender.startswith("rest")
    with open_sap_house(tmp_path, SAFE[sender], pi={"drops_repeats": drops}) as sap:
        break_calls(sap, **{fault: 1.0})
        numbers = sap.house.seed(2)
        sap.house.poll()
        sap.house.settle()

        assert {sn: len(sap.documents()[sn]) for sn in numbers} == dict.fromkeys(numbers, 1)
        assert {sap.house.step("push_order", sn).state for sn in numbers} == {"done"}


@pytest.mark.parametrize("fault", ["reset_after", "html_502", "hang_after"])
@pytest.mark.parametrize("sender", ["soap", "rest"])
def test_where_they_are_not_a_person_looks_and_nothing_is_sent_again(tmp_path: Path, sender: str, fault: str) -> None:
    with open_sap_house(tmp_path, SENDERS[sender]) as sap:
        break_calls(sap, **{fault: 1.0})
        [sn] = sap.house.seed()
        sap.house.poll()
        sap.house.settle()
        step = sap.house.step("push_order", sn)

        assert (step.state, step.last_code) == ("parked", "sap_pi.order.outcome_unknown")
        assert len(sap.documents()[sn]) == 1
        assert sap.asked().count("create_order") == 1


@pytest.mark.parametrize("fault", ["reset_after", "html_502", "truncated"])
def test_with_a_look_up_an_order_whose_answer_was_lost_is_found_and_adopted(tmp_path: Path, fault: str) -> None:
    with open_sap_house(tmp_path, SENDERS["soap"], finds=True) as sap:
        break_calls(sap, **{fault: 1.0})
        [sn] = sap.house.seed()
        sap.house.poll()
        sap.house.settle()

        assert sap.documents()[sn] == [sap.house.order(sn).erp_no]
        assert sap.asked().count("create_order") == 1


def test_the_wait_before_that_look_up_gives_sap_time_to_post(tmp_path: Path) -> None:
    with open_sap_house(tmp_path, SENDERS["soap"], finds=True) as sap:
        break_calls(sap, reset_after=1.0)
        [sn] = sap.house.seed()
        sap.house.poll()
        step = sap.house.step("push_order", sn)

        assert step.state == "owed"
        assert step.not_before is not None
        assert (step.not_before - sap.house.order(sn).received_at).total_seconds() > 250


def test_a_refused_password_makes_orders_wait_and_none_is_lost(tmp_path: Path) -> None:
    with open_sap_house(tmp_path, SENDERS["http"]) as sap:
        sap.peer.password = "another"
        [sn] = sap.house.seed()
        sap.house.poll()
        assert sap.house.step("push_order", sn).state == "owed"

        sap.peer.password = PASSWORD
        sap.house.open_doors()
        sap.house.settle()
        assert len(sap.documents()[sn]) == 1


def test_an_order_that_sap_cannot_map_is_parked_with_pi_s_words(tmp_path: Path) -> None:
    with open_sap_house(tmp_path, SENDERS["http"]) as sap:
        break_calls(sap, business=1.0, business_code="500", business_reason="MappingException: E1EDKA1")
        [sn] = sap.house.seed()
        sap.house.poll()
        sap.house.settle()
        step = sap.house.step("push_order", sn)

        assert (step.state, step.last_code) == ("parked", "sap_pi.order.mapping_failed")
        assert "E1EDKA1" in step.last_message
        assert sn not in sap.documents()


# --- SAP's number, and the way back


@pytest.mark.parametrize("posts_after", [0, 2])
@pytest.mark.parametrize("form", ["", "?format=json"], ids=["ordrsp", "json"])
def test_an_accepted_order_gets_its_number_once_sap_shows_it(tmp_path: Path, form: str, posts_after: int) -> None:
    with open_sap_house(tmp_path, SENDERS["http"], finds=True, form=form, pi={"posts_after": posts_after}) as sap:
        [sn] = sap.house.seed()
        sap.house.poll()
        assert sap.house.order(sn).erp_no == "accepted"

        for _ in range(posts_after + 1):
            sap.house.settle()
        assert [sap.house.order(sn).erp_no] == sap.documents()[sn]
        assert sap.asked().count("find_order") == posts_after + 1


TOKEN = "a-secret-of-the-receiver"
PUSHED = {**SENDERS["http"], "ORDRSP_PUSHED": "1", "NUMBER_WITHIN_S": None}


@pytest.fixture
def told(tmp_path: Path) -> Iterator[Sap]:
    """A house that is not asked to look SAP's numbers up: PI posts them."""
    with open_sap_house(tmp_path, PUSHED, ECSYNC_CALLBACK_TOKEN=TOKEN) as sap:
        yield sap


def tell(sap: Sap, body: bytes, token: str = TOKEN) -> int:
    """PI posts to our receiver, and a worker takes it in."""
    app = create_app(sap.house.rt.settings)
    try:
        answer = app.test_client().post(f"/callbacks/sap_pi/{token}", data=body, content_type="text/xml")
    finally:
        app.extensions["ecsync"].close()
    sap.house.settle()
    return answer.status_code


def test_an_accepted_order_gets_its_number_by_the_ordrsp_that_pi_posts(told: Sap) -> None:
    [sn] = told.push()
    assert told.house.order(sn).erp_no == "accepted"

    assert tell(told, ordrsp((sn, "0000012345", "")).body) == 200
    assert told.house.order(sn).erp_no == "0000012345"
    assert told.house.step("number_order", sn).state == "done"
    assert "find_order" not in told.asked(), "nobody can be asked, and nobody is"
    assert told.desk() == []


def test_a_second_number_of_one_order_goes_to_a_person_and_the_first_one_stays(told: Sap) -> None:
    [sn] = told.push()
    for number in ("0000012345", "0000012345", "0000099999"):
        assert tell(told, ordrsp((sn, number, "")).body) == 200

    assert told.house.order(sn).erp_no == "0000012345"
    assert told.desk() == ["erp.number_differs"]


def test_an_ordrsp_of_an_order_that_is_not_ours_is_kept_and_changes_nothing(told: Sap) -> None:
    [sn] = told.push()

    assert tell(told, ordrsp(("4711", "0000012345", "")).body) == 200
    assert told.house.order(sn).erp_no == "accepted"
    assert told.desk() == []


def test_who_does_not_know_the_path_or_posts_something_else_tells_nothing(told: Sap) -> None:
    [sn] = told.push()
    good = ordrsp((sn, "0000012345", "")).body

    assert tell(told, good, token="a-guess") == 404
    assert tell(told, b"<html>login</html>") == 400
    assert told.house.order(sn).erp_no == "accepted"


def test_pushed_numbers_without_a_secret_path_are_refused_at_start(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="CALLBACK_TOKEN"), open_sap_house(tmp_path, PUSHED):
        pass


def test_an_erp_that_does_not_push_has_no_address_here(tmp_path: Path) -> None:
    with open_sap_house(tmp_path, SENDERS["http"], ECSYNC_CALLBACK_TOKEN=TOKEN) as sap:
        [sn] = sap.push()
        assert tell(sap, ordrsp((sn, "0000012345", "")).body) == 404


def test_an_order_whose_idoc_failed_in_sap_stays_accepted_and_is_asked_for_again(tmp_path: Path) -> None:
    variants = {f"{goods.sn}-{number}" for goods in GOODS for number, _ in enumerate(goods.variants, start=1)}
    every_sku = frozenset(variants | {goods.sn for goods in GOODS})
    with open_sap_house(tmp_path, SENDERS["http"], finds=True, pi={"unknown_skus": every_sku}) as sap:
        [sn] = sap.house.seed()
        sap.house.poll()
        sap.house.settle()

        assert sap.house.order(sn).erp_no == "accepted"
        assert sap.house.step("push_order", sn).state == "done"
        assert sap.house.step("number_order", sn).state == "owed"
        assert sn not in sap.documents()


def test_a_withdrawn_order_is_cancelled_in_sap_where_there_is_a_way(tmp_path: Path) -> None:
    with open_sap_house(tmp_path, SENDERS["http"], finds=True, cancels=True) as sap:
        [sn] = sap.house.seed()
        sap.house.poll()
        sap.house.settle()
        sap.house.cancel(sn)
        sap.house.poll()
        sap.house.settle()

        assert sap.is_cancelled(sn)
        assert sap.house.step("cancel_order", sn).state == "done"


def test_an_order_that_left_sap_is_not_cancelled_and_a_person_hears_why(tmp_path: Path) -> None:
    with open_sap_house(tmp_path, SENDERS["http"], finds=True, cancels=True) as sap:
        [sn] = sap.house.seed()
        sap.house.poll()
        sap.house.settle()
        sap.peer.deliver(sn)
        sap.house.cancel(sn)
        sap.house.poll()
        sap.house.settle()

        assert sap.house.step("cancel_order", sn).last_code == "sap_pi.cancel.too_late"
        assert not sap.is_cancelled(sn)


def test_without_a_way_a_person_cancels(tmp_path: Path) -> None:
    with open_sap_house(tmp_path, SENDERS["http"], finds=True) as sap:
        [sn] = sap.house.seed()
        sap.house.poll()
        sap.house.settle()
        sap.house.cancel(sn)
        sap.house.poll()
        sap.house.settle()
        step = sap.house.step("cancel_order", sn)

        assert (step.state, step.last_code) == ("parked", "sap_pi.cancel.cannot_cancel")
        assert "VA02" in step.last_message


def test_what_would_be_sent_can_be_seen_without_the_consignee(tmp_path: Path) -> None:
    with open_sap_house(tmp_path, SENDERS["soap"]) as sap:
        [sn] = sap.house.seed()
        sap.house.poll()
        row = sap.house.order(sn)
        with sap.house.rt.database.reading() as session:
            consignee = read_order(session, row).consignee
        fields = explain_order(sap.house.rt, row, sap.key).fields
        shown = "\n".join(f"{field.target} {field.source} {field.rule} {field.value}" for field in fields)

        assert any("E1EDKA1" in field.target for field in fields)
        assert sn in shown
        for private in (consignee.name, consignee.phone, consignee.address.street, PASSWORD):
            assert private not in shown
