"""The peers' rate limits: a second's and a minute's together, shared by all workers that count in one place."""

from __future__ import annotations

from types import SimpleNamespace
from uuid import uuid4

import limits.storage.memory
import limits.storage.redis
import pytest

from mappings.erps.jushuitan import JushuitanErp
from sync import turns as turns_module
from sync.settings import PeerSettings
from sync.turns import Turns
from tests.services import REDIS, need_port


class Clock:
    """The time that the limits go by; who waits lets it pass."""

    def __init__(self) -> None:
        self.now = 1_795_320_000.0

    def time(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    for module in (limits.storage.memory, limits.storage.redis, turns_module):
        monkeypatch.setattr(module, "time", SimpleNamespace(time=clock.time))
    return clock


def peer(per_s: float = 0, per_minute: int = 0) -> PeerSettings:
    """A peer that nobody has called yet."""
    return PeerSettings("erp", uuid4().hex, "jushuitan", JushuitanErp.spec, {}, per_s, per_minute)


def calls_of(turns: Turns, called: PeerSettings, clock: Clock, most: int) -> list[float]:
    """When the next calls are made, in seconds from now, by one who waits as long as it is told."""
    start, made = clock.now, list[float]()
    while len(made) < most:
        wait_s = turns.take(called)
        if not wait_s:
            made.append(clock.now - start)
        clock.now += wait_s
    return made


def most_within(made: list[float], seconds: float) -> int:
    return max(sum(begin <= at < begin + seconds for at in made) for begin in made)


def test_both_limits_hold_in_any_second_and_in_any_minute(clock: Clock) -> None:
    made = calls_of(Turns("memory://"), peer(5, 100), clock, 350)

    assert (most_within(made, 1), most_within(made, 60)) == (5, 100)
    assert made[99] < 20, "at full speed until the minute is used up"
    assert made[-1] < 210, "and then a hundred a minute"


def test_a_call_that_the_second_refuses_takes_nothing_of_the_minute(clock: Clock) -> None:
    turns, called = Turns("memory://"), peer(1, 3)

    answers = [turns.take(called) for _ in range(9)]
    clock.now += 2
    later = turns.take(called)

    assert [bool(wait_s) for wait_s in answers] == [False] + [True] * 8
    assert later == 0


def test_who_is_refused_hears_when_the_next_turn_is(clock: Clock) -> None:
    turns, called = Turns("memory://"), peer(0, 2)
    turns.take(called)
    clock.now += 10
    turns.take(called)

    assert turns.take(called) == pytest.approx(50, abs=0.01)


def test_a_half_more_is_kept_over_two_seconds(clock: Clock) -> None:
    """So of Jushuitan's five a second no sixth arrives within one, though calls take longer or shorter to arrive."""
    made = calls_of(Turns("memory://"), peer(2.5), clock, 20)

    assert (made[:5], most_within(made, 2), most_within(made, 1)) == ([0] * 5, 5, 5)


@pytest.mark.parametrize(("per_s", "spacing"), [(0.5, 2), (0.1, 10), (1, 1)])
def test_less_than_one_a_second_is_one_in_so_many(clock: Clock, per_s: float, spacing: float) -> None:
    made = calls_of(Turns("memory://"), peer(per_s), clock, 3)

    assert made == pytest.approx([0, spacing, 2 * spacing], abs=0.2)


def test_without_a_limit_nobody_waits() -> None:
    turns, called = Turns("memory://"), peer()

    assert {turns.take(called) for _ in range(500)} == {0}


def test_workers_that_count_in_one_place_share_the_minute(clock: Clock) -> None:
    url = need_port("Redis", REDIS)
    called, workers = peer(5, 12), [Turns(url), Turns(url)]

    made = [worker.take(called) == 0 for _ in range(10) for worker in workers]
    clock.now += 2
    made += [worker.take(called) == 0 for _ in range(10) for worker in workers]
    clock.now += 2
    made += [worker.take(called) == 0 for _ in range(10) for worker in workers]

    assert (sum(made[:20]), sum(made[20:40]), sum(made[40:])) == (5, 5, 2)
    assert min(worker.take(called) for worker in workers) > 50


def test_a_store_that_is_away_holds_nobody_up() -> None:
    turns = Turns("redis://127.0.0.1:9/0")

    assert turns.take(peer(1, 1)) == 0


def test_jushuitans_published_limits_hold(clock: Clock) -> None:
    """Five a second and a hundred a minute."""
    spec = JushuitanErp.spec

    made = calls_of(Turns("memory://"), peer(spec.rate_per_s, spec.rate_per_minute), clock, 250)

    assert (most_within(made, 1), most_within(made, 60)) == (5, 100)
