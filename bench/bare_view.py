"""The bare WSGI view: read the body, one INSERT, answer. Gunicorn serves `bench.bare_view:application`.

With `BENCH_VERIFIES=1` it also checks the signature and shape of the push first, as nobody may leave out.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import threading
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

import psycopg2  # type: ignore[import-untyped]  # it comes without types
from sqlalchemy import make_url

from mappings.carriers.kdniao import KdniaoCarrier
from sync.settings import load_settings

ANSWER = b'{"EBusinessID":"bench","UpdateTime":"2026-01-01 00:00:00","Success":true,"Reason":""}'
HEADERS = [("Content-Type", "application/json"), ("Content-Length", str(len(ANSWER)))]
COLUMNS = "source, digest, received_at, content_type, remote_addr, body, verdict, detail, not_before, repeats, tellings"

_settings = load_settings()
_url = make_url(_settings.database_url)
_is_sqlite = _url.get_backend_name() == "sqlite"
_insert = f"INSERT INTO inbox ({COLUMNS}) VALUES ({', '.join(['?' if _is_sqlite else '%s'] * 11)})"
_carrier = KdniaoCarrier(_settings.carriers[0].config) if os.environ.get("BENCH_VERIFIES") == "1" else None
_local = threading.local()


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Store one push."""
    body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
    if _carrier is not None:
        _carrier.verify_callback(body, environ["CONTENT_TYPE"])
    now = datetime.now(UTC)
    digest = hashlib.sha256(body).hexdigest()
    kind, place = environ["CONTENT_TYPE"], environ["REMOTE_ADDR"]
    store(("carrier.kdniao", digest, now, kind, place, body, "waiting", "", now, 0, 0))
    start_response("200 OK", HEADERS)
    return [ANSWER]


def store(values: tuple[Any, ...]) -> None:
    """One INSERT, committed."""
    if not hasattr(_local, "connection"):
        _local.connection = _connect()
    if _is_sqlite:
        _local.connection.execute(_insert, [str(v) if isinstance(v, datetime) else v for v in values])
        return
    with _local.connection.cursor() as cursor:
        cursor.execute(_insert, values)


def _connect() -> Any:
    if not _is_sqlite:
        connection = psycopg2.connect(_url.set(drivername="postgresql").render_as_string(hide_password=False))
        connection.autocommit = True
        return connection
    file = sqlite3.connect(_url.database or "", timeout=30, isolation_level=None)
    file.execute("PRAGMA journal_mode=WAL")
    file.execute("PRAGMA synchronous=NORMAL")
    return file
