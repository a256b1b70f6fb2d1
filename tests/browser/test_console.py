"""The console in a real browser: it shows, it refreshes, it keeps its own rules, and it never goes quietly old."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from sync.db.migrate import migrate
from sync.web.app import create_app
from sync.web.board import LatestBoard
from tests.browser.chromium import Chromium, Seen, Site, serving
from tests.service.web.conftest import process_of, settings_for
from tests.service.web.rows import fill_a_busy_day

Open = Callable[..., Seen]


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
def open_page(site: Site, chromium: Chromium) -> Iterator[Open]:
    """Opens a path in a browser and lets it live for some (virtual) seconds."""
    with serving(site) as address:

        def look(path: str, *, seconds: float = 0.5, language: str = "zh-CN") -> Seen:
            return chromium.look(address + path, seconds=seconds, language=language)

        yield look


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
