"""Reading stock over REST against every answer a peer can give. No socket: an exchange is fed replies as values."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from mappings.errors import AuthError, PermanentError, TransientError
from mappings.model import StockFigure
from mappings.wire import HttpCall, HttpReply
from tests.contract.erps.hands import failure, run
from tests.contract.erps.test_generic_rest import PROXY_PAGE, answer, erp

SINCE = datetime(2026, 11, 22, 12, 0, tzinfo=timezone(timedelta(hours=8)))
NO_MORE = answer({"stock": []})


def row(sku: str | None = "TEA-01", available: Any = 7, **more: Any) -> dict[str, Any]:
    return {"sku": sku, "available": available, **more}


def page(*rows: Any, **more: Any) -> HttpReply:
    return answer({"stock": list(rows), **more})


def read(*replies: HttpReply, since: datetime | None = None, **settings: str) -> tuple[StockFigure, ...]:
    return run(erp(**settings).read_stock(since), *replies)[0]


def asked(call: HttpCall) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(call.url).query))


# --- what is asked


def test_stock_is_asked_for_page_by_page_until_a_page_is_empty() -> None:
    figures, calls = run(erp().read_stock(None), page(row("A", 1)), page(row("B", 2)), NO_MORE)

    assert figures == (StockFigure("A", 1), StockFigure("B", 2))
    assert [asked(call) for call in calls] == [{"page": str(n), "limit": "500"} for n in (1, 2, 3)]
    assert {(call.method, call.operation, call.changes_peer) for call in calls} == {("GET", "read_stock", False)}
    assert calls[0].headers["Authorization"] == "Bearer s3cret-token"
    assert calls[0].secrets == ("s3cret-token",)
    assert calls[0].url.startswith("https://erp.example.com/api/stock?")


def test_an_erp_that_gives_everything_at_once_is_understood() -> None:
    everything = page(row("A", 1), row("B", 2))

    assert len(read(everything, everything)) == 2, "the same page again is no news"
    assert len(read(everything, stock_page_param="")) == 2


@pytest.mark.parametrize(
    ("settings", "sent"),
    [
        ({}, {"since": "2026-11-22T04:00:00Z"}),
        ({"stock_since_format": "epoch"}, {"since": "1795320000"}),
        ({"stock_since_param": "modified_begin"}, {"modified_begin": "2026-11-22T04:00:00Z"}),
        ({"stock_since_param": ""}, {}),
    ],
)
def test_changes_are_asked_for_since_a_time_in_utc(settings: dict[str, str], sent: dict[str, str]) -> None:
    settings |= {"stock_page_param": "", "stock_page_size_param": ""}
    _, [call] = run(erp(**settings).read_stock(SINCE), page())

    assert asked(call) == sent


def test_a_path_with_a_question_mark_of_its_own_is_kept() -> None:
    _, [call] = run(erp(stock_path="/rpc?method=stock.list", stock_page_size="50").read_stock(None), NO_MORE)

    assert asked(call) == {"method": "stock.list", "page": "1", "limit": "50"}


# --- what is read


def test_the_erp_can_have_its_own_field_names() -> None:
    reply = answer({"data": {"items": [{"bn": "TEA-01", "store": "10", "store_freeze": 3, "branch": "SZ"}]}})
    names: dict[str, Any] = {
        "stock_list_field": "data.items",
        "stock_sku_field": "bn",
        "stock_quantity_field": "store",
        "stock_reserved_field": "store_freeze",
        "stock_warehouse_field": "branch",
        "stock_page_param": "",
    }

    assert read(reply, **names) == (StockFigure("TEA-01", 7, "SZ"),)
    assert read(answer([row()]), stock_list_field="", stock_page_param="") == (StockFigure("TEA-01", 7),)


@pytest.mark.parametrize(
    ("said", "pieces"),
    [(7, 7), ("7", 7), ("7.000", 7), (7.0, 7), (7.9, 7), (-2, -2), (-0.5, -1), (0, 0), (" 12 ", 12), ("1e2", 100)],
)
def test_a_figure_becomes_whole_pieces_rounded_down(said: Any, pieces: int) -> None:
    assert read(page(row(available=said)), NO_MORE) == (StockFigure("TEA-01", pieces),)


def test_a_figure_is_read_digit_by_digit_so_that_none_becomes_the_next_whole_piece() -> None:
    reply = HttpReply(200, body=b'{"stock": [{"sku": "TEA-01", "available": 6.99999999999999999999}]}')

    assert read(reply, NO_MORE) == (StockFigure("TEA-01", 6),)


@pytest.mark.parametrize("said", ["many", "", True, [], {}, "NaN", "Infinity", 10**12])
def test_a_figure_that_is_no_number_is_never_guessed(said: Any) -> None:
    error = failure(erp().read_stock(None), page(row(available=said)))

    assert isinstance(error, PermanentError)
    assert error.code == "generic_rest.stock.figure_unreadable"
    assert "TEA-01" in error.message


def test_what_the_erp_keeps_no_stock_of_is_left_out() -> None:
    assert read(page(row("A", None), row("", 5), row(None, 5), row("B", 0)), NO_MORE) == (StockFigure("B", 0),)


@pytest.mark.parametrize("broken", [{"available": 5}, {"sku": "A"}, {"sku": ["A"], "available": 5}, "A", 5, None])
def test_a_row_in_another_form_says_which_setting_to_check(broken: Any) -> None:
    error = failure(erp().read_stock(None), page(broken))

    assert error.code == "generic_rest.stock.figure_unreadable"
    assert "STOCK_" in error.message


def test_warehouses_are_told_apart_and_a_repeated_row_counts_once() -> None:
    rows = (row("A", 1, warehouse="SZ"), row("A", 2, warehouse="BJ"), row("A", 1, warehouse="SZ"))

    assert read(page(*rows), NO_MORE) == (StockFigure("A", 1, "SZ"), StockFigure("A", 2, "BJ"))


def test_two_figures_for_one_sku_in_one_place_go_to_a_person() -> None:
    error = failure(erp().read_stock(None), page(row("A", 1)), page(row("A", 2)))

    assert (type(error), error.code) == (PermanentError, "generic_rest.stock.figure_twice")


# --- what goes wrong


@pytest.mark.parametrize(
    ("reply", "kind", "code"),
    [
        (HttpReply(503), TransientError, "generic_rest.stock.unavailable"),
        (HttpReply(429), TransientError, "generic_rest.stock.unavailable"),
        (HttpReply(500), TransientError, "generic_rest.stock.server_error"),
        (HttpReply(401), AuthError, "generic_rest.stock.auth"),
        (HttpReply(403), AuthError, "generic_rest.stock.auth"),
        (HttpReply(404), PermanentError, "generic_rest.stock.refused"),
        (PROXY_PAGE, TransientError, "generic_rest.stock.garbled"),
        (HttpReply(200), TransientError, "generic_rest.stock.garbled"),
        (answer({"items": []}), PermanentError, "generic_rest.stock.list_missing"),
        (answer({"stock": {"A": 5}}), PermanentError, "generic_rest.stock.list_missing"),
        (answer([]), PermanentError, "generic_rest.stock.list_missing"),
    ],
    ids=str,
)
def test_every_other_answer_has_its_class(reply: HttpReply, kind: type[Exception], code: str) -> None:
    error = failure(erp().read_stock(None), reply)

    assert (type(error), error.code) == (kind, code)


def test_who_must_look_sees_what_the_erp_answered() -> None:
    error = failure(erp().read_stock(None), answer({"items": []}))

    assert (error.peer_code, error.peer_text) == ("200", '{"items": []}')


def test_a_failure_on_a_later_page_gives_no_half_of_the_figures() -> None:
    assert isinstance(failure(erp().read_stock(None), page(row()), HttpReply(503)), TransientError)


def test_no_content_is_no_news() -> None:
    assert read(HttpReply(204), since=SINCE) == ()


def test_a_200_that_says_no_is_a_no() -> None:
    assert read(page(row(), code=0), page(code=0), failure_field="code") == (StockFigure("TEA-01", 7),)
    no = failure(erp(failure_field="code").read_stock(None), page(code=7))
    unclear = failure(erp(failure_field="code").read_stock(None), page())

    assert (type(no), no.code) == (PermanentError, "generic_rest.stock.rejected")
    assert (type(unclear), unclear.code) == (TransientError, "generic_rest.stock.garbled")


def test_an_erp_without_stock_says_which_setting_is_empty() -> None:
    exchange = erp(stock_path="").read_stock(None)
    with pytest.raises(PermanentError, match="STOCK_PATH") as caught:
        next(exchange)
    assert caught.value.code == "generic_rest.stock.not_offered"


def test_pages_without_end_are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mappings.erps.generic_rest.stock.MOST_PAGES", 3)
    error = failure(erp().read_stock(None), *(page(row(f"S{n}")) for n in range(3)))

    assert error.code == "generic_rest.stock.endless"


@pytest.mark.parametrize(
    ("name", "text"),
    [("stock_path", "stock"), ("stock_page_size", "0"), ("stock_page_size", "x"), ("stock_since_format", "utc")],
)
def test_a_setting_that_cannot_be_right_is_refused_at_start(name: str, text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        erp(**{name: text})


def test_the_time_asked_for_is_the_same_in_every_zone() -> None:
    _, [call] = run(erp(stock_page_param="").read_stock(SINCE.astimezone(UTC)), page())

    assert asked(call)["since"] == "2026-11-22T04:00:00Z"
