"""What the page says of a shop: which ERPs get its orders and why, and whether its stock follows the ERP's."""

from __future__ import annotations

import re

import pytest

from sync.db.cursors import set_cursor
from tests.service.web.conftest import MakeApp, process_of
from tests.service.web.rows import ERP, SHOP, Rows

SECOND = {
    "ECSYNC_ERPS": "generic_rest,second",
    "ECSYNC_ERP_SECOND_CONNECTOR": "generic_rest",
    "ECSYNC_ERP_SECOND_BASE_URL": "http://127.0.0.1:1",
    "ECSYNC_ERP_SECOND_TOKEN": "x",
}
STOCKED = {"ECSYNC_SHOP_MAIN_STOCK_INTERVAL_S": "300", "ECSYNC_SHOP_MAIN_STOCK_SAFETY": "7"}


def shops_panel(
    make_app: MakeApp, settings: dict[str, str], *, synced: bool = False, need: tuple[str, str] = ("", "")
) -> str:
    app = make_app(**settings)
    rt = process_of(app).runtime
    if synced:
        with rt.database.writing() as session:
            set_cursor(session, f"stock_synced.{SHOP}", "3 set")
    if need[0]:
        rows = Rows(rt.database)
        rows.exception(rows.group(*need))
    html = app.test_client().get("/?lang=en").text
    panel = html[html.index('id="shops-title"') :]
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", panel[: panel.index("</section>")]))


def test_where_a_shop_s_orders_go_and_why_stands_on_the_page(make_app: MakeApp) -> None:
    said = shops_panel(make_app, SECOND)

    assert "second" in said
    assert "every ERP: the shop names none" in said


def test_a_shop_that_names_its_erps_names_the_setting_too(make_app: MakeApp) -> None:
    said = shops_panel(make_app, SECOND | {"ECSYNC_SHOP_MAIN_ERPS": "generic_rest"})

    assert "second" not in said
    assert "named in ECSYNC_SHOP_MAIN_ERPS" in said


@pytest.mark.parametrize(
    ("settings", "synced", "need", "expected"),
    [
        ({}, False, ("", ""), "○ off"),
        (STOCKED, False, ("", ""), "○ no run yet"),
        (STOCKED, True, ("", ""), "● just now"),
        (STOCKED, True, ("stock.guarded", SHOP), "▲ needs a person"),
        (STOCKED, True, ("generic_rest.stock.list_missing", SHOP), "▲ needs a person"),
        (STOCKED, True, ("stock.guarded", ERP), "● just now"),
        (STOCKED, True, ("ecshop.order.phone_blank", SHOP), "● just now"),
    ],
)
def test_the_page_says_how_a_shop_s_stock_stands(
    make_app: MakeApp, settings: dict[str, str], synced: bool, need: tuple[str, str], expected: str
) -> None:
    said = shops_panel(make_app, settings, synced=synced, need=need)

    assert re.sub(r"\b\d s ago", "just now", said).count(expected) == 1
    assert ("every 5 min, 7 of each SKU kept back" in said) is bool(settings)
