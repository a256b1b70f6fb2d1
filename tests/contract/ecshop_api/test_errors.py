"""Every way in which the plug-in, or what stands before it, does not give what was asked for."""

from __future__ import annotations

from typing import Any

import pytest

from mappings.errors import AuthError, PeerError, PermanentError, TransientError, UncertainError
from mappings.model import StockChange
from mappings.wire import HttpReply
from tests.contract.ecshop_api.talk import PLUGIN, STAMP, answered, refusal, said

NOW = STAMP.at
PROXY = b"<html><head><title>502 Bad Gateway</title></head></html>"
MAINTENANCE = "<html>店铺维护中</html>".encode()

REFUSED: dict[str, tuple[HttpReply, type[PeerError], type[PeerError], str]] = {
    "signature": (refusal(401, "signature"), AuthError, AuthError, "ecshop.api.signature"),
    "clock": (refusal(401, "clock", now=NOW + 512), AuthError, AuthError, "ecshop.api.clock"),
    "replayed": (refusal(401, "replayed"), TransientError, UncertainError, "ecshop.api.server_error"),
    "https": (refusal(403, "https_required"), AuthError, AuthError, "ecshop.api.https_required"),
    "address": (refusal(403, "address"), AuthError, AuthError, "ecshop.api.address"),
    "no key there": (refusal(503, "not_configured"), AuthError, AuthError, "ecshop.api.not_configured"),
    "database": (refusal(503, "database_away"), TransientError, TransientError, "ecshop.db.unreachable"),
    "locked": (refusal(503, "locked"), TransientError, TransientError, "ecshop.db.locked"),
    "statement": (refusal(500, "database_refused"), PermanentError, PermanentError, "ecshop.db.refused"),
    "its bug": (refusal(500, "internal"), TransientError, UncertainError, "ecshop.api.server_error"),
    "field": (refusal(400, "bad_request"), PermanentError, PermanentError, "ecshop.api.refused"),
    "route": (refusal(404, "route_unknown"), PermanentError, PermanentError, "ecshop.api.refused"),
    "a word of later": (refusal(409, "of_2031"), PermanentError, PermanentError, "ecshop.api.refused"),
    "not there": (HttpReply(404, {}, PROXY), AuthError, AuthError, "ecshop.api.not_reached"),
    "moved away": (HttpReply(301, {}, b""), AuthError, AuthError, "ecshop.api.not_reached"),
    "firewall": (HttpReply(403, {}, PROXY), AuthError, AuthError, "ecshop.api.not_reached"),
    "password": (HttpReply(401, {}, PROXY), AuthError, AuthError, "ecshop.api.not_reached"),
    "busy": (HttpReply(429, {}, b""), TransientError, TransientError, "ecshop.api.unavailable"),
    "maintenance": (HttpReply(503, {}, MAINTENANCE), TransientError, TransientError, "ecshop.api.unavailable"),
    "proxy": (HttpReply(502, {}, PROXY), TransientError, UncertainError, "ecshop.api.server_error"),
    "proxy says 200": (HttpReply(200, {}, PROXY), TransientError, UncertainError, "ecshop.api.garbled"),
    "half": (HttpReply(200, {}, b'{"done": true, "no'), TransientError, UncertainError, "ecshop.api.garbled"),
    "nothing": (HttpReply(200, {}, b""), TransientError, UncertainError, "ecshop.api.garbled"),
    "a list": (said([1]), TransientError, UncertainError, "ecshop.api.garbled"),
    "a warning before it": (
        HttpReply(200, {}, b'Warning: x in /a.php\n{"done":true}'),
        TransientError,
        UncertainError,
        "ecshop.api.garbled",
    ),
    "half a refusal": (
        HttpReply(500, {}, b'{"error": {"co'),
        TransientError,
        UncertainError,
        "ecshop.api.server_error",
    ),
}

