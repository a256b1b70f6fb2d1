"""Health: the process, and each thing it needs."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import update

from sync.clock import utc_now
from sync.db.cursors import set_cursor
from sync.db.models import CursorRow
from sync.runtime import Runtime
from tests.service.web.conftest import MakeApp, on_both_databases

AWAY = "postgresql+psycopg2://nobody@127.0.0.1:1/none"


def findings(client: FlaskClient) -> dict[str, Any]:
    answer = client.get("/readyz").json
    assert answer is not None
    return dict(answer["findings"])


def test_the_process_lives_even_while_the_database_is_away(make_app: MakeApp) -> None:
    answer = make_app(migrated=False, ECSYNC_DATABASE_URL=AWAY).test_client().get("/healthz")

    assert (answer.status_code, answer.json) == (200, {"alive": True})


@on_both_databases
def test_it_is_ready_when_database_schema_and_heartbeat_are_well(client: FlaskClient, rt: Runtime) -> None:
    with rt.database.writing() as session:
        set_cursor(session, "heartbeat", "")
    answer = client.get("/readyz")

    assert answer.status_code == 200
    assert answer.json is not None
    assert answer.json["ready"] is True
    assert {name: finding["ok"] for name, finding in findings(client).items()} == {
        "database": True,
        "schema": True,
        "heartbeat": True,
    }
    assert 0 <= findings(client)["heartbeat"]["age_s"] < 60


def test_it_is_not_ready_while_the_database_is_away(make_app: MakeApp) -> None:
    client = make_app(migrated=False, ECSYNC_DATABASE_URL=AWAY).test_client()

    assert client.get("/readyz").status_code == 503
    assert not any(finding["ok"] for finding in findings(client).values())


@on_both_databases
def test_it_is_not_ready_before_the_migration_and_says_what_to_do(make_app: MakeApp) -> None:
    client = make_app(migrated=False).test_client()

    assert client.get("/readyz").status_code == 503
    assert findings(client)["database"]["ok"] is True
    assert "ecsync migrate" in findings(client)["schema"]["detail"]


@pytest.mark.parametrize(("age_s", "is_well"), [(100, True), (130, False)])
def test_an_old_heartbeat_is_named_and_costs_no_readiness(
    client: FlaskClient, rt: Runtime, age_s: int, is_well: bool
) -> None:
    with rt.database.writing() as session:
        set_cursor(session, "heartbeat", "")
        session.flush()
        session.execute(update(CursorRow).values(at=utc_now() - timedelta(seconds=age_s)))

    assert client.get("/readyz").status_code == 200
    assert findings(client)["heartbeat"]["ok"] is is_well
    assert findings(client)["heartbeat"]["age_s"] == pytest.approx(age_s, abs=5)


def test_no_heartbeat_yet_is_not_a_good_heartbeat(client: FlaskClient) -> None:
    assert findings(client)["heartbeat"]["ok"] is False
    assert client.get("/readyz").status_code == 200
