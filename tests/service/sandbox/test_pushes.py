from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from sync.clock import BusinessClock, utc_now
from sync.sandbox.journeys import JourneyMix
from sync.sandbox.server import SandboxPeers, SandboxSettings
from tests.service.sandbox.by_hand import EBUSINESS_ID, Receiver, ask, data_sign, items, waybill_order

Start = Callable[[SandboxSettings], SandboxPeers]
Serve = Callable[[Receiver], str]

PLAIN = JourneyMix(locker=0, exception=0, returned=0)
SCANS = ["1", "2", "201", "205", "202", "301"]


def actions(item: dict[str, Any]) -> list[str]:
    return [trace["Action"] for trace in item["Traces"]]


def test_every_scan_is_pushed_with_the_full_history_and_a_true_signature(
    start: Start, serve: Serve, fast_clock: BusinessClock
) -> None:
    receiver = Receiver()
    peers = start(SandboxSettings(clock=fast_clock, mix=PLAIN, callback_url=serve(receiver)))
    number = ask(peers.carrier_url, waybill_order())["Order"]["LogisticCode"]
    pushes = receiver.take(6)
    assert all(push["DataSign"] == data_sign(push["RequestData"]) for push in pushes)
    assert {push["RequestType"] for push in pushes} == {"102"}
    by_length = sorted((items(push)[0] for push in pushes), key=lambda item: len(item["Traces"]))
    assert [actions(item) for item in by_length] == [SCANS[: count + 1] for count in range(6)]
    last = by_length[-1]
    assert (last["LogisticCode"], last["OrderCode"], last["CallBack"]) == (number, "2026112100001-1", "sh:1001")
    assert (last["State"], last["StateEx"], last["EBusinessID"]) == ("3", "301", EBUSINESS_ID)
    times = [trace["AcceptTime"] for trace in last["Traces"]]
    assert times == sorted(times)
    assert peers.wait_until(lambda ledger: ledger["pushes"]["counts"].get("accepted") == 6)


def test_no_scan_is_pushed_before_its_time(start: Start, serve: Serve, fast_clock: BusinessClock) -> None:
    receiver = Receiver()
    peers = start(SandboxSettings(clock=fast_clock, mix=PLAIN, callback_url=serve(receiver)))
    ask(peers.carrier_url, waybill_order())
    for push in receiver.take(6):
        told = json.loads(push["RequestData"])
        assert told["Data"][0]["Traces"][-1]["AcceptTime"] <= told["PushTime"]


def test_a_parcel_that_is_on_its_way_cannot_be_cancelled(start: Start, serve: Serve, fast_clock: BusinessClock) -> None:
    receiver = Receiver()
    peers = start(SandboxSettings(clock=fast_clock, callback_url=serve(receiver)))
    number = ask(peers.carrier_url, waybill_order())["Order"]["LogisticCode"]
    receiver.take(1)
    answer = ask(peers.carrier_url, {"ShipperCode": "ZTO", "OrderCode": "2026112100001-1", "ExpNo": number}, "1147")
    assert (answer["ResultCode"], "揽收" in answer["Reason"]) == ("105", True)


def test_a_query_tells_the_same_traces_as_the_pushes(start: Start, serve: Serve, fast_clock: BusinessClock) -> None:
    receiver = Receiver()
    peers = start(SandboxSettings(clock=fast_clock, mix=PLAIN, callback_url=serve(receiver)))
    number = ask(peers.carrier_url, waybill_order())["Order"]["LogisticCode"]
    longest = max((items(push)[0] for push in receiver.take(6)), key=lambda item: len(item["Traces"]))
    assert ask(peers.carrier_url, {"ShipperCode": "ZTO", "LogisticCode": number}, "8001") == longest


@pytest.mark.parametrize(
    ("mix", "states"),
    [
        (JourneyMix(locker=1), {"211"}),
        (JourneyMix(locker=0, exception=1), {"416", "419", "302"}),
        (JourneyMix(locker=0, exception=0, returned=1), {"404", "407", "406"}),
    ],
)
def test_a_journey_of_each_kind_passes_its_own_states(
    start: Start, serve: Serve, fast_clock: BusinessClock, mix: JourneyMix, states: set[str]
) -> None:
    receiver = Receiver()
    peers = start(SandboxSettings(clock=fast_clock, mix=mix, callback_url=serve(receiver)))
    ask(peers.carrier_url, waybill_order())
    seen: set[str] = set()
    while not states <= seen:
        seen |= set(actions(items(receiver.take(1)[0])[0]))
    assert "1" in seen