WRITES = {
    "order_gone": (404, "order_gone"),
    "order_withdrawn": (409, "order_withdrawn"),
    "already_shipped": (409, "already_shipped"),
    "note_gone": (409, "note_gone"),
    "note_taken": (409, "note_taken"),
    "note_conflict": (409, "note_conflict"),
    "lines_changed": (409, "lines_changed"),
    "sent_mismatch": (409, "sent_mismatch"),
    "package_unknown": (409, "package_unknown"),
    "numbers_full": (409, "invoice_full"),
}


def error_of(exchange: Any, reply: HttpReply) -> PeerError:
    with pytest.raises(PeerError) as caught:
        answered(exchange, reply)
    return caught.value


@pytest.mark.parametrize("case", REFUSED)
def test_an_answer_that_is_none_has_one_class_for_a_read_and_one_for_a_change(case: str) -> None:
    reply, reading, changing, code = REFUSED[case]
    read = error_of(PLUGIN.orders(STAMP, [1]), reply)
    change = error_of(PLUGIN.ship(STAMP, "S1", {}), reply)
    stock = error_of(PLUGIN.write_stock(STAMP, [StockChange("A", 1, 0, 5, 6)]), reply)
    assert [type(read), type(change), type(stock)] == [reading, changing, changing]
    assert {read.code, change.code, stock.code} == {code}
    assert not read.message.endswith(".")
    assert read.message[0].isupper()


@pytest.mark.parametrize("word", WRITES)
def test_a_refused_write_has_the_code_of_the_same_refusal_by_sql(word: str) -> None:
    status, slug = WRITES[word]
    error = error_of(PLUGIN.ship(STAMP, "2026112200001", {}), refusal(status, word))
    assert (type(error), error.code) == (PermanentError, f"ecshop.write_back.{slug}")
    assert "2026112200001" in error.message


def test_a_write_that_met_another_is_repeated() -> None:
    error = error_of(PLUGIN.ship(STAMP, "S1", {}), refusal(409, "moved"))
    assert (type(error), error.code) == (TransientError, "ecshop.write_back.changed_meanwhile")


@pytest.mark.parametrize(("ahead_s", "words"), [(512, "512 s ahead of"), (-3600, "3600 s behind")])
def test_clocks_that_differ_are_told_by_how_much_and_what_to_do(ahead_s: int, words: str) -> None:
    error = error_of(PLUGIN.ping(STAMP), refusal(401, "clock", now=NOW + ahead_s))
    assert words in error.message
    assert "NTP" in error.message


def test_clocks_that_differ_are_told_without_the_other_time_too() -> None:
    assert "NTP" in error_of(PLUGIN.ping(STAMP), refusal(401, "clock")).message


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (refusal(401, "signature"), "same key"),
        (refusal(403, "address"), "allow in data/ecsync-config.php"),
        (refusal(403, "https_required"), "https://"),
        (HttpReply(404, {}, b""), "upload ecsync.php"),
        (HttpReply(302, {}, b""), "set url"),
        (HttpReply(403, {}, b""), "firewall"),
    ],
)
def test_what_is_ours_to_correct_says_what_to_change(reply: HttpReply, words: str) -> None:
    assert words in error_of(PLUGIN.ping(STAMP), reply).message


@pytest.mark.parametrize("document", [{}, {"done": False}, {"done": True, "note_id": "7"}, {"done": 1}])
def test_a_write_that_does_not_say_that_it_is_done_is_uncertain(document: Any) -> None:
    assert type(error_of(PLUGIN.ship(STAMP, "S1", {}), said(document))) is UncertainError


@pytest.mark.parametrize("changed", [None, {"0": 1}, ["0"], [1], [-1]])
def test_stock_of_which_it_is_not_said_what_was_set_is_uncertain(changed: Any) -> None:
    error = error_of(PLUGIN.write_stock(STAMP, [StockChange("A", 1, 0, 5, 6)]), said({"changed": changed}))
    assert type(error) is UncertainError


def test_a_byte_order_mark_before_the_answer_is_no_reason_to_refuse_it() -> None:
    """Shops with a config.php saved by Windows' editor print one before everything."""
    assert answered(PLUGIN.ship(STAMP, "S1", {}), HttpReply(200, {}, b'\xef\xbb\xbf{"done":true,"note_id":7}')) == 7
