"""The receiver: what is stored, what is refused, and that `Success` never lies."""

from __future__ import annotations

import io
import json
import logging
import time
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from mappings.carriers.kdniao import KdniaoCarrier
from sync.db.models import InboxRow
from sync.runtime import Runtime
from tests.service.web.conftest import EBUSINESS_ID, MakeApp, on_both_databases, process_of, push

FORM = "application/x-www-form-urlencoded;charset=utf-8"


def send(client: FlaskClient, body: bytes, path: str = "/callbacks/kdniao", **more: Any) -> TestResponse:
    return client.post(path, data=body, content_type=FORM, **more)


def said(answer: TestResponse) -> dict[str, Any]:
    """The answer, which must be in the platform's form."""
    words: dict[str, Any] = json.loads(answer.data)
    assert set(words) == {"EBusinessID", "UpdateTime", "Success", "Reason"}
    assert words["EBusinessID"] == EBUSINESS_ID
    return words


def inbox(rt: Runtime) -> list[InboxRow]:
    with rt.database.reading() as session:
        return list(session.execute(select(InboxRow).order_by(InboxRow.id)).scalars())


def counted(rt: Runtime, verdict: str) -> float | None:
    return rt.counters.registry.get_sample_value("ecsync_inbox_total", {"source": "carrier.kdniao", "verdict": verdict})


@on_both_databases
def test_a_good_push_is_stored_as_received_and_answered_in_the_platforms_form(client: FlaskClient, rt: Runtime) -> None:
    body = push()
    answer = send(client, body)

    assert answer.status_code == 200
    assert said(answer)["Success"] is True
    assert answer.headers["Content-Type"] == "application/json;charset=utf-8"
    [row] = inbox(rt)
    assert (row.source, row.body, row.verdict) == ("carrier.kdniao", body, "waiting")
    assert (row.content_type, row.remote_addr) == (FORM, "127.0.0.1")
    assert counted(rt, "received") == 1


@on_both_databases
def test_the_same_push_twice_is_one_row_and_both_times_a_success(client: FlaskClient, rt: Runtime) -> None:
    body = push()
    assert said(send(client, body))["Success"] is True
    assert said(send(client, body))["Success"] is True

    [row] = inbox(rt)
    assert row.repeats == 1
    assert counted(rt, "duplicate") == 1


def test_a_forged_push_is_refused_in_the_platforms_form_and_leaves_no_row(client: FlaskClient, rt: Runtime) -> None:
    answer = send(client, push(key="not-the-key"))

    assert answer.status_code == 401
    assert said(answer)["Success"] is False
    assert inbox(rt) == []
    assert counted(rt, "refused") == 1


def test_bytes_that_are_no_push_at_all_are_refused_and_leave_no_row(client: FlaskClient, rt: Runtime) -> None:
    for body in (b"", b"\xff\xfe", b"RequestData=%7B", b"{" * 5000):
        answer = send(client, body)
        assert 400 <= answer.status_code < 500
        assert said(answer)["Success"] is False

    assert inbox(rt) == []


@on_both_databases
def test_a_push_that_is_signed_but_malformed_is_refused_and_kept_as_evidence(client: FlaskClient, rt: Runtime) -> None:
    body = push(["a list where an object belongs"])
    answer = send(client, body)

    assert answer.status_code == 400
    assert said(answer)["Success"] is False
    [row] = inbox(rt)
    assert (row.verdict, row.body) == ("unreadable", body)


@pytest.mark.parametrize("size", [2000, 200_000], ids=["a little too large", "far too large"])
def test_a_body_that_is_too_large_is_refused_in_the_platforms_form(make_app: MakeApp, size: int) -> None:
    app = make_app(ECSYNC_CALLBACK_MAX_BYTES="1000")
    answer = send(app.test_client(), push(Data=["x" * size]))

    assert answer.status_code == 413
    assert said(answer)["Success"] is False
    assert inbox(process_of(app).runtime) == []
    assert counted(process_of(app).runtime, "refused") == 1


def test_a_body_of_unknown_length_is_read_no_further_than_the_limit(make_app: MakeApp) -> None:
    app = make_app(ECSYNC_CALLBACK_MAX_BYTES="1000")
    endless = Endless()
    answer = app.test_client().post(
        "/callbacks/kdniao",
        headers={"Transfer-Encoding": "chunked"},
        environ_overrides={"wsgi.input": endless, "wsgi.input_terminated": True, "CONTENT_LENGTH": ""},
    )

    assert answer.status_code == 413
    assert said(answer)["Success"] is False
    assert endless.given < 1_000_000


