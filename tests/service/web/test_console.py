"""The page: what it says in both languages, what it never shows, and how it looks with nothing or no database."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime

import pytest
from flask.testing import FlaskClient

from sync.db.cursors import set_cursor
from sync.runtime import Runtime
from sync.web.board import LatestBoard
from sync.web.words import LANGUAGES
from tests.service.web.conftest import MakeApp, on_both_databases, process_of
from tests.service.web.rows import ERP, KDNIAO, SHOP, Rows, ago, fill_a_busy_day

AWAY = "postgresql+psycopg2://nobody@127.0.0.1:1/none"


@pytest.fixture
def rows(rt: Runtime) -> Rows:
    return Rows(rt.database)


def page(client: FlaskClient, path: str = "/?lang=en") -> str:
    answer = client.get(path)
    assert answer.status_code == 200
    return answer.text


def text_of(html: str) -> str:
    """What a reader sees, with single spaces."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", html)).replace("&lt;", "<").replace("&#39;", "'")


@on_both_databases
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_busy_day_is_told_in_full(client: FlaskClient, rt: Runtime, language: str) -> None:
    fill_a_busy_day(rt.database)
    said = text_of(page(client, f"/?lang={language}"))

    for word in ("2026112100040", "SO-90040", "77300000000039", "139****5678", "100", "85.0"):
        assert word in said
    expected = {
        "zh": ("沙箱", "凭证被拒绝", "13 项待办在等待", "物流异常", "快递鸟", "已签收", "差额 0，全部对上", "更久"),
        "en": ("Sandbox", "Our credentials are refused", "13 steps wait", "Stale pickup", "KDNiao", "Delivered",
               "difference 0, all accounted for", "older"),
    }  # fmt: skip
    for word in expected[language]:
        assert word in said


def test_the_english_page_holds_no_chinese_but_names(client: FlaskClient, rt: Runtime) -> None:
    fill_a_busy_day(rt.database)
    said = page(client).replace(">中文<", "")

    assert set(re.findall(r"[一-鿿]+", said)) <= {"王", "欧", "李"}


def test_no_name_phone_or_address_is_shown_unmasked(client: FlaskClient, rt: Runtime) -> None:
    fill_a_busy_day(rt.database)
    html = page(client, "/?lang=zh")

    for private in ("王小明", "欧阳娜娜", "John Smith", "13912345678", "文三路"):
        assert private not in html


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("zh", ("没有待处理的异常。 至今没有出现过。", "没有积压。", "还没有订单。", "尚未完成首次轮询", "尚未对账")),
        ("en", ("Nothing needs you. None so far.", "Nothing waits.", "No orders yet.", "no poll finished yet")),
    ],
)
def test_an_empty_house_says_which_kind_of_nothing_it_is(
    client: FlaskClient, language: str, words: tuple[str, ...]
) -> None:
    said = text_of(page(client, f"/?lang={language}"))

    for word in words:
        assert word in said


def test_when_all_is_settled_the_page_says_when_something_last_was(client: FlaskClient, rows: Rows) -> None:
    last = datetime(2026, 11, 21, 8, 20, tzinfo=UTC)
    rows.exception(rows.group("stale_pickup", KDNIAO, last_seen_at=last), resolved_at=ago(1))

    assert "Nothing needs you. Last one: 11-21 16:20." in text_of(page(client))


@pytest.mark.parametrize(("path", "status"), [("/", 503), ("/board", 200)])
def test_while_the_database_is_away_the_shell_stands_and_says_so(make_app: MakeApp, path: str, status: int) -> None:
    answer = make_app(migrated=False, ECSYNC_DATABASE_URL=AWAY).test_client().get(f"{path}?lang=en")

    assert answer.status_code == status
    assert "The database does not answer" in answer.text
    assert "Receiver: it answers, but cannot store." in answer.text
    assert "Traceback" not in answer.text


