"""What holds for a shop reached by its database holds for one reached by the plug-in: the same tests once more."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from tests.service import shop

_OF_SQL = {"charsets", "check", "connections", "crashes", "cut_off", "plans", "refusals", "rights"}
"""Modules about our own connections and statements; the plug-in's are tested in tests/service/plugin."""
_OF_SQL_ALONE = {
    # the plug-in's own statements may break off anywhere, too: tests/service/plugin/test_crashes.py
    "test_a_crash_anywhere_in_three_parcels_is_made_good_by_the_repeat",
    "test_a_worker_may_die_around_any_statement_and_the_sums_hold",
    # statements of ours are counted, or connections
    "test_a_database_that_counts_what_it_matched_is_not_asked_again",
    "test_a_page_costs_the_same_number_of_statements_however_many_orders_it_holds",
    "test_an_order_that_only_its_discount_line_keeps_open_costs_no_sweep_anything",
    "test_many_changes_take_few_statements",
    "test_no_connection_is_held_while_the_caller_works_on_a_page",
    "test_our_connections_are_strict_whatever_the_server_or_the_shop_says",
    "test_points_cost_four_statements_and_a_guests_order_none",
    "test_products_are_looked_through_once_a_statement",
    # SQLite keeps bytes in any column; of MySQL's, the altered shop's
    "test_an_order_is_read_again_once_its_bytes_are_text",
    "test_an_order_whose_payment_cannot_be_decoded_is_left_as_it_is",
    "test_bytes_that_are_no_text_park_their_own_order_and_no_other",
    "test_writing_on_such_an_order_is_a_named_error_and_the_next_order_is_written",
    # MySQL's points are unsigned: the admin that this test plays would fail
    "test_a_return_takes_no_points_that_were_never_given",
    # SQLite files, prefixes and columns: the shop's own config.php and tables decide them there
    "test_another_prefix_is_another_shop",
    "test_lastmodify_is_written_where_the_shop_has_it",
    "test_the_same_seed_gives_the_same_orders",
}
_OFFERED = {"mariadb_yard", "monkeypatch", "spoiled", "sqlite_yard", "tmp_path", "yard"}


def _tests() -> Iterator[tuple[str, Callable[..., Any]]]:
    for path in sorted(Path(str(shop.__file__)).parent.glob("test_*.py")):
        if path.stem.removeprefix("test_") not in _OF_SQL:
            module = import_module(f"{shop.__name__}.{path.stem}")
            yield from ((name, test) for name, test in vars(module).items() if name.startswith("test_"))


def _is_offered(test: Callable[..., Any]) -> bool:
    """Whether it takes a shop of ours; what looks behind one takes other fixtures."""
    by_hand: set[str] = set()
    for mark in getattr(test, "pytestmark", ()):
        if mark.name == "parametrize":
            names = mark.args[0]
            by_hand |= set(names.replace(" ", "").split(",") if isinstance(names, str) else names)
    return inspect.signature(test).parameters.keys() <= _OFFERED | by_hand


_FOUND = [name for name, _ in _tests()]
globals().update({name: test for name, test in _tests() if name not in _OF_SQL_ALONE and _is_offered(test)})


def test_each_is_here_or_said_to_be_of_sql_alone() -> None:
    assert len(_FOUND) == len(set(_FOUND)), "two tests have one name"
    assert _OF_SQL_ALONE - set(_FOUND) == set()
    left_out = [name for name in _FOUND if name not in globals() and name not in _OF_SQL_ALONE]
    assert len(left_out) < 10, left_out