class Endless(io.RawIOBase):
    """A body that never ends."""

    given = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self.given += len(buffer)
        if self.given > 5_000_000:
            raise AssertionError("somebody reads all of it")
        buffer[:] = b"x" * len(buffer)
        return len(buffer)


@pytest.mark.parametrize("url", ["postgresql+psycopg2://nobody@127.0.0.1:1/none", "sqlite:////dev/null/ecsync.db"])
def test_while_the_database_is_away_the_platform_is_told_quickly_to_push_again(
    make_app: MakeApp, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sync.db.session.Path.mkdir", lambda *_, **__: None)
    client = make_app(migrated=False, ECSYNC_DATABASE_URL=url).test_client()
    started = time.monotonic()
    answer = send(client, push())

    assert time.monotonic() - started < 3
    assert answer.status_code == 503
    assert said(answer)["Success"] is False


def test_a_database_without_our_tables_is_no_success_either_and_its_log_names_nobody(
    make_app: MakeApp, caplog: pytest.LogCaptureFixture
) -> None:
    body = push(Data=[{"Receiver": "13912345678"}])
    answer = send(make_app(migrated=False).test_client(), body)

    assert answer.status_code == 503
    assert said(answer)["Success"] is False
    assert "no such table: inbox" in caplog.text
    assert "13912345678" not in caplog.text


def test_a_fault_of_our_own_is_answered_in_the_platforms_form_without_a_stack_trace(
    client: FlaskClient, rt: Runtime, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("of our own making")

    monkeypatch.setattr(KdniaoCarrier, "verify_callback", fail)
    answer = send(client, push())

    assert answer.status_code == 503
    assert said(answer)["Success"] is False
    assert b"ZeroDivision" not in answer.data
    assert "of our own making" in caplog.text


@pytest.mark.parametrize("path", ["/callbacks/nobody", "/callbacks/shop.main", "/callbacks/", "/callbacks"])
def test_a_carrier_we_do_not_know_is_not_found(client: FlaskClient, rt: Runtime, path: str) -> None:
    assert send(client, push(), path).status_code == 404
    assert inbox(rt) == []


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
def test_a_push_must_be_a_post(client: FlaskClient, method: str) -> None:
    answer = client.open("/callbacks/kdniao", method=method)

    assert answer.status_code == 405
    assert "POST" in answer.headers["Allow"]


class TestWithAToken:
    @pytest.fixture
    def app(self, make_app: MakeApp) -> Flask:
        return make_app(ECSYNC_CALLBACK_TOKEN="secret-词")

    def test_the_path_with_the_token_is_accepted(self, client: FlaskClient, rt: Runtime) -> None:
        assert said(send(client, push(), "/callbacks/kdniao/secret-词"))["Success"] is True
        assert len(inbox(rt)) == 1

    @pytest.mark.parametrize("path", ["", "/secret", "/secret-词2", "/SECRET-词", "/secret-词/more"])
    def test_every_other_path_is_not_found(self, client: FlaskClient, rt: Runtime, path: str) -> None:
        assert send(client, push(), f"/callbacks/kdniao{path}").status_code == 404
        assert inbox(rt) == []

    def test_the_token_is_in_no_log_even_when_we_fail(
        self, client: FlaskClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        monkeypatch.setattr("sync.web.receiver._take_in", lambda *_: 1 / 0)
        answer = send(client, push(), "/callbacks/kdniao/secret-词")

        assert answer.status_code == 500
        assert answer.json["id"] in caplog.text if answer.json else False
        assert "secret-词" not in caplog.text


def test_a_path_with_a_token_still_works_while_none_is_set(client: FlaskClient) -> None:
    assert said(send(client, push(), "/callbacks/kdniao/from-before"))["Success"] is True


def test_how_fast_a_push_is_answered_is_measured(client: FlaskClient, rt: Runtime) -> None:
    send(client, push())

    labels = {"source": "carrier.kdniao"}
    assert rt.counters.registry.get_sample_value("ecsync_callback_ack_seconds_count", labels) == 1
