"""The console in a real browser: it shows, it refreshes, it keeps its own rules, and it never goes quietly old."""

from __future__ import annotations

import re
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from werkzeug.serving import make_server

from sync.db.migrate import migrate
from sync.web.app import create_app
from sync.web.board import LatestBoard
from tests.service.web.conftest import process_of, settings_for
from tests.service.web.rows import fill_a_busy_day
from tests.services import skip_or_fail

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-logging=stderr",
)

Open = Callable[..., "Seen"]


class Seen:
    """What the browser made of an address: the document after `seconds`, and what it complained of."""

    def __init__(self, dom: str, log: str) -> None:
        self.dom = dom
        self.text = re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", dom))
        self.complaints = [line for line in log.splitlines() if "CONSOLE" in line]


class Site:
    """A live server that remembers what was asked of it; `deaf` makes refreshes come to nothing."""

    def __init__(self, app: Flask) -> None:
        self.inner = app.wsgi_app
        self.paths: list[str] = []
        self.deaf = False

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        self.paths.append(environ["PATH_INFO"])
        if self.deaf and environ["PATH_INFO"] == "/board":
            start_response("502 Bad Gateway", [("Content-Type", "text/html")])
            return [b"<h1>a proxy's own page</h1>"]
        return self.inner(environ, start_response)


@pytest.fixture(autouse=True)
def _fresh_boards(monkeypatch: pytest.MonkeyPatch) -> None:
    """A browser's virtual seconds pass faster than ours: what is kept for one would never be renewed."""
    monkeypatch.setattr(LatestBoard, "KEEP_S", 0)


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Flask]:
    app = create_app(settings_for(tmp_path, ECSYNC_DATABASE_URL=f"sqlite:///{tmp_path}/ecsync.db"))
    migrate(process_of(app).runtime.database)
    yield app
    process_of(app).close()


@pytest.fixture
def site(app: Flask) -> Site:
    return Site(app)


@pytest.fixture
def open_page(site: Site, tmp_path: Path) -> Iterator[Open]:
    """Opens a path in a browser and lets it live for some (virtual) seconds."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        skip_or_fail("no chromium is installed")
    with serving(site) as address:

        def look(path: str, *, seconds: float = 0.5, language: str = "zh-CN") -> Seen:
            ended = subprocess.run(
                [
                    str(program),
                    *FLAGS,
                    f"--user-data-dir={tmp_path}/browser",
                    f"--accept-lang={language}",
                    f"--virtual-time-budget={seconds * 1000:.0f}",
                    "--dump-dom",
                    address + path,
                ],
                capture_output=True,
                text=True,
                timeout=120,
                check=True,
            )
            return Seen(ended.stdout, ended.stderr)

        yield look


@contextmanager
def serving(site: Site) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, site, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("zh-CN", ("总览", "需要处理 7", "凭证被拒绝", "物流异常", "最近订单", "欧***")),
        ("en-US", ("Needs a person 7", "Our credentials are refused", "Stale pickup", "Newest orders")),
    ],
)
def test_a_busy_day_in_the_browsers_language(
    app: Flask, open_page: Open, language: str, words: tuple[str, ...]
) -> None:
    fill_a_busy_day(process_of(app).runtime.database)
    seen = open_page("/", language=language)

    for word in words:
        assert word in seen.text
    assert "13912345678" not in seen.dom
    assert seen.complaints == []


def test_the_page_refreshes_by_itself_under_its_own_content_security_policy(open_page: Open, site: Site) -> None:
    seen = open_page("/?lang=en", seconds=4)

    assert site.paths.count("/board") >= 3
    assert site.paths.count("/") == 1
    assert "Nothing needs you." in seen.text
    assert seen.complaints == []
    assert "is-old" not in seen.dom


def test_a_refresh_brings_what_is_new(app: Flask, open_page: Open, site: Site) -> None:
    rt, serve = process_of(app).runtime, site.inner

    def fill_after_the_page(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if site.paths.count("/board") == 1 and environ["PATH_INFO"] == "/board":
            fill_a_busy_day(rt.database)
        return serve(environ, start_response)

    site.inner = fill_after_the_page
    seen = open_page("/?lang=en", seconds=3)

    assert "Our credentials are refused" in seen.text
    assert "7 more need a person" in seen.text


def test_a_page_whose_refreshes_fail_keeps_its_figures_and_says_that_they_are_old(open_page: Open, site: Site) -> None:
    site.deaf = True
    seen = open_page("/?lang=en", seconds=20)

    assert 'class="is-old"' in seen.dom
    assert re.search(r'id="old"[^>]*hidden', seen.dom) is None
    assert "Nothing needs you." in seen.text
    assert "a proxy's own page" not in seen.dom
