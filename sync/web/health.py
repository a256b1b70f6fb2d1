"""`/healthz`: this process lives. `/readyz`: it can do its work, finding by finding."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from sync.clock import utc_now
from sync.db.cursors import read_cursors
from sync.db.migrate import pending
from sync.db.session import Database
from sync.runtime import Runtime
from sync.web.board import HEARTBEAT_LIMIT_S
from sync.web.process import current

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
def healthz() -> Response:
    """Whether the process lives; asks nobody else."""
    return jsonify(alive=True)


@blueprint.get("/readyz")
def readyz() -> tuple[Response, int]:
    """Whether pushes can be stored: 503 while the database is away or its schema is not this code's.

    A silent worker is named and costs no readiness: pushes are taken in without any.
    """
    rt = current().runtime
    findings = _look(rt)
    is_ready = all(findings[name]["ok"] for name in ("database", "schema"))
    return jsonify(ready=is_ready, findings=findings), 200 if is_ready else 503


def _look(rt: Runtime) -> dict[str, dict[str, Any]]:
    unknown = {"ok": False, "detail": "not known while the database is away"}
    try:
        with rt.database.reading() as session:
            session.execute(text("SELECT 1"))
    except SQLAlchemyError:
        away = {"ok": False, "detail": "does not answer: start it, or correct ECSYNC_DATABASE_URL"}
        return {"database": away, "schema": unknown, "heartbeat": unknown}
    schema = _look_at_schema(rt)
    heartbeat = _look_at_heartbeat(rt) if schema["ok"] else {"ok": False, "detail": "not known before the migration"}
    return {"database": {"ok": True, "detail": "answers"}, "schema": schema, "heartbeat": heartbeat}


def _look_at_schema(rt: Runtime) -> dict[str, Any]:
    reader = Database(rt.database.engine.execution_options(read_only=True))
    if pending(reader):
        return {"ok": False, "detail": "is not the one this code needs: run `ecsync migrate`"}
    return {"ok": True, "detail": "current"}


def _look_at_heartbeat(rt: Runtime) -> dict[str, Any]:
    with rt.database.reading() as session:
        beat = read_cursors(session, "heartbeat").get("")
    if beat is None:
        return {"ok": False, "detail": "no worker has run yet: start beat and the workers", "age_s": None}
    age_s = max(0.0, (utc_now() - beat[1]).total_seconds())
    if age_s > HEARTBEAT_LIMIT_S:
        return {"ok": False, "detail": "no worker consumes: look at beat, broker and workers", "age_s": round(age_s, 1)}
    return {"ok": True, "detail": "workers consume", "age_s": round(age_s, 1)}
