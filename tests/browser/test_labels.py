"""Labels in a real browser: the list, one label, the print page as paper, and labels that want out of their frames."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from pypdf import PdfReader

from mappings.model import LABEL_PAGE_BREAK
from sync.db.migrate import migrate
from sync.web.app import create_app
from tests.browser.chromium import Chromium, Seen, Site, serving
from tests.service.label_samples import html_label, png_label
from tests.service.test_labels import Shelf
from tests.service.web.conftest import process_of, settings_for
from tests.service.web.rows import ago

TOKEN = "a-token-for-labels"
SECONDS = 1.5
"""How long the browser stays on a page, by its own clock."""

ATTACKS = """<style>*{display:none} .sheet,header{display:none!important} @page{size:10mm 10mm}</style>
<script>top.document.body.innerHTML='taken';parent.document.title='taken';fetch('/labels')</script>
<img src="/stolen.png" onerror="top.document.body.innerHTML='taken'"><img src="http://127.0.0.1:9/x.png">
<meta http-equiv="refresh" content="0;url=/taken"><base href="/taken/"><link rel="stylesheet" href="/taken.css">
<form action="/labels/print" method="post" target="_top"><button autofocus>x</button></form>
<iframe src="/labels"></iframe><object data="/labels"></object><svg onload="top.location='/taken'"></svg>"""
BROKEN = "<p>BROKEN-1</p></iframe></div></main></body><plaintext><!-- \"' <h1 id=outside>"


class Window(Site):
    """A site to which the browser brings the token; an address that begins with /press is the press of a button."""

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        environ["HTTP_AUTHORIZATION"] = f"Bearer {TOKEN}"
        if environ["PATH_INFO"] == "/press":
            body = environ["QUERY_STRING"].encode()
            environ |= {"REQUEST_METHOD": "POST", "PATH_INFO": "/labels/print", "wsgi.input": io.BytesIO(body)}
            environ |= {"CONTENT_LENGTH": str(len(body)), "CONTENT_TYPE": "application/x-www-form-urlencoded"}
        return super().__call__(environ, start_response)


class Browser:
    """Opens addresses of a window, as a document or as what a printer would get."""

    def __init__(self, address: str, chromium: Chromium) -> None:
        self.address, self.chromium = address, chromium

    def look(self, path: str, language: str = "en-US") -> Seen:
        return self.chromium.look(self.address + path, seconds=SECONDS, language=language)

    def print(self, path: str) -> PdfReader:
        page = self.chromium.folder / "page.pdf"
        self._run(path, "en-US", "--no-pdf-header-footer", f"--print-to-pdf={page}")
        return PdfReader(page)

    def photograph(self, path: str, language: str, name: str) -> None:
        """Into the folder that ECSYNC_TEST_PICTURES names, for a person to look at."""
        if folder := os.environ.get("ECSYNC_TEST_PICTURES"):
            self._run(path, language, "--window-size=1280,900", f"--screenshot={folder}/{name}-{language}.png")

    def _run(self, path: str, language: str, *flags: str) -> None:
        self.chromium.run(self.address + path, *flags, seconds=SECONDS, language=language)


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Flask]:
    given = {"ECSYNC_DATABASE_URL": f"sqlite:///{tmp_path}/ecsync.db", "ECSYNC_API_TOKEN": TOKEN}
    app = create_app(settings_for(tmp_path, **given, ECSYNC_LABELS_PAPER="100x180,SF=76x130"))
    migrate(process_of(app).runtime.database)
    yield app
    process_of(app).close()


@pytest.fixture
def shelf(app: Flask) -> Shelf:
    return Shelf(process_of(app).runtime)


@pytest.fixture
def window(app: Flask) -> Window:
    return Window(app)


@pytest.fixture
def browser(window: Window, chromium: Chromium) -> Iterator[Browser]:
    with serving(window) as address:
        yield Browser(address, chromium)


def fill(shelf: Shelf) -> list[int]:
    """Labels in every state."""
    return [
        shelf.put("TEA-01", parcel={"shipper_code": "SF"}),
        shelf.put("TEA-01,CUP-02,BAG-9,BOX-1"),
        shelf.put("CUP-02", prints=1, printed_at=ago(300), printed_by="李雷"),
        shelf.put("CUP-02", "png", png_label()),
        shelf.put("BAG-9", parcel={"waybill_no": "7739999"}),
        shelf.put("BAG-9", order={"state": "withdrawn"}),
        shelf.put("BAG-9", "url", "https://c.example/label"),
        shelf.put("BAG-9", content="", emptied_at=ago(60), prints=2, printed_at=ago(9e6), printed_by="Han"),
    ]


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("zh-CN", ("电子面单 3 张未打印", "单号已更换，此面单作废", "内容已清除", "打印全部未打印", "李雷")),
        ("en-US", ("Labels 3 not printed yet", "number changed: this label is void", "link only", "Print selected")),
    ],
)
def test_the_list_in_the_browsers_language(
    browser: Browser, shelf: Shelf, language: str, words: tuple[str, ...]
) -> None:
    fill(shelf)
    seen = browser.look("/labels?state=all", language)
    browser.photograph("/labels?state=all", language, "list")

    for word in words:
        assert word in seen.text
    assert 'id="all"' in seen.dom
    assert 'id="all" hidden' not in seen.dom
    assert seen.complaints == []


@pytest.mark.parametrize("language", ["zh-CN", "en-US"])
def test_one_label_shows_itself_in_its_frame(browser: Browser, shelf: Shelf, window: Window, language: str) -> None:
    one = shelf.put()
    seen = browser.look(f"/labels/{one}", language)
    browser.photograph(f"/labels/{one}", language, "one")

    assert "13912345678" in seen.dom
    assert seen.complaints == []
    assert set(window.paths) <= {f"/labels/{one}", "/static/console.css", "/static/icon.svg", "/favicon.ico"}


@pytest.mark.parametrize("language", ["zh-CN", "en-US"])
def test_the_question_for_the_token(browser: Browser, window: Window, language: str) -> None:
    inner = window.inner

    def forget(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        environ.pop("HTTP_AUTHORIZATION")
        return inner(environ, start_response)

    window.inner = forget
    browser.photograph("/labels", language, "enter")

    assert 'type="password"' in browser.look("/labels", language).dom


def test_what_comes_from_the_printer_is_one_page_a_label_and_package_on_its_own_paper(
    browser: Browser, shelf: Shelf
) -> None:
    ids = [
        shelf.put("A", content=html_label("PAGE-1")),
        shelf.put("B", content=LABEL_PAGE_BREAK.join((html_label("PAGE-2"), html_label("PAGE-3")))),
        shelf.put("C", "png", png_label()),
        shelf.put("D", content=html_label("PAGE-5"), parcel={"shipper_code": "SF"}),
    ]
    paper = browser.print("/press?" + "&".join(f"label={one}" for one in ids))
    texts = [page.extract_text() for page in paper.pages]
    sizes = [
        (round(float(page.mediabox.width) / 72 * 25.4), round(float(page.mediabox.height) / 72 * 25.4))
        for page in paper.pages
    ]

    assert [text.split()[0] if text.split() else "" for text in texts] == ["PAGE-1", "PAGE-2", "PAGE-3", "", "PAGE-5"]
    assert sizes == [(100, 180)] * 4 + [(76, 130)]
    assert "Print this page" not in "".join(texts)


@pytest.mark.parametrize("language", ["zh-CN", "en-US"])
def test_the_print_page_on_a_screen(browser: Browser, shelf: Shelf, language: str) -> None:
    ids = fill(shelf)
    path = "/press?" + "&".join(f"label={one}" for one in ids)
    seen = browser.look(path, language)
    browser.photograph(path, language, "sheet")

    assert {"zh-CN": "4 张面单", "en-US": "4 labels"}[language] in seen.text
    assert {"zh-CN": "4 张未包含在内", "en-US": "Left out: 4"}[language] in seen.text
    assert 'id="press"' in seen.dom
    assert seen.complaints == []


def test_a_label_that_wants_out_of_its_frame_stays_in_it_and_fetches_nothing(
    browser: Browser, shelf: Shelf, window: Window
) -> None:
    ids = [shelf.put(f"{n}", content=content) for n, content in enumerate((ATTACKS, BROKEN, html_label("GOOD-1")))]
    path = "/press?" + "&".join(f"label={one}" for one in ids)
    seen = browser.look(path)
    asked = set(window.paths)
    paper = browser.print(path)
    texts = [page.extract_text() for page in paper.pages]

    assert seen.dom.count('<iframe sandbox=""') == 3
    assert "taken</body>" not in seen.dom
    assert "3 labels" in seen.text
    assert asked <= {"/labels/print", "/static/labels.js", "/favicon.ico"}
    assert len(texts) == 3
    assert "BROKEN-1" in texts[1]
    assert "GOOD-1" in texts[2]
    assert round(float(paper.pages[0].mediabox.width) / 72 * 25.4) == 100
