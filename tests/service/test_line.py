"""The way out inside an observed piece of work: one door, one record and one metric for all of its requests."""

from __future__ import annotations

from typing import Any

import pytest

from mappings.errors import PermanentError, TransientError, UncertainError
from mappings.wire import Exchange, HttpCall, HttpReply
from sync import gateway as gateway_module
from sync.gateway import CallContext, PeerAway
from tests.service.house import House
from tests.service.test_gateway import ERP, post


def calls(house: House, outcome: str = "ok") -> float | None:
    labels = {"peer": ERP, "operation": "write_note", "outcome": outcome, "try": "first"}
    return house.rt.counters.registry.get_sample_value("ecsync_peer_calls_total", labels)


def twice(house: House) -> Any:
    line = house.rt.gateway.line(ERP)
    return line.run(post(house)), line.run(post(house, changes_peer=False))


def test_work_of_several_requests_is_one_attempt_and_one_metric(house: House) -> None:
    context = CallContext()
    house.rt.gateway.observe(ERP, "write_note", lambda: twice(house), context)

    assert [(one.operation, one.outcome, one.code) for one in context.attempts] == [("write_note", "ok", "")]
    assert calls(house) == 1


@pytest.mark.parametrize(("fault", "changing"), [("reset_after", UncertainError), ("too_many", TransientError)])
def test_what_a_request_meets_is_what_the_work_met(house: House, fault: str, changing: type[Exception]) -> None:
    house.peers.configure_faults({"erp": {fault: 1.0, "max_per_order": 0}})
    context = CallContext()
    with pytest.raises(changing):
        house.rt.gateway.observe(ERP, "write_note", lambda: twice(house), context)

    (attempt,) = context.attempts
    assert attempt.outcome == ("uncertain" if changing is UncertainError else "transient")
    assert calls(house, attempt.outcome) == 1


def test_failures_inside_work_close_the_door_as_any_others(house: House) -> None:
    house.peers.configure_faults({"erp": {"outage": True}})
    for _ in range(5):
        with pytest.raises(TransientError):
            house.rt.gateway.observe(ERP, "write_note", lambda: twice(house), CallContext())
    with pytest.raises(PeerAway):
        house.rt.gateway.observe(ERP, "write_note", lambda: pytest.fail("nothing may be sent"), CallContext())


def test_a_peer_that_is_not_there_was_certainly_not_changed(house: House) -> None:
    def ask() -> Exchange[HttpReply]:
        return (yield HttpCall("create_order", "POST", "http://127.0.0.1:9/"))

    with pytest.raises(TransientError, match="nothing was sent"):
        house.rt.gateway.line(ERP).run(ask())


def test_work_that_gets_no_turn_under_the_rate_limit_leaves_no_trace(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a success, which would open the door again, nor a failure of the peer."""
    object.__setattr__(house.rt.peer(ERP), "rate_per_s", 1)
    monkeypatch.setattr(gateway_module, "MAX_TURN_WAIT_S", 0)
    context = CallContext()
    with pytest.raises(PeerAway, match="rate limit"):
        house.rt.gateway.observe(ERP, "write_note", lambda: [twice(house) for _ in range(9)], context)

    assert (context.attempts, calls(house)) == ([], None)


def test_work_that_breaks_for_our_own_fault_says_nothing_of_the_peer(house: House) -> None:
    context = CallContext()
    with pytest.raises(ZeroDivisionError):
        house.rt.gateway.observe(ERP, "write_note", lambda: 1 // 0, context)
    assert (context.attempts, calls(house)) == ([], None)


def test_secrets_and_names_are_out_of_what_the_work_raises_and_of_its_record(house: House) -> None:
    token = house.rt.peer(ERP).config["token"]

    def tell() -> Exchange[None]:
        yield HttpCall("ship", "GET", f"{house.peers.erp_url}/api/orders", changes_peer=False, secrets=("call-secret",))
        raise PermanentError("test.refused", f"refused {token}", peer_text=f"王小明 {token} call-secret")

    context = CallContext(private=("王小明",))
    with pytest.raises(PermanentError) as caught:
        house.rt.gateway.observe(ERP, "write_note", lambda: house.rt.gateway.line(ERP).run(tell()), context)
    shown = f"{caught.value}{caught.value.peer_text}{context.attempts[0].reply}"
    assert not any(word in shown for word in (token, "王小明", "call-secret"))
    assert "王**" in shown


def test_a_reply_larger_than_any_real_one_is_cut_off(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway_module, "MAX_REPLY_BYTES", 10)
    with pytest.raises(UncertainError):
        house.rt.gateway.line(ERP).run(post(house))
