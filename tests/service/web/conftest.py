"""A web application on a fresh database, and a carrier's pushes for it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from flask import Flask
from flask.testing import FlaskClient

from mappings.carriers.kdniao.signing import sign
from sync.runtime import Runtime
from sync.settings import Settings, read_settings
from sync.web.app import create_app
from sync.web.process import WebProcess
from tests.service.house import bring_up_to_date
from tests.services import fresh_postgres

APP_KEY = "a-key-of-tests"
EBUSINESS_ID = "1617571"

MakeApp = Callable[..., Flask]


on_both_databases = pytest.mark.parametrize("database_url", ["sqlite", "postgresql"], indirect=True)


def settings_for(tmp_path: Path, **more: str) -> Settings:
    return read_settings(
        {
            "ECSYNC_ENVIRONMENT": "sandbox",
            "ECSYNC_BROKER_URL": "memory://",
            "ECSYNC_SHOPS": "main",
            "ECSYNC_SHOP_MAIN_DSN": f"sqlite:///{tmp_path}/shop.db",
            "ECSYNC_SHOP_MAIN_ENVIRONMENT": "sandbox",
            "ECSYNC_CARRIERS": "kdniao",
            "ECSYNC_CARRIER_KDNIAO_EBUSINESS_ID": EBUSINESS_ID,
            "ECSYNC_CARRIER_KDNIAO_APP_KEY": APP_KEY,
            "ECSYNC_ERPS": "generic_rest",
            "ECSYNC_ERP_GENERIC_REST_BASE_URL": "http://127.0.0.1:1",
            "ECSYNC_ERP_GENERIC_REST_TOKEN": "a-token-of-tests",
            "ECSYNC_SENDER_NAME": "测试仓",
            "ECSYNC_SENDER_PHONE": "13800000000",
            "ECSYNC_SENDER_PROVINCE": "广东",
            "ECSYNC_SENDER_CITY": "深圳",
            "ECSYNC_SENDER_DISTRICT": "南山区",
            "ECSYNC_SENDER_ADDRESS": "科技园路1号",
            **more,
        }
    )


def process_of(app: Flask) -> WebProcess:
    process: WebProcess = app.extensions["ecsync"]
    return process


@pytest.fixture
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """SQLite, unless the test is one of `on_both_databases`."""
    if getattr(request, "param", "sqlite") == "sqlite":
        yield f"sqlite:///{tmp_path}/ecsync.db"
        return
    with fresh_postgres() as url:
        yield url


@pytest.fixture
def make_app(tmp_path: Path, database_url: str) -> Iterator[MakeApp]:
    """Makes applications and closes them at the end; `migrated=False` leaves the database without tables."""
    made: list[Flask] = []

    def make(*, migrated: bool = True, **more: str) -> Flask:
        app = create_app(settings_for(tmp_path, **{"ECSYNC_DATABASE_URL": database_url, **more}))
        made.append(app)
        if migrated:
            bring_up_to_date(process_of(app).runtime.database)
        return app

    yield make
    for app in made:
        process_of(app).close()


@pytest.fixture
def app(make_app: MakeApp) -> Flask:
    return make_app()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def rt(app: Flask) -> Runtime:
    return process_of(app).runtime


def push(data: object = None, *, key: str = APP_KEY, **changed: Any) -> bytes:
    """A KDNiao push as it comes over the wire."""
    content = {"PushTime": "2026-11-21 10:00:00", "EBusinessID": EBUSINESS_ID, "Count": "0", "Data": [], **changed}
    text = json.dumps(content if data is None else data, ensure_ascii=False)
    return urlencode({"RequestData": text, "RequestType": "102", "DataSign": sign(text, key)}).encode()
