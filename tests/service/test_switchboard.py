"""The switchboard: what is paused, drained or away too long gets no new parcel, and no parcel is ever booked twice."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from prometheus_client import CollectorRegistry
from sqlalchemy import select, update

from sync import cli
from sync import exceptions as desk
from sync.clock import utc_now
from sync.db.models import AuditRow, PeerRow, ShipmentRow, StepRow, SwitchRow
from sync.metrics import Counters
from sync.peers import PeerDoor
from sync.runtime import Runtime
from sync.services.move_parcels import move_parcels, probe
from sync.services.poll_shop import poll_shop
from sync.services.relay import relay
from sync.services.switch_carriers import SwitchRefused, parse_until, read_switchboard
from sync.switchboard import CACHE_S
from tests.service.house import SHOP
from tests.service.two_carriers import FIRST, SECOND, TwoCarriers, open_two_carriers, remember_requests

Shell = Callable[..., Result]


@pytest.fixture
def two(tmp_path: Path, database_url: str) -> Iterator[TwoCarriers]:
    """Parcels go to the first carrier, and to the second when the first is closed."""
    with open_two_carriers(tmp_path, database_url) as opened:
        opened.use_rules('[[rule]]\nname = "usual"\ncarrier = "kdniao"\n[[rule]]\nname = "else"\ncarrier = "backup"')
        yield opened


# --- pausing


def test_a_pause_moves_what_nobody_was_asked_for_and_leaves_what_is_uncertain(two: TwoCarriers) -> None:
    numbers = two.take_in(6)
    lost, owed = numbers[:3], numbers[3:]
    two.fail(FIRST, reset_after=1.0)
    for order_sn in lost:
        two.ship(order_sn)
    two.fail(FIRST)
    asked = two.calls(FIRST)

    two.do("pause", "kdniao")
    moves = two.move()

    assert moves.moved == 3
    assert {two.peer_of(order_sn) for order_sn in owed} == {SECOND}
    assert {two.peer_of(order_sn) for order_sn in lost} == {FIRST}
    assert set(two.issued(SECOND)) == {f"{order_sn}-1" for order_sn in owed}
    two.house.settle()
    assert two.calls(FIRST) == asked, "paused means no call at all"

    two.do("resume", "kdniao")
    two.house.settle()
    assert all(two.house.shipment(order_sn).waybill_no for order_sn in numbers)
    assert two.waybills() == {f"{order_sn}-1": 1 for order_sn in numbers}


def test_new_orders_go_elsewhere_during_a_pause_and_the_reason_says_so(two: TwoCarriers) -> None:
    two.do("pause", "kdniao")
    (order_sn,) = two.house.seed()

    two.house.poll()

    parcel = two.house.shipment(order_sn)
    assert (parcel.peer, list(two.issued(SECOND))) == (SECOND, [f"{order_sn}-1"])
    assert parcel.route_reason.endswith('passed over: rule "usual" (kdniao is paused: a test wants it)')


def test_a_worker_with_an_old_message_sends_nothing_to_a_paused_carrier(two: TwoCarriers) -> None:
    (order_sn,) = two.take_in()
    two.do("pause", "kdniao")

    two.ship(order_sn)

    assert two.steps(order_sn) == {FIRST: "dropped", SECOND: "done"}
    assert (two.calls(FIRST), two.calls(SECOND)) == (0, 1)


def test_nothing_moves_back_when_the_first_carrier_is_open_again(two: TwoCarriers) -> None:
    (order_sn,) = two.take_in()
    two.do("pause", "kdniao")
    moves = move_parcels(two.house.rt)
    two.do("resume", "kdniao")

    two.house.serve(moves.wakes)

    assert (two.peer_of(order_sn), two.calls(FIRST)) == (SECOND, 0)


def test_a_parcel_moves_back_when_the_second_carrier_is_closed_in_its_turn(two: TwoCarriers) -> None:
    (order_sn,) = two.take_in()
    two.do("pause", "kdniao")
    move_parcels(two.house.rt)
    two.do("resume", "kdniao")
    two.do("pause", "backup")

    two.move()

    assert two.steps(order_sn) == {FIRST: "done", SECOND: "dropped"}
    assert two.waybills() == {f"{order_sn}-1": 1}


def test_parcels_wait_uncounted_while_everything_is_paused_and_go_on_when_it_is_resumed(two: TwoCarriers) -> None:
    (order_sn,) = two.take_in()
    two.do("pause", "kdniao")
    two.do("pause", "backup")
    two.move()
    two.ship(order_sn)
    two.house.settle()
    step = two.house.step("book_waybill", order_sn)
    assert (step.state, step.attempts, step.is_uncertain, two.calls(FIRST), two.calls(SECOND)) == (
        "owed",
        0,
        False,
        0,
        0,
    )
    two.house.forget_messages()
    assert relay(two.house.rt, {}).wakes == [], "nobody is told of what waits for a switch"
    two.ship(order_sn)

    two.do("resume", "kdniao")
    two.house.serve(relay(two.house.rt, {}).wakes)

    assert list(two.issued(FIRST)) == [f"{order_sn}-1"]


def test_a_paused_courier_company_or_account_leaves_the_rest_of_the_carrier_open(
    two: TwoCarriers, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests = remember_requests(monkeypatch)
    two.use_rules(
        '[[rule]]\nname = "a"\ncarrier = "kdniao"\nshipper = "ZTO"\naccount = "south"\n'
        '[[rule]]\nname = "b"\ncarrier = "kdniao"\nshipper = "YTO"\naccount = "north"\n'
        '[[rule]]\nname = "c"\ncarrier = "backup"'
    )
    first, second, third = two.take_in(3)
    two.ship(first)
    two.do("pause", "kdniao/ZTO")
    two.ship(second)
    two.do("pause", "kdniao/north")
    two.ship(third)

    assert [(one.shipper_code, one.account) for one in requests[:2]] == [("ZTO", "south"), ("YTO", "north")]
    assert (two.house.shipment(second).account, two.peer_of(third)) == ("north", SECOND)
    assert set(two.issued(FIRST)) == {f"{first}-1", f"{second}-1"}


def test_an_uncertain_booking_waits_while_its_courier_company_is_paused(two: TwoCarriers) -> None:
    two.use_rules('[[rule]]\nname = "a"\ncarrier = "kdniao"\nshipper = "ZTO"\n[[rule]]\nname = "b"\ncarrier = "backup"')
    (order_sn,) = two.take_in()
    two.fail(FIRST, reset_after=1.0)
    two.ship(order_sn)

    two.do("pause", "kdniao/ZTO")
    two.house.settle()
    assert (two.calls(FIRST), two.calls(SECOND), two.house.shipment(order_sn).waybill_no) == (1, 0, "")

    two.do("resume", "kdniao/ZTO")
    two.house.settle()
    assert two.waybills() == {f"{order_sn}-1": 1}
    assert two.house.shipment(order_sn).waybill_no


def test_a_moved_parcel_that_the_shop_withdraws_is_voided_where_it_was_booked(two: TwoCarriers) -> None:
    (order_sn,) = two.take_in()
    two.do("pause", "kdniao")
    two.move()

    two.house.cancel(order_sn)
    two.house.poll()
    two.house.settle()

    assert two.backup.ledger()["carrier"]["orders"][f"{order_sn}-1"]["cancelled"]
    assert two.calls(FIRST) == 0


# --- draining


def test_a_drained_carrier_finishes_what_it_may_have_and_gets_nothing_new(two: TwoCarriers) -> None:
    lost, owed = two.take_in(2)
    two.fail(FIRST, reset_after=1.0)
    two.ship(lost)
    two.fail(FIRST)

    two.do("drain", "kdniao")
    two.move()
    two.house.settle()

    assert (two.peer_of(lost), two.peer_of(owed)) == (FIRST, SECOND)
    assert two.waybills() == {f"{lost}-1": 1, f"{owed}-1": 1}
    assert all(shipment.waybill_no for shipment in two.shipments())


# --- the end of a switch, and its speed


def test_a_switch_ends_by_itself(two: TwoCarriers) -> None:
    two.do("pause", "kdniao", until=utc_now() + timedelta(hours=1))
    assert two.house.rt.door.ask(FIRST)
    with two.house.rt.database.writing() as session:
        session.execute(update(SwitchRow).values(until=utc_now() - timedelta(seconds=1)))
    two.house.rt.switchboard.forget()

    (order_sn,) = two.house.seed()
    two.house.poll()

    assert (two.peer_of(order_sn), two.house.rt.door.ask(FIRST)) == (FIRST, None)
    assert read_switchboard(two.house.rt)["switches"] == []


def test_a_switch_is_in_force_in_another_process_within_five_seconds(two: TwoCarriers) -> None:
    elsewhere = Runtime(two.house.rt.settings, counters=Counters(CollectorRegistry()))
    try:
        for action, is_closed in (("pause", True), ("resume", False)):
            elsewhere.door.ask(FIRST)  # it has looked a moment ago, so it may go by what it saw
            two.do(action, "kdniao")
            began = time.monotonic()
            while bool(elsewhere.door.ask(FIRST)) is not is_closed:
                assert time.monotonic() - began < 2 * CACHE_S, "too slow"
                time.sleep(0.02)
        assert CACHE_S <= 2
    finally:
        elsewhere.close()


def test_the_default_carrier_can_be_named_for_a_while(two: TwoCarriers) -> None:
    two.use_rules("")
    first, second = two.take_in(2)
    two.ship(first)

    two.do("default", "backup", until=utc_now() + timedelta(hours=1))
    two.ship(second)
    (third,) = two.house.seed(1)
    two.house.poll()
    two.do("resume", "default")
    (fourth,) = two.house.seed(1)
    two.house.poll()

    assert [two.peer_of(sn) for sn in (first, second, third, fourth)] == [FIRST, SECOND, SECOND, FIRST]
    assert set(two.waybills().values()) == {1}


# --- fail-over


def open_the_breaker(two: TwoCarriers, order_sn: str) -> None:
    two.fail(FIRST, outage=True)
    for _ in range(5):
        two.house.rt.door.failed(FIRST, "it is away")
    two.ship(order_sn)


def test_parcels_wait_for_a_carrier_that_is_away_until_it_has_been_so_for_too_long(two: TwoCarriers) -> None:
    numbers = two.take_in(3)
    open_the_breaker(two, numbers[0])

    assert two.move().moved == 0
    assert {two.peer_of(order_sn) for order_sn in numbers} == {FIRST}

    two.break_down()
    assert two.move().moved == 3
    assert set(two.issued(SECOND)) == {f"{order_sn}-1" for order_sn in numbers}
    assert "kdniao is away since" in two.house.shipment(numbers[1]).route_reason


def test_parcels_that_the_outage_had_parked_move_too_and_nobody_need_look(two: TwoCarriers) -> None:
    (order_sn,) = two.take_in()
    two.fail(FIRST, outage=True)
    two.house.settle()
    assert two.steps(order_sn) == {FIRST: "parked"}
    for _ in range(5):
        two.house.rt.door.failed(FIRST, "it is away")
    two.break_down()

    two.move()

    assert two.steps(order_sn) == {FIRST: "dropped", SECOND: "done"}
    with two.house.rt.database.reading() as session:
        assert desk.list_open(session) == []


def test_what_a_carrier_refused_for_good_stays_with_its_person(
    two: TwoCarriers, monkeypatch: pytest.MonkeyPatch
) -> None:
    (order_sn,) = two.take_in()
    two.fail(FIRST, business=1.0, max_per_order=0, business_code="101", business_reason="缺少必要参数")
    two.house.settle()
    assert two.steps(order_sn) == {FIRST: "parked"}

    monkeypatch.setattr(PeerDoor, "_answered_lately", lambda self, peer: False)
    for _ in range(5):
        two.house.rt.door.failed(FIRST, "it is away")
    two.break_down()
    assert two.house.rt.switchboard.read().away

    assert two.move().moved == 0
    assert two.steps(order_sn) == {FIRST: "parked"}


def test_no_fail_over_where_it_is_switched_off(tmp_path: Path, database_url: str) -> None:
    with open_two_carriers(tmp_path, database_url, ECSYNC_FAILOVER_AFTER_S="0") as two:
        two.use_rules('[[rule]]\nname = "usual"\ncarrier = "kdniao"\n[[rule]]\nname = "else"\ncarrier = "backup"')
        (order_sn,) = two.take_in()
        open_the_breaker(two, order_sn)
        two.break_down()

        assert (two.move().moved, two.peer_of(order_sn)) == (0, FIRST)


def test_a_carrier_that_everything_has_left_is_probed_and_gets_parcels_again(two: TwoCarriers) -> None:
    (moved,) = two.take_in()
    open_the_breaker(two, moved)
    two.break_down()
    two.move()
    assert move_parcels(two.house.rt).probes == [], "not before the time of its probe"

    two.house.open_doors()
    two.break_down()
    assert move_parcels(two.house.rt).probes == [FIRST]
    two.fail(FIRST)
    probe(two.house.rt, FIRST)
    two.house.rt.switchboard.forget()

    (fresh,) = two.house.seed()
    two.house.poll()
    two.house.settle()
    assert (two.peer_of(moved), two.peer_of(fresh)) == (SECOND, FIRST)
    with two.house.rt.database.reading() as session:
        row = session.get_one(PeerRow, FIRST)
    assert (row.state, row.closed_at) == ("on", None)


def test_a_page_of_parcels_that_nothing_else_fits_does_not_hold_up_the_others(
    two: TwoCarriers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sync.services.move_parcels.PAGE", 2)
    monkeypatch.setattr("sync.services.move_parcels.PAGES", 1)
    two.use_rules('[[rule]]\nname = "light"\ncarrier = "backup"\nwhen = { max_weight_g = 1000 }')
    numbers = two.take_in(20)
    light = {order_sn for order_sn in numbers if two.peer_of(order_sn) == SECOND}
    assert 2 < len(light) < 20
    with two.house.rt.database.writing() as session:  # as if they had been taken in before there were rules
        session.execute(update(StepRow).where(StepRow.peer == SECOND).values(peer=FIRST))
        session.execute(update(ShipmentRow).values(peer=FIRST))
    two.do("pause", "kdniao")

    moved = [two.move().moved for _ in range(12)]

    assert sum(moved) == len(light)
    assert set(two.issued(SECOND)) == {f"{order_sn}-1" for order_sn in light}
    assert max(moved) <= 2


# --- who, why, and what cannot be


def test_every_change_is_kept_with_who_and_why(two: TwoCarriers) -> None:
    two.do("pause", "kdniao")
    two.do("drain", "carrier.kdniao")
    two.do("resume", "kdniao")
    two.do("default", "backup")

    with two.house.rt.database.reading() as session:
        rows = list(session.execute(select(AuditRow).order_by(AuditRow.id)).scalars())
    assert [(row.actor, row.action, row.subject) for row in rows] == [
        ("tester", "carriers.pause", FIRST),
        ("tester", "carriers.drain", FIRST),
        ("tester", "carriers.resume", FIRST),
        ("tester", "carriers.default", "default"),
    ]
    assert all(row.reason.startswith("a test wants it (") for row in rows)


@pytest.mark.parametrize(
    ("action", "target", "said"),
    [
        ("pause", "pigeon", "No carrier is called 'pigeon'; configured are kdniao, backup"),
        ("pause", "kdniao/", "is not CARRIER/COURIER"),
        ("pause", "kdniao/a b", "is not CARRIER/COURIER"),
        ("pause", "kdniao/zto-south", "No routing rule names an account 'zto-south' at kdniao.*such as kdniao/ZTO"),
        ("drain", f"kdniao/{'a' * 41}", "is not CARRIER/COURIER"),
        ("default", "backup/ZTO", "is not CARRIER"),
        ("resume", "kdniao", "carrier.kdniao is not switched off"),
        ("resume", "default", "default is not switched off"),
        ("stop", "kdniao", "'stop' is none of pause, drain, resume, default"),
    ],
)
def test_what_cannot_be_switched_is_refused_with_a_sentence(
    two: TwoCarriers, action: str, target: str, said: str
) -> None:
    with pytest.raises(SwitchRefused, match=said):
        two.do(action, target)
    with two.house.rt.database.reading() as session:
        assert not session.execute(select(SwitchRow)).all()
        assert not session.execute(select(AuditRow)).all()


def test_a_courier_is_switched_however_its_code_is_typed_and_an_account_as_the_rules_spell_it(two: TwoCarriers) -> None:
    account = "south-branch." + "x" * 27  # the longest that a rule can name
    two.use_rules(f'[[rule]]\nname = "a"\ncarrier = "kdniao"\naccount = "{account}"\nwhen = {{ cod = true }}')
    two.do("pause", "kdniao/zto")
    two.do("pause", f"kdniao/{account}")
    assert two.house.rt.switchboard.read().switches.keys() == {f"{FIRST}/ZTO", f"{FIRST}/{account}"}

    two.use_rules("")
    two.do("resume", "kdniao/zto")
    two.do("resume", f"kdniao/{account}")
    assert not two.house.rt.switchboard.read().switches


@pytest.mark.parametrize("text", ["", "soon", "2020-01-01", "5 parsecs", "0m"])
def test_an_end_that_is_none_or_has_passed_is_refused(text: str) -> None:
    with pytest.raises(SwitchRefused):
        parse_until(text)


def test_an_end_is_a_span_or_a_time_of_beijing_unless_it_says_otherwise() -> None:
    assert abs(parse_until("2h") - utc_now() - timedelta(hours=2)) < timedelta(seconds=5)
    assert parse_until("2999-12-01T18:00").isoformat() == "2999-12-01T10:00:00+00:00"
    assert parse_until("2999-12-01T18:00+00:00").isoformat() == "2999-12-01T18:00:00+00:00"


@pytest.fixture
def shell(two: TwoCarriers, monkeypatch: pytest.MonkeyPatch) -> Shell:
    monkeypatch.setattr(cli, "Runtime", lambda settings: two.house.rt)
    monkeypatch.setattr(cli, "load_settings", lambda: two.house.rt.settings)
    return lambda *words: CliRunner().invoke(cli.main, list(words), catch_exceptions=False)


def test_the_shell_pauses_lists_and_resumes(two: TwoCarriers, shell: Shell) -> None:
    two.take_in(2)

    paused = shell("carriers", "pause", "kdniao", "--reason", "strike", "--until", "2h")
    listed = json.loads(shell("carriers", "list", "--json").stdout)
    lines = shell("carriers", "list").stdout

    assert (paused.exit_code, "2 parcels are owed a waybill there" in paused.stdout) == (0, True)
    (switch,) = listed["switches"]
    assert (switch["what"], switch["mode"], switch["reason"]) == (FIRST, "paused", "strike")
    assert switch["until"]
    assert [row["owed"] for row in listed["carriers"]] == [2, 0]
    assert "strike" in lines
    assert shell("carriers", "resume", "kdniao", "--reason", "over").exit_code == 0
    again = shell("carriers", "resume", "kdniao", "--reason", "over", "--json")
    assert (again.exit_code, "not switched off" in json.loads(again.stdout)["error"]) == (1, True)
    assert shell("carriers", "pause", "kdniao").exit_code == 2, "without a reason nothing is switched"


# --- all of it at once


def test_two_carriers_lose_answers_while_somebody_plays_with_the_switches_and_nothing_is_booked_twice(
    two: TwoCarriers,
) -> None:
    rng = random.Random(4)
    numbers: list[str] = []
    faults = {"reset_after": 0.25, "reset_before": 0.1, "server_error": 0.1, "too_many": 0.1, "truncated": 0.1}
    two.fail(FIRST, **faults, max_per_order=2)
    two.fail(SECOND, **faults, max_per_order=2)
    for turn in range(8):
        numbers += two.take_in(6)
        for target in ("kdniao", "backup", "default"):
            action = rng.choice(["pause", "drain", "resume"])
            if target == "default":
                two.do("default", rng.choice(["kdniao", "backup"]))
                continue
            try:
                two.do(action, target)
            except SwitchRefused:
                assert action == "resume"
        two.move()
        for order_sn in rng.sample(numbers, len(numbers) // 2):
            two.ship(order_sn, rng.choice([FIRST, SECOND]))
        if turn % 3 == 2:
            two.house.forget_messages()
            two.house.serve(relay(two.house.rt, {}).wakes)
    two.fail(FIRST)
    two.fail(SECOND)
    for target in ("kdniao", "backup"):
        if any(one["what"] == f"carrier.{target}" for one in read_switchboard(two.house.rt)["switches"]):
            two.do("resume", target)
    for _ in range(3):
        two.house.open_doors()
        retry_all(two)
        two.house.settle()

    assert two.waybills() == {f"{order_sn}-1": 1 for order_sn in numbers}
    assert all(shipment.waybill_no for shipment in two.shipments())
    assert two.issued(FIRST)
    assert two.issued(SECOND)
    poll_shop(two.house.rt, SHOP)


def retry_all(two: TwoCarriers) -> None:
    with two.house.rt.database.writing() as session:
        for line in desk.list_open(session):
            desk.retry_exception(session, line.id, "tester")
