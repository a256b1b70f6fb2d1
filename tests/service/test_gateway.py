"""The only way out: what each failure on the wire means, the breaker, the rate limit, the record."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest

from mappings.errors import AuthError, PermanentError, TransientError, UncertainError, UndecidedError
from mappings.wire import Exchange, HttpCall, HttpReply, Stamp, check_status, read_json_object
from sync.clock import utc_now
from sync.gateway import CallContext, PeerAway
from sync.sandbox.http import HttpServer, Request, Response
from sync.services.take_in import BATCH
from sync.turns import Turns
from tests.service.house import House

ERP = "erp.generic_rest"


def post(house: House, path: str = "/api/orders", *, changes_peer: bool = True) -> Exchange[dict[str, Any]]:
    reply = yield HttpCall(
        "create_order" if changes_peer else "find_order",
        "POST" if changes_peer else "GET",
        house.peers.erp_url + (path if changes_peer else f"{path}/1"),
        {"Content-Type": "application/json", "Authorization": f"Bearer {house.peers.settings.erp_token}"},
        b'{"order_id":"1","customer_name":"x","total_amount":"1.00","order_date":"20261122","lines":'
        b'[{"sku":"A","quantity":1,"price":"1.00"}]}'
        if changes_peer
        else b"",
        changes_peer=changes_peer,
    )
    check_status(reply, "test.call", changes_peer=changes_peer)
    return read_json_object(reply, "test.call", changes_peer=changes_peer)


@pytest.mark.parametrize(
    ("fault", "changing", "reading"),
    [
        ({"reset_before": 1.0}, UncertainError, TransientError),
        ({"reset_after": 1.0}, UncertainError, TransientError),
        ({"truncated": 1.0}, UncertainError, TransientError),
        ({"garbage": 1.0}, UncertainError, TransientError),
        ({"html_200": 1.0}, UncertainError, TransientError),
        ({"html_502": 1.0}, UncertainError, TransientError),
        ({"half_json": 1.0}, UncertainError, TransientError),
        ({"server_error": 1.0}, UncertainError, TransientError),
        ({"too_many": 1.0}, TransientError, TransientError),
        ({"outage": True}, TransientError, TransientError),
    ],
)
def test_a_fault_on_the_wire_has_one_class_for_a_change_and_one_for_a_read(
    house: House, fault: dict[str, Any], changing: type[Exception], reading: type[Exception]
) -> None:
    house.peers.configure_faults({"erp": {"max_per_order": 0, **fault}})
    with pytest.raises(changing) as change:
        house.rt.gateway.run(ERP, post(house), CallContext())
    with pytest.raises(reading) as read:
        house.rt.gateway.run(ERP, post(house, changes_peer=False), CallContext())
    assert (type(change.value), type(read.value)) == (changing, reading)


def test_a_no_after_which_an_exchange_goes_on_is_recorded_as_what_it_meant(house: House) -> None:
    def ask() -> Exchange[HttpReply]:
        yield HttpCall("create_order", "POST", f"{house.peers.erp_url}/nothing")
        refused = PermanentError("test.call.refused", "It said no")
        return (
            yield HttpCall("find_order", "GET", f"{house.peers.erp_url}/nothing", changes_peer=False, after=refused)
        )

    context = CallContext()
    house.rt.gateway.run(ERP, ask(), context)

    assert [(attempt.operation, attempt.outcome, attempt.code) for attempt in context.attempts] == [
        ("create_order", "permanent", "test.call.refused"),
        ("find_order", "ok", ""),
    ]


def test_a_peer_that_is_not_there_was_certainly_not_changed(house: House) -> None:
    def ask() -> Exchange[HttpReply]:
        return (yield HttpCall("create_order", "POST", "http://127.0.0.1:9/"))

    with pytest.raises(TransientError, match="nothing was sent"):
        house.rt.gateway.run(ERP, ask(), CallContext())


def test_a_reply_that_drips_is_cut_off_at_the_deadline(house: House) -> None:
    house.peers.configure_faults({"erp": {"drip": 1.0, "drip_s": 60, "max_per_order": 0}})
    object.__setattr__(house.rt.peer(ERP), "read_timeout_s", 0.5)
    object.__setattr__(house.rt.peer(ERP).spec, "connect_timeout_s", 0.5)
    began = time.monotonic()
    try:
        with pytest.raises(UncertainError):
            house.rt.gateway.run(ERP, post(house), CallContext())
    finally:
        object.__setattr__(house.rt.peer(ERP).spec, "connect_timeout_s", 5)
    assert time.monotonic() - began < 10


def test_five_failures_in_a_row_close_the_door_and_the_first_success_opens_it(house: House) -> None:
    house.peers.configure_faults({"erp": {"outage": True}})
    for _ in range(5):
        with pytest.raises(TransientError):
            house.rt.gateway.run(ERP, post(house), CallContext())
    with pytest.raises(PeerAway):
        house.rt.gateway.run(ERP, post(house), CallContext())

    house.peers.configure_faults({"erp": {}})
    house.open_doors()
    house.rt.gateway.run(ERP, post(house), CallContext())


def test_only_one_caller_probes_a_peer_that_is_away(house: House) -> None:
    house.peers.configure_faults({"erp": {"outage": True}})
    for _ in range(5):
        with pytest.raises(TransientError):
            house.rt.gateway.run(ERP, post(house), CallContext())
    house.open_doors()

    answers = [house.rt.door.ask(ERP) for _ in range(3)]

    assert [answer is None for answer in answers] == [True, False, False]


@pytest.mark.parametrize(("wish_s", "probe_s"), [(300, 300), (1, 10), (86_400, 600)])
def test_a_peer_that_throttles_us_is_left_alone_as_long_as_it_wishes(
    house: House, wish_s: float, probe_s: float
) -> None:
    house.peers.configure_faults({"erp": {"too_many": 1.0, "retry_after_s": wish_s, "max_per_order": 0}})
    for _ in range(5):
        with pytest.raises(TransientError):
            house.rt.gateway.run(ERP, post(house), CallContext())

    closed = house.rt.door.ask(ERP)

    assert closed is not None
    assert (closed.until - utc_now()).total_seconds() == pytest.approx(probe_s, abs=8)


def test_every_call_leaves_one_attempt_with_its_outcome_and_a_metric(house: House) -> None:
    context = CallContext(private=("x",), try_no=2)
    house.rt.gateway.run(ERP, post(house), context)

    (attempt,) = context.attempts
    assert (attempt.operation, attempt.outcome, attempt.http_status) == ("create_order", "ok", 201)
    value = house.rt.counters.registry.get_sample_value(
        "ecsync_peer_calls_total", {"peer": ERP, "operation": "create_order", "outcome": "ok", "try": "retry"}
    )
    assert value == 1


def test_secrets_of_a_peer_are_hidden_in_the_record(house: House) -> None:
    def tell_secret() -> Exchange[None]:
        token = house.rt.peer(ERP).config["token"]
        yield HttpCall("find_order", "GET", f"{house.peers.erp_url}/api/orders?order_id={token}", changes_peer=False)
        raise PermanentError("test.refused", f"refused {token}", peer_text=f"bad {token}")

    context = CallContext()
    with pytest.raises(PermanentError) as caught:
        house.rt.gateway.run(ERP, tell_secret(), context)
    token = house.rt.peer(ERP).config["token"]
    assert token not in str(caught.value)
    assert token not in context.attempts[0].request


def test_an_unusable_address_is_ours_to_correct(house: House) -> None:
    def ask() -> Exchange[HttpReply]:
        return (yield HttpCall("create_order", "POST", "nonsense://"))

    with pytest.raises(AuthError, match="address"):
        house.rt.gateway.run(ERP, ask(), CallContext())


def test_an_exchange_of_several_calls_gets_each_reply_in_turn(house: House) -> None:
    def twice() -> Exchange[tuple[int, int]]:
        auth = {"Authorization": f"Bearer {house.peers.settings.erp_token}"}
        url = f"{house.peers.erp_url}/api/orders"
        first = yield HttpCall("find_order", "GET", f"{url}/1", auth, changes_peer=False)
        second = yield HttpCall("find_order", "GET", url, {}, changes_peer=False)
        return first.status, second.status

    context = CallContext()
    assert house.rt.gateway.run(ERP, twice(), context) == (404, 401)
    assert len(context.attempts) == 2


def test_a_poll_takes_orders_in_by_batches(house: House) -> None:
    house.peers.configure_faults({"carrier": {"outage": True}, "erp": {"outage": True}})
    house.seed(BATCH + 5)
    assert house.poll().new == BATCH + 5


def test_a_call_that_an_exchange_can_do_without_costs_it_nothing_but_is_recorded(house: House) -> None:
    def book_and_print() -> Exchange[str]:
        booked = yield from post(house)
        try:
            yield HttpCall("print_label", "POST", "http://127.0.0.1:9/")
        except TransientError:
            return f"{booked['order_id']} without a label"
        return "with a label"

    context = CallContext()

    assert house.rt.gateway.run(ERP, book_and_print(), context) == "1 without a label"
    assert [(a.operation, a.outcome) for a in context.attempts] == [
        ("create_order", "ok"),
        ("print_label", "transient"),
    ]


def test_a_protocol_that_signs_the_moment_of_sending_gets_it_and_a_word_of_its_own_with_each_call(house: House) -> None:
    stamps: list[Stamp] = []

    def sealed(call: HttpCall, stamp: Stamp) -> HttpCall:
        stamps.append(stamp)
        return replace(call, body=b'{"nonce":"%b"}' % stamp.nonce.encode())

    def ask_twice() -> Exchange[None]:
        for _ in range(2):
            yield HttpCall("create_order", "POST", house.peers.erp_url + "/api/orders", stamped=sealed)

    context, before = CallContext(), utc_now()
    house.rt.gateway.run(ERP, ask_twice(), context)

    assert len({stamp.nonce for stamp in stamps}) == 2
    assert before <= stamps[0].at <= stamps[1].at <= utc_now()
    assert [stamps[0].nonce in context.attempts[0].request, stamps[1].nonce in context.attempts[1].request] == [
        True
    ] * 2


def test_a_peer_whose_people_have_to_decide_is_not_taken_for_one_that_is_away(house: House) -> None:
    def ask() -> Exchange[None]:
        yield HttpCall("find_order", "GET", house.peers.erp_url + "/api/orders/1")
        raise UndecidedError("test.undecided", "a person decides", retry_after_s=60)

    for _ in range(6):
        with pytest.raises(UndecidedError):
            house.rt.gateway.run(ERP, ask(), CallContext())


def test_no_cookie_goes_back_by_itself_and_whoever_wants_it_has_it(house: House) -> None:
    """A session that one order opened must not decide what the next one's call means."""
    heard: list[str] = []

    def answer(request: Request) -> Response:
        heard.append(request.headers.get("cookie", ""))
        return Response(200, b"{}", "application/json", headers=(("Set-Cookie", "SAP_SESSIONID=abc; path=/"),))

    server = HttpServer(answer, 0)
    server.start()

    def ask_twice() -> Exchange[dict[str, str]]:
        reply = yield HttpCall("find_order", "GET", server.url, changes_peer=False)
        yield HttpCall("find_order", "GET", server.url, changes_peer=False)
        return dict(reply.cookies)

    try:
        kept = house.rt.gateway.run(ERP, ask_twice(), CallContext())
    finally:
        server.stop()

    assert kept == {"SAP_SESSIONID": "abc"}
    assert heard == ["", ""]


def test_how_long_a_call_waits_for_its_turn_is_up_to_whoever_makes_it(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stock that was read so far is worth the wait for the next minute; an order is put off."""
    turns, slept = iter((20.0, 0.0, 20.0)), list[float]()
    monkeypatch.setattr(Turns, "take", lambda *_: next(turns))
    monkeypatch.setattr(time, "sleep", slept.append)

    house.rt.gateway.run(ERP, post(house), CallContext(turn_wait_s=30))
    with pytest.raises(PeerAway, match="rate limit"):
        house.rt.gateway.run(ERP, post(house), CallContext())

    assert slept == [20.0]