def test_a_stale_parcel_waits_for_its_courier_for_ever(start: Start, serve: Serve, fast_clock: BusinessClock) -> None:
    receiver = Receiver()
    mix = JourneyMix(locker=0, exception=0, returned=0, stale_count=1, every=1)
    peers = start(SandboxSettings(clock=fast_clock, mix=mix, callback_url=serve(receiver)))
    stale = ask(peers.carrier_url, waybill_order("STALE"))["Order"]["LogisticCode"]
    ask(peers.carrier_url, waybill_order("FINE"))
    told = [items(push)[0] for push in receiver.take(7)]
    assert [actions(item) for item in told if item["OrderCode"] == "STALE"] == [["10"]]
    assert actions(ask(peers.carrier_url, {"ShipperCode": "ZTO", "LogisticCode": stale}, "8001")) == ["10"]
    assert peers.ledger()["pushes"]["waiting"] == 0


def test_late_pickup_comes_after_more_than_fifty_hours(start: Start, serve: Serve, fast_clock: BusinessClock) -> None:
    receiver = Receiver()
    mix = JourneyMix(late_count=1, every=1)
    peers = start(SandboxSettings(clock=fast_clock, mix=mix, callback_url=serve(receiver)))
    before = fast_clock.now()
    ask(peers.carrier_url, waybill_order())
    receiver.take(1)
    assert fast_clock.now() - before > timedelta(hours=50)


def test_a_push_is_repeated_with_the_same_bytes_until_it_is_accepted(
    start: Start, serve: Serve, fast_clock: BusinessClock
) -> None:
    receiver = Receiver(decide=lambda number: number > 2)
    mix = JourneyMix(stale_count=1, every=1)
    peers = start(SandboxSettings(clock=fast_clock, mix=mix, callback_url=serve(receiver), push_backoff_s=0.01))
    ask(peers.carrier_url, waybill_order())
    first, second, third = receiver.take(3)
    assert first == second == third
    assert peers.wait_until(lambda ledger: ledger["pushes"]["counts"].get("accepted") == 1)
    sent = peers.ledger()["pushes"]["sent"]
    assert [(push["attempt"], push["accepted"], push["reason"]) for push in sent] == [
        (1, False, "busy"),
        (2, False, "busy"),
        (3, True, ""),
    ]


def test_a_push_that_nobody_accepts_is_given_up_and_told_so(start: Start, fast_clock: BusinessClock) -> None:
    mix = JourneyMix(stale_count=1, every=1)
    nowhere = "http://127.0.0.1:1/callbacks"
    given = SandboxSettings(clock=fast_clock, mix=mix, callback_url=nowhere, push_tries=3, push_backoff_s=0.01)
    peers = start(given)
    ask(peers.carrier_url, waybill_order())
    assert peers.wait_until(lambda ledger: ledger["pushes"]["counts"].get("given_up") == 1)
    sent = peers.ledger()["pushes"]["sent"]
    assert [(push["status"], push["reason"]) for push in sent] == [(0, "ConnectionRefusedError")] * 3


def test_pushes_wait_for_a_receiver_to_be_named(start: Start, serve: Serve, fast_clock: BusinessClock) -> None:
    peers = start(SandboxSettings(clock=fast_clock, mix=PLAIN))
    ask(peers.carrier_url, waybill_order())
    assert peers.ledger()["pushes"]["waiting"] == 6
    receiver = Receiver()
    peers.send_callbacks_to(serve(receiver))
    assert len(receiver.take(6)) == 6
    with pytest.raises(ValueError, match="http"):
        peers.send_callbacks_to("https://example.org/")


def test_without_subscription_nothing_is_pushed_until_one_is_made(
    start: Start, serve: Serve, fast_clock: BusinessClock
) -> None:
    receiver = Receiver()
    peers = start(SandboxSettings(clock=fast_clock, mix=PLAIN, callback_url=serve(receiver)))
    number = ask(peers.carrier_url, waybill_order(IsSubscribe="0"))["Order"]["LogisticCode"]
    assert peers.ledger()["pushes"]["waiting"] == 0
    subscribe = {"ShipperCode": "ZTO", "LogisticCode": number, "CallBack": "sh:2"}
    for _ in range(2):
        assert ask(peers.carrier_url, subscribe, "8008")["Success"] is True
    assert {items(push)[0]["CallBack"] for push in receiver.take(6)} == {"sh:2"}
    assert peers.wait_until(lambda ledger: ledger["pushes"]["counts"].get("accepted") == 6)


def test_a_cancelled_waybill_is_pushed_no_more(start: Start, serve: Serve, fast_clock: BusinessClock) -> None:
    mix = JourneyMix(locker=0, exception=0, returned=0, stale_count=1, every=1)
    peers = start(SandboxSettings(clock=fast_clock, mix=mix, push_threads=1))
    number = ask(peers.carrier_url, waybill_order("GONE"))["Order"]["LogisticCode"]
    cancel = {"ShipperCode": "ZTO", "OrderCode": "GONE", "ExpNo": number}
    assert ask(peers.carrier_url, cancel, "1147")["ResultCode"] == "100"
    ask(peers.carrier_url, waybill_order("FINE"))
    receiver = Receiver()
    peers.send_callbacks_to(serve(receiver))
    assert {items(push)[0]["OrderCode"] for push in receiver.take(6)} == {"FINE"}
    assert peers.wait_until(lambda ledger: ledger["pushes"]["counts"].get("sent") == 6)
    assert peers.ledger()["pushes"]["waiting"] == 0