class TestLanguage:
    def test_it_is_chinese_unless_somebody_wants_another(self, client: FlaskClient) -> None:
        assert 'lang="zh-CN"' in page(client, "/")
        assert 'lang="zh-CN"' in page(client, "/?lang=fr")

    def test_the_browsers_wish_counts(self, client: FlaskClient) -> None:
        assert '<html lang="en">' in client.get("/", headers={"Accept-Language": "fr, en;q=0.8, zh;q=0.2"}).text

    def test_a_choice_is_remembered_and_beats_the_browsers_wish(self, client: FlaskClient) -> None:
        page(client, "/?lang=en")

        assert '<html lang="en">' in client.get("/", headers={"Accept-Language": "zh"}).text
        assert '<html lang="zh-CN">' in page(client, "/?lang=zh")

    def test_a_refresh_keeps_the_language_of_its_page_and_remembers_nothing(self, client: FlaskClient) -> None:
        assert 'hx-get="/board?lang=en"' in page(client)
        client.delete_cookie("ecsync_language")
        answer = client.get("/board?lang=en")

        assert "Nothing needs you." in answer.text
        assert "Set-Cookie" not in answer.headers


def test_production_and_sandbox_are_told_apart_and_refresh_at_their_own_pace(make_app: MakeApp) -> None:
    sandbox = page(make_app().test_client())
    production = page(make_app(ECSYNC_ENVIRONMENT="production").test_client())

    assert ("Sandbox" in sandbox, "Production" in sandbox) == (True, False)
    assert ("Sandbox" in production, "Production" in production) == (False, True)
    assert ('hx-trigger="every 1s' in sandbox, 'hx-trigger="every 5s' in production) == (True, True)


def test_a_sandbox_with_a_clock_of_its_own_shows_it(make_app: MakeApp) -> None:
    clock = "2026-11-20T01:00:00+00:00@2026-11-22T08:00:00+00:00x3600"

    assert "×3600" in page(make_app(ECSYNC_SANDBOX_CLOCK=clock).test_client())
    assert "×" not in page(make_app().test_client())


def test_the_page_works_without_javascript_and_has_none_inline(client: FlaskClient) -> None:
    html = page(client)

    assert '<noscript><meta http-equiv="refresh"' in html
    assert re.findall(r"<script(?![^>]*\bsrc=)", html) == []
    assert re.findall(r"\s(?:style|on[a-z]+)=", html) == []


def test_everything_the_page_loads_is_its_own(client: FlaskClient) -> None:
    addresses = re.findall(r'(?:src|href)="([^"#]*)"', page(client))
    assets = [address for address in addresses if address.startswith("/static/")]

    assert len(assets) == 4
    assert all(address.startswith("/") for address in addresses)
    for address in assets:
        answer = client.get(address)
        assert answer.status_code == 200
        answer.close()


def test_the_flow_tells_done_moving_stuck_and_the_oldest(client: FlaskClient, rows: Rows) -> None:
    order = rows.order(received_at=ago(0))
    rows.parcel(order, booked_at=ago(1))
    rows.step(order, "push_order", ERP, created_at=ago(840))
    rows.step(rows.order(received_at=ago(0)), "push_order", ERP, state="parked", created_at=ago(60))
    rows.exception(rows.group("ecshop.order.sku_blank", SHOP), subject="shop.main:9", opened_at=ago(7300))
    said = text_of(page(client))

    assert "Received 2 done ◆ stuck 1 oldest 2 h" in said
    assert "Waybill 1 done in progress 0 stuck 0" in said
    assert "ERP 0 done in progress 1 ◆ stuck 1 oldest 14 min" in said


@pytest.mark.parametrize(
    ("state", "word"), [("on", "● on"), ("away", "▲ away, breaker open"), ("refused", "■ refused")]
)
def test_each_peers_door_is_shown_by_shape_and_word(client: FlaskClient, rows: Rows, state: str, word: str) -> None:
    rows.peer(KDNIAO, state)

    assert f"KDNiao carrier.kdniao {word}" in text_of(page(client))


