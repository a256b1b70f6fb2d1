"""The switchboard over HTTP: the API for other programs, the panel of the console, the gauge."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from sync.clock import utc_now
from sync.db.models import AuditRow, SwitchRow
from sync.runtime import Runtime
from sync.services.switch_carriers import Wish, switch
from sync.web.board import LatestBoard
from sync.web.words import LANGUAGES
from tests.service.web.conftest import MakeApp, on_both_databases
from tests.service.web.rows import KDNIAO
from tests.service.web.test_console import text_of

TOKEN = "a-long-token-of-tests"
WISH = {"action": "pause", "target": "kdniao", "reason": "strike <b>now</b>", "actor": "monitoring"}
PATH = "/api/switchboard"


@pytest.fixture
def app(make_app: MakeApp) -> Flask:
    return make_app(ECSYNC_API_TOKEN=TOKEN)


def headers(token: str = TOKEN) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def post(client: FlaskClient, **changes: Any) -> TestResponse:
    wish = {name: value for name, value in {**WISH, **changes}.items() if value is not ...}
    return client.post(PATH, json=wish, headers=headers())


@on_both_databases
def test_another_program_pauses_a_carrier_sees_it_and_resumes_it(client: FlaskClient, rt: Runtime) -> None:
    paused = post(client, until="2h")
    seen = client.get(PATH, headers=headers()).get_json()

    assert (paused.status_code, "carrier.kdniao is paused" in paused.get_json()["done"]) == (200, True)
    (found,) = seen["switches"]
    assert (found["what"], found["mode"], found["actor"]) == (KDNIAO, "paused", "monitoring")
    ends_in = datetime.fromisoformat(found["until"]) - utc_now()
    assert timedelta(minutes=119) < ends_in <= timedelta(hours=2)
    assert seen["default"] == KDNIAO
    assert [row["carrier"] for row in seen["carriers"]] == [KDNIAO]
    assert rt.door.ask(KDNIAO)

    assert post(client, action="resume").status_code == 200
    assert client.get(PATH, headers=headers()).get_json()["switches"] == []
    assert rt.door.ask(KDNIAO) is None
    with rt.database.reading() as session:
        assert session.scalars(select(AuditRow.actor)).all() == ["monitoring", "monitoring"]


@pytest.mark.parametrize("given", [{}, headers("wrong"), headers(""), {"Authorization": TOKEN}, headers("令牌")])
def test_nobody_gets_in_without_the_token(client: FlaskClient, rt: Runtime, given: dict[str, str]) -> None:
    given = {name: value.encode().decode("latin-1") for name, value in given.items()}
    for answer in (client.get(PATH, headers=given), client.post(PATH, json=WISH, headers=given)):
        assert answer.status_code == 401
        assert "ECSYNC_API_TOKEN" in answer.get_json()["error"]
        assert TOKEN not in answer.text
    with rt.database.reading() as session:
        assert session.scalars(select(SwitchRow)).all() == []


def test_the_api_is_off_while_no_token_is_set(make_app: MakeApp) -> None:
    client = make_app().test_client()

    for given in ({}, headers(), headers("")):
        answer = client.get(PATH, headers=given)
        assert (answer.status_code, "is off" in answer.get_json()["error"]) == (404, True)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"target": "pigeon"}, "No carrier is called 'pigeon'"),
        ({"action": "explode"}, "'explode' is none of"),
        ({"reason": ...}, "A reason and a name are needed"),
        ({"actor": " "}, "A reason and a name are needed"),
        ({"actor": "x" * 41}, "at most 40"),
        ({"until": "yesterday"}, "is no end"),
        ({"until": "2020-01-01T00:00"}, "has passed"),
        ({"until": 5}, "until: must be text"),
        ({"colour": "red"}, "colour: not known here"),
        ({"action": "resume"}, "is not switched off"),
    ],
)
def test_a_wish_that_cannot_be_granted_is_refused_in_a_sentence(
    client: FlaskClient, rt: Runtime, changes: dict[str, Any], said: str
) -> None:
    answer = post(client, **changes)

    assert (answer.status_code, said in answer.get_json()["error"]) == (400, True), answer.text
    with rt.database.reading() as session:
        assert session.scalars(select(SwitchRow)).all() == []


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff"])
def test_a_body_that_is_no_object_is_refused(client: FlaskClient, body: bytes) -> None:
    answer = client.post(PATH, data=body, headers=headers())

    assert (answer.status_code, "JSON object" in answer.get_json()["error"]) == (400, True)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_says_at_once_what_is_switched_off_until_when_and_why(
    client: FlaskClient, rt: Runtime, language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LatestBoard, "KEEP_S", 0)
    assert "switches-title" not in client.get(f"/?lang={language}").text

    until = utc_now() + timedelta(hours=2)
    switch(rt, Wish("pause", "kdniao/ZTO", "no <b>capacity</b>", "ops", until))
    switch(rt, Wish("drain", "kdniao", "contract ends", "ops"))
    switch(rt, Wish("default", "kdniao", "trial", "ops"))
    page = client.get(f"/?lang={language}").text

    expected = {
        "zh": ("承运商开关", "已暂停，不再调用", "只出不进", "默认承运商", "恢复为止"),
        "en": ("Carriers switched", "paused, no calls", "draining", "Default carrier", "until resumed"),
    }
    said = text_of(page)
    for word in (*expected[language], "carrier.kdniao/ZTO", "contract ends", "ops"):
        assert word in said
    assert until.isoformat() in page
    assert "<b>capacity</b>" not in page
    assert page.index("switches-title") < page.index("needs-title")


def test_a_switch_in_force_is_a_gauge(client: FlaskClient, rt: Runtime) -> None:
    assert "ecsync_switch{" not in client.get("/metrics").text

    switch(rt, Wish("pause", "kdniao", "strike", "ops"))

    assert 'ecsync_switch{mode="paused",what="carrier.kdniao"} 1.0' in client.get("/metrics").text