def test_pickups_may_be_pushed_as_103_too(start: Start, serve: Serve, fast_clock: BusinessClock) -> None:
    receiver = Receiver()
    given = SandboxSettings(clock=fast_clock, mix=PLAIN, callback_url=serve(receiver), sends_pickups=True)
    ask(start(given).carrier_url, waybill_order())
    pickups = [push for push in receiver.take(7) if push["RequestType"] == "103"]
    assert [item["State"] for item in items(pickups[0])] == ["104", "301"]
    assert pickups[0]["DataSign"] == data_sign(pickups[0]["RequestData"])


def faulty(
    start: Start, serve: Serve, clock: BusinessClock, faults: dict[str, Any], pushes: int
) -> list[dict[str, str]]:
    """The pushes of one plain parcel as they arrive, sent by one thread so that their order is certain."""
    receiver = Receiver()
    given = SandboxSettings(
        clock=clock, mix=PLAIN, callback_url=serve(receiver), push_threads=1, faults={"push": faults}
    )
    peers = start(given)
    ask(peers.carrier_url, waybill_order())
    return receiver.take(pushes)


def test_duplicates_are_equal_to_the_byte(start: Start, serve: Serve, fast_clock: BusinessClock) -> None:
    pushes = faulty(start, serve, fast_clock, {"duplicate": 1}, 12)
    counted: dict[str, int] = defaultdict(int)
    for push in pushes:
        counted[push["RequestData"]] += 1
    assert sorted(counted.values()) == [2] * 6


def test_a_late_push_shows_an_older_history_with_a_newer_push_time(start: Start, serve: Serve) -> None:
    now = utc_now()
    pushes = faulty(start, serve, BusinessClock(now, now, 200_000), {"late": 1}, 11)
    told = [json.loads(push["RequestData"]) for push in pushes]
    lengths = [len(push["Data"][0]["Traces"]) for push in told]
    assert sorted(lengths) == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6]
    final = lengths.index(6)
    older = [push for push in told[final + 1 :] if len(push["Data"][0]["Traces"]) < 6]
    assert older
    assert all(push["PushTime"] >= told[final]["PushTime"] for push in older)


def test_reordered_pushes_arrive_after_their_successor_with_their_own_push_time(start: Start, serve: Serve) -> None:
    now = utc_now()
    pushes = faulty(start, serve, BusinessClock(now, now, 200_000), {"reorder": 1}, 6)
    told = [json.loads(push["RequestData"]) for push in pushes]
    lengths = [len(push["Data"][0]["Traces"]) for push in told]
    assert sorted(lengths) == [1, 2, 3, 4, 5, 6]
    assert lengths.index(6) < lengths.index(5)
    by_time = sorted(told, key=lambda push: str(push["PushTime"]))
    assert [len(push["Data"][0]["Traces"]) for push in by_time] == [1, 2, 3, 4, 5, 6]


def test_a_forged_push_claims_a_delivery_is_signed_with_another_key_and_never_repeated(
    start: Start, serve: Serve, fast_clock: BusinessClock
) -> None:
    pushes = faulty(start, serve, fast_clock, {"forged": 1}, 12)
    forged = [push for push in pushes if push["DataSign"] != data_sign(push["RequestData"])]
    assert len(forged) == 6
    assert {items(push)[0]["StateEx"] for push in forged} == {"301"}


def test_a_receiver_that_believes_a_forged_push_is_told_on(
    start: Start, serve: Serve, fast_clock: BusinessClock
) -> None:
    given = SandboxSettings(clock=fast_clock, mix=PLAIN, callback_url=serve(Receiver()), faults={"push": {"forged": 1}})
    peers = start(given)
    ask(peers.carrier_url, waybill_order())
    assert peers.wait_until(lambda ledger: ledger["pushes"]["counts"].get("forged_accepted") == 6)


def test_several_parcels_travel_in_one_push(start: Start, serve: Serve, fast_clock: BusinessClock) -> None:
    receiver = Receiver()
    mix = JourneyMix(stale_count=4, every=1)
    faults = {"push": {"batch": 4, "batch_every_s": 0.5}}
    peers = start(SandboxSettings(clock=fast_clock, mix=mix, callback_url=serve(receiver), faults=faults))
    for code in "ABCD":
        ask(peers.carrier_url, waybill_order(code))
    seen: list[str] = []
    sizes: list[int] = []
    while len(seen) < 4:
        told = json.loads(receiver.take(1)[0]["RequestData"])
        assert told["Count"] == str(len(told["Data"]))
        sizes.append(len(told["Data"]))
        seen += [item["OrderCode"] for item in told["Data"]]
    assert sorted(seen) == ["A", "B", "C", "D"]
    assert max(sizes) > 1