@pytest.mark.parametrize(
    ("difference", "word"), [(0, "● difference 0"), (2, "■ difference 2"), (-1, "■ difference -1")]
)
def test_conservation_is_quiet_at_zero_only(client: FlaskClient, rt: Runtime, difference: int, word: str) -> None:
    said = {"paid": 9, "in_flight": 5, "done": 1, "with_person": 1, "withdrawn": 0, "difference": difference}
    with rt.database.writing() as session:
        set_cursor(session, "conservation.shop.main", json.dumps(said))

    assert word in text_of(page(client))


def test_many_viewers_cost_one_reading_a_second_and_see_what_is_new_after_it(
    client: FlaskClient, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LatestBoard, "KEEP_S", 60)  # a second that a slow machine does not outlast
    assert "No orders yet." in page(client)
    rows.order(order_sn="2026112177777")
    assert "2026112177777" not in page(client)

    monkeypatch.setattr(LatestBoard, "KEEP_S", 0)
    assert "2026112177777" in page(client)


def test_a_database_that_is_away_is_asked_once_a_second_too(make_app: MakeApp, monkeypatch: pytest.MonkeyPatch) -> None:
    client = make_app(migrated=False, ECSYNC_DATABASE_URL=AWAY).test_client()
    monkeypatch.setattr(LatestBoard, "KEEP_S", 60)
    assert client.get("/").status_code == 503
    monkeypatch.setattr("sync.web.board.read_board", lambda _: 1 / 0)

    assert client.get("/").status_code == 503
    monkeypatch.setattr(LatestBoard, "KEEP_S", 0)
    assert client.get("/").status_code == 500


def test_what_a_peer_said_cannot_become_markup(client: FlaskClient, rows: Rows) -> None:
    rows.exception(rows.group("x.y", KDNIAO), message="<script>alert(1)</script>")
    rows.order(order_sn='"><img src=x>', name="<b>")
    html = page(client)

    assert "<script>alert" not in html
    assert "<img" not in html


class TestApplication:
    def test_every_answer_carries_the_security_headers(self, client: FlaskClient) -> None:
        for path in ("/", "/metrics", "/healthz", "/nowhere", "/static/console.css"):
            answer = client.get(path)
            assert "script-src 'self'" in answer.headers["Content-Security-Policy"]
            assert "unsafe" not in answer.headers["Content-Security-Policy"]
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            answer.close()

    def test_a_page_is_kept_in_no_cache(self, client: FlaskClient) -> None:
        assert client.get("/").headers["Cache-Control"] == "no-store"

    @pytest.mark.parametrize(("language", "word"), [("zh", "没有这个页面"), ("en", "There is no such page.")])
    def test_a_missing_page_is_said_to_be_missing(self, client: FlaskClient, language: str, word: str) -> None:
        answer = client.get(f"/nowhere?lang={language}", headers={"Accept": "text/html"})

        assert answer.status_code == 404
        assert word in answer.text

    def test_programs_get_json(self, client: FlaskClient) -> None:
        answer = client.get("/nowhere", headers={"Accept": "*/*"})

        assert (answer.status_code, answer.json) == (404, {"error": "Not Found", "status": 404})

    def test_a_fault_of_ours_shows_an_id_that_stands_in_the_log_and_no_stack_trace(
        self, client: FlaskClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setattr("sync.web.board.read_board", lambda _: 1 / 0)
        answer = client.get("/", headers={"Accept": "text/html"})
        [error_id] = re.findall(r"错误编号 ([0-9a-f]{8})", answer.text)

        assert answer.status_code == 500
        assert f"error {error_id}" in caplog.text
        assert "ZeroDivisionError" in caplog.text
        assert "ZeroDivision" not in answer.text

    def test_a_forked_process_makes_a_runtime_of_its_own(
        self, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        process = process_of(make_app())
        before = process.runtime
        assert process.runtime is before

        monkeypatch.setattr("sync.web.process.os.getpid", lambda: -1)
        after = process.runtime
        assert after is not before
        after.close()
        monkeypatch.undo()
        before.close()
