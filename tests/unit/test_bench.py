"""The benchmark's arithmetic and its command line."""

from __future__ import annotations

import json

import pytest

from bench.command import parser, put
from bench.figures import Comparison, in_turn, significant
from bench.load import _is_whole
from bench.pushes import make_pushes
from bench.yard import BenchFailed
from mappings.carriers.kdniao.callback import verify
from mappings.carriers.kdniao.settings import SPEC, KdniaoSettings


def test_the_ratio_is_the_median_of_the_rounds_own_ratios() -> None:
    compared = Comparison(ours=(10.0, 1.0, 30.0), theirs=(20.0, 10.0, 30.0))
    assert compared.ratios == (0.5, 0.1, 1.0)
    assert compared.ratio == 0.5


def test_a_slow_round_slows_both_arms_and_does_not_move_the_ratio() -> None:
    assert Comparison(ours=(10.0, 1.0), theirs=(20.0, 2.0)).ratio == 0.5


def test_a_line_says_whether_the_aim_is_reached_and_how_far_the_rounds_spread() -> None:
    line = Comparison(ours=(4.0, 5.0, 6.0), theirs=(10.0, 10.0, 10.0)).line(0.5)
    assert (line["ratio"], line["ratio_min"], line["ratio_max"]) == (0.5, 0.4, 0.6)
    assert line["reached"] is True
    assert Comparison(ours=(4.0,), theirs=(10.0,)).line(0.5)["reached"] is False
    assert "aim" not in Comparison(ours=(4.0,), theirs=(10.0,)).line()


def test_the_aim_is_held_against_the_ratio_before_it_is_rounded_for_print() -> None:
    line = Comparison(ours=(0.39996,), theirs=(1.0,)).line(0.4)
    assert line["ratio"] == 0.4
    assert line["reached"] is False


@pytest.mark.parametrize(
    ("ours", "theirs"), [((), ()), ((1.0,), (1.0, 2.0)), ((0.0,), (1.0,))], ids=["none", "unequal", "zero"]
)
def test_arms_that_cannot_be_compared_are_refused(ours: tuple[float, ...], theirs: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match=r"round|more than nothing"):
        Comparison(ours, theirs)


def test_figures_claim_three_digits() -> None:
    assert [significant(value) for value in (0.123456, 1234.5, 9.999)] == [0.123, 1230.0, 10.0]


def test_arms_run_in_turn_and_each_second_round_backwards() -> None:
    seen: list[str] = []

    def arm(name: str, rate: float) -> float:
        seen.append(name)
        return rate

    rates = in_turn(2, lambda: arm("a", 1.0), lambda: arm("b", 2.0))
    assert "".join(seen) == "abba"
    assert rates == ((1.0, 1.0), (2.0, 2.0))


def test_the_options_have_defaults_that_measure_everything() -> None:
    options = parser().parse_args([])
    assert (options.orders, options.rounds, options.only, options.json) == (400, 5, "", False)


def test_one_part_can_be_measured_alone_and_small() -> None:
    options = parser().parse_args(["--only", "b", "--orders", "20", "--rounds", "1", "--json"])
    assert (options.only, options.orders, options.rounds, options.json) == ("b", 20, 1, True)


@pytest.mark.parametrize("words", [["--only", "z"], ["--orders", "0"], ["--rounds", "-1"], ["--orders", "many"]])
def test_options_that_mean_nothing_are_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parser().parse_args(words)
    assert ended.value.code == 2
    assert words[0] in capsys.readouterr().err


def test_standard_output_holds_one_json_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    put({"bench": "a", "what": "orders/s", "ratio": 0.5}, as_json=False)
    captured = capsys.readouterr()
    assert json.loads(captured.out) == {"bench": "a", "what": "orders/s", "ratio": 0.5}
    assert "(a) orders/s: 0.5" in captured.err


def test_the_pushes_are_genuine_and_each_is_another() -> None:
    settings = KdniaoSettings.of(
        {setting.name: setting.default for setting in SPEC.settings} | {"ebusiness_id": "bench", "app_key": "key"}
    )
    bodies = make_pushes(20, "key", parcels=2)
    assert len(set(bodies)) == 20
    for body in bodies:
        verify(body, settings)


def test_an_answer_counts_only_when_it_is_whole_and_accepts() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n"
    assert not _is_whole(head[:20])
    assert not _is_whole(head + b'{"Success"')
    assert _is_whole(head + b'{"Success":true}')
    with pytest.raises(BenchFailed, match="not accepted"):
        _is_whole(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
    with pytest.raises(BenchFailed, match="refused"):
        _is_whole(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")
