"""The labels' pages: who gets in, what they show, that a label stays in its frame, and that all of it is audited."""

from __future__ import annotations

import html
import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient
from sqlalchemy import select

from sync import cli
from sync.db.models import AuditRow
from sync.runtime import Runtime
from sync.web.label_door import LASTS_S
from tests.service.label_samples import html_label, pdf_label, png_label, texts_of
from tests.service.test_labels import Shelf
from tests.service.web.conftest import MakeApp, on_both_databases, process_of
from tests.service.web.rows import ago

TOKEN = "a-token-for-labels"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
EVIL = "<script>top.document.title='seen'</script><img src=https://evil.example/x onerror=alert(1)>"
BROKEN = '</iframe></div></main><style>.sheet{display:none}</style><h1 id="outside">"\'<!--'


@pytest.fixture
def app(make_app: MakeApp) -> Any:
    return make_app(ECSYNC_API_TOKEN=TOKEN, ECSYNC_LABELS_PAPER="100x180,SF=100x150")


@pytest.fixture
def shelf(rt: Runtime) -> Shelf:
    return Shelf(rt)


@pytest.fixture
def person(client: FlaskClient) -> FlaskClient:
    """A browser whose person gave the token and a name."""
    answer = client.post("/labels/enter", data={"token": TOKEN, "name": " Li  Lei ", "next": "/labels"})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/labels")
    return client


def audit(rt: Runtime) -> list[tuple[str, str]]:
    with rt.database.reading() as session:
        return [(row.actor, row.action) for row in session.execute(select(AuditRow).order_by(AuditRow.id)).scalars()]


def frames(page: str) -> list[str]:
    """The documents in the frames, as the browser gets them."""
    return [html.unescape(text) for text in re.findall(r'<iframe sandbox=""[^>]* srcdoc="([^"]*)"></iframe>', page)]


class TestTheDoor:
    PATHS = ("/labels", "/labels/1", "/labels/1/file")

    @pytest.mark.parametrize("path", PATHS)
    def test_nobody_gets_in_while_no_token_is_set(self, make_app: MakeApp, path: str) -> None:
        answer = make_app().test_client().get(f"{path}?lang=en", headers={"Authorization": "Bearer "})

        assert answer.status_code == 404
        assert "Set ECSYNC_API_TOKEN" in answer.text

    @pytest.mark.parametrize("path", PATHS)
    @pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer another-token"}, {"Authorization": TOKEN}])
    def test_without_the_token_there_is_a_question_and_no_label(
        self, client: FlaskClient, rt: Runtime, shelf: Shelf, path: str, headers: dict[str, str]
    ) -> None:
        shelf.put(kind="pdf")
        answer = client.get(f"{path}?lang=en", headers=headers)

        assert answer.status_code == 401
        assert 'type="password"' in answer.text
        assert "7730" not in answer.text
        assert audit(rt) == []

    def test_a_print_without_the_token_prints_nothing(self, client: FlaskClient, shelf: Shelf) -> None:
        one = shelf.put()

        assert client.post("/labels/print", data={"label": f"{one}.0"}).status_code == 401
        assert shelf.label(one).prints == 0

    def test_a_program_sends_the_token_in_a_header(self, client: FlaskClient, rt: Runtime, shelf: Shelf) -> None:
        one = shelf.put()

        assert client.get(f"/labels/{one}", headers=BEARER).status_code == 200
        assert audit(rt) == [("api", "label.view")]

    def test_a_persons_cookie_is_out_of_reach_of_scripts_and_other_sites_and_holds_no_token(
        self, client: FlaskClient
    ) -> None:
        answer = client.post("/labels/enter", data={"token": TOKEN, "name": "李雷"}, base_url="https://localhost")
        cookie = answer.headers["Set-Cookie"]

        for word in ("HttpOnly", "SameSite=Strict", "Path=/labels", "Secure"):
            assert word in cookie
        assert TOKEN not in cookie

    @pytest.mark.parametrize("given", [{"token": "wrong", "name": "Li"}, {"token": TOKEN, "name": "  "}, {}])
    def test_a_wrong_token_or_no_name_opens_nothing(self, client: FlaskClient, given: dict[str, str]) -> None:
        answer = client.post("/labels/enter?lang=en", data=given)

        assert answer.status_code == 401
        assert "The token is not right" in answer.text
        assert "ecsync_labels" not in str(answer.headers)

    @pytest.mark.parametrize(
        "change",
        [
            lambda text: text.replace(".", "x.", 1),
            lambda text: text[:-1] + ("0" if text[-1] != "0" else "1"),
            lambda text: re.sub(r"\.(\d+)\.", lambda found: f".{int(found[1]) + 9}.", text),
            lambda text: "..",
            lambda text: "é.1.é",
        ],
        ids=["another name", "another signature", "another end", "nothing", "no ASCII"],
    )
    def test_a_changed_cookie_opens_nothing(self, person: FlaskClient, change: Callable[[str], str]) -> None:
        cookie = person.get_cookie("ecsync_labels", path="/labels")
        assert cookie is not None
        person.set_cookie("ecsync_labels", change(cookie.value), path="/labels")

        assert person.get("/labels").status_code == 401

    def test_a_cookie_lasts_a_shift(self, person: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
        assert person.get("/labels").status_code == 200
        later = time.time() + LASTS_S + 1
        monkeypatch.setattr("sync.web.label_door.time.time", lambda: later)
        assert person.get("/labels").status_code == 401

    def test_a_person_can_leave(self, person: FlaskClient) -> None:
        person.post("/labels/leave")

        assert person.get("/labels").status_code == 401

    def test_a_form_on_another_site_is_not_accepted(self, person: FlaskClient, shelf: Shelf) -> None:
        one = shelf.put()
        answer = person.post("/labels/print", data={"label": str(one)}, headers={"Sec-Fetch-Site": "cross-site"})

        assert answer.status_code == 403
        assert shelf.label(one).prints == 0

    @pytest.mark.parametrize("wanted", ["https://evil.example/labels", "//evil.example/labels", "/other", ""])
    def test_entering_leads_nowhere_else(self, client: FlaskClient, wanted: str) -> None:
        answer = client.post("/labels/enter", data={"token": TOKEN, "name": "Li", "next": wanted})

        assert answer.headers["Location"] == "/labels"


class TestTheList:
    @on_both_databases
    def test_it_shows_what_waits_with_masked_names(self, person: FlaskClient, shelf: Shelf) -> None:
        shelf.put("A,B")
        shelf.put(printed_at=ago(60), prints=2, printed_by="Han")
        page = person.get("/labels?lang=en").text

        assert "1 not printed yet" in page
        assert ("77300001" in page, "77300002" in page) == (True, False)
        assert "王**" in page
        assert "13912345678" not in page
        assert "王小明" not in page
        assert "Han" in person.get("/labels?lang=en&state=all").text

    @pytest.mark.parametrize(
        ("language", "words"), [("en", "No labels yet. Carriers send them"), ("zh", "还没有面单。 承运商随运单返回")]
    )
    def test_without_any_label_it_says_where_they_come_from(
        self, person: FlaskClient, language: str, words: str
    ) -> None:
        assert words in person.get(f"/labels?lang={language}").text

    def test_when_all_is_printed_and_when_nothing_matches_it_says_so(self, person: FlaskClient, shelf: Shelf) -> None:
        shelf.put(printed_at=ago(1), prints=1)

        assert "All labels are printed." in person.get("/labels?lang=en").text
        assert "No label matches." in person.get("/labels?lang=en&courier=SF").text

    def test_a_long_list_goes_on_page_by_page(
        self, person: FlaskClient, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("sync.web.labels.PAGE_ROWS", 2)
        for _ in range(3):
            shelf.put()
        first = person.get("/labels?lang=en").text
        link = re.search(r'href="(/labels\?[^"]*after=\d+)"', first)

        assert link is not None
        second = person.get(html.unescape(link[1])).text
        assert ("77300002" in first, "77300003" in first) == (True, False)
        assert ("77300002" in second, "77300003" in second) == (False, True)
        assert "after=" not in second

    def test_while_the_database_is_away_it_says_so(self, make_app: MakeApp) -> None:
        away = "postgresql+psycopg2://nobody@127.0.0.1:1/none"
        app = make_app(migrated=False, ECSYNC_DATABASE_URL=away, ECSYNC_API_TOKEN=TOKEN)
        answer = app.test_client().get("/labels?lang=en", headers=BEARER)

        assert answer.status_code == 503
        assert "The database does not answer" in answer.text


class TestOneLabel:
    def test_it_is_shown_in_a_frame_and_kept_in_the_audit_table(
        self, person: FlaskClient, rt: Runtime, shelf: Shelf
    ) -> None:
        page = person.get(f"/labels/{shelf.put()}?lang=en").text

        (frame,) = frames(page)
        assert "收：王小明" in frame
        assert audit(rt) == [("Li Lei", "label.view")]

    def test_a_picture_is_shown_as_one(self, person: FlaskClient, shelf: Shelf) -> None:
        content = png_label()

        assert f'src="data:image/png;base64,{content}"' in person.get(f"/labels/{shelf.put(kind='png')}").text

    def test_a_pdf_can_be_fetched_to_look_at_and_counts_as_no_print(
        self, person: FlaskClient, rt: Runtime, shelf: Shelf
    ) -> None:
        one = shelf.put(kind="pdf", content=pdf_label("X-1"))
        answer = person.get(f"/labels/{one}/file")

        assert (answer.content_type, texts_of(answer.data)) == ("application/pdf", ["X-1"])
        assert answer.headers["Content-Disposition"].startswith("attachment")
        assert audit(rt) == [("Li Lei", "label.view")]
        assert shelf.label(one).prints == 0

    @pytest.mark.parametrize(("address", "is_link"), [("https://c.example/l", True), ("javascript:alert(1)", False)])
    def test_an_address_is_a_link_and_is_never_fetched(
        self, person: FlaskClient, shelf: Shelf, address: str, is_link: bool
    ) -> None:
        page = person.get(f"/labels/{shelf.put(kind='url', content=address)}").text

        assert (f'href="{address}"' in page) is is_link

    def test_there_is_none(self, person: FlaskClient) -> None:
        assert person.get("/labels/77").status_code == 404
        assert person.get("/labels/77/file").status_code == 404

    def test_a_void_one_says_why_and_offers_no_print(self, person: FlaskClient, shelf: Shelf) -> None:
        page = person.get(f"/labels/{shelf.put(parcel={'waybill_no': 'NEW7'})}?lang=en").text

        assert "must not be used" in page
        assert "NEW7" in page
        assert 'action="/labels/print"' not in page


class TestThePrintPage:
    def test_it_has_one_sheet_a_label_in_order_on_the_couriers_paper(
        self, person: FlaskClient, rt: Runtime, shelf: Shelf
    ) -> None:
        second, first = shelf.put("B"), shelf.put("A", parcel={"shipper_code": "SF"})
        answer = person.post("/labels/print", data={"label": [f"{second}.0", f"{first}.0"], "sort": "sku"})

        assert [re.findall(r"<h1>(\d+)", frame)[0] for frame in frames(answer.text)] == ["77300002", "77300001"]
        assert re.findall(r'class="sheet paper-(\w+)"', answer.text) == ["100x150", "100x180"]
        assert "size: 100mm 150mm" in answer.text
        assert audit(rt) == [("Li Lei", "label.print")] * 2

    def test_a_label_with_a_script_or_a_broken_tag_stays_in_its_frame(self, person: FlaskClient, shelf: Shelf) -> None:
        ids = [shelf.put("A", content=EVIL), shelf.put("B", content=BROKEN), shelf.put("C", content=html_label("OK-1"))]
        answer = person.post("/labels/print", data={"label": [f"{one}.0" for one in ids]})
        outside = re.sub(r'srcdoc="[^"]*"', "", answer.text)

        assert [EVIL in frames(answer.text)[0], BROKEN in frames(answer.text)[1]] == [True, True]
        assert len(frames(answer.text)) == 3
        for piece in ("evil.example", "top.document", 'id="outside"', "OK-1"):
            assert piece not in outside

    @pytest.mark.parametrize("path", ["print", "one"])
    def test_its_policy_lets_nothing_run_and_nothing_be_fetched(
        self, person: FlaskClient, shelf: Shelf, path: str
    ) -> None:
        one = shelf.put()
        answer = person.get(f"/labels/{one}") if path == "one" else person.post("/labels/print", data={"label": one})
        policy = dict(part.strip().split(" ", 1) for part in answer.headers["Content-Security-Policy"].split(";"))

        assert policy["default-src"] == "'none'"
        assert policy["script-src"] == "'self'"
        assert policy["img-src"] == "'self' data:"
        assert policy["frame-src"] == policy["base-uri"] == policy["frame-ancestors"] == "'none'"
        assert "connect-src" not in policy
        assert answer.headers["Cache-Control"] == "no-store"
        assert re.findall(r"<script>|\son\w+=", re.sub(r'srcdoc="[^"]*"', "", answer.text)) == []

    def test_a_label_that_needs_something_from_elsewhere_is_told(self, person: FlaskClient, shelf: Shelf) -> None:
        ids = [shelf.put(content='<img src="http://kd.example/bar.png">'), shelf.put(content="<p>https://text</p>")]
        page = person.post("/labels/print?lang=en", data={"label": [str(one) for one in ids]}).text

        assert page.count("it may print with gaps") == 1

    def test_all_that_waits_under_the_filter_is_printed_and_nothing_else(
        self, person: FlaskClient, shelf: Shelf
    ) -> None:
        mine, other = shelf.put(parcel={"shipper_code": "SF"}), shelf.put()
        person.post("/labels/print", data={"do": "page_all", "courier": "SF"})

        assert (shelf.label(mine).prints, shelf.label(other).prints) == (1, 0)

    def test_a_reload_prints_nothing_twice_and_offers_it(self, person: FlaskClient, shelf: Shelf) -> None:
        one = shelf.put()
        person.post("/labels/print", data={"label": f"{one}.0"})
        again = person.post("/labels/print?lang=en", data={"label": f"{one}.0"}).text

        assert frames(again) == []
        assert "was printed since you looked (Li Lei)" in html.unescape(again)
        assert f'name="label" value="{one}"' in again
        assert shelf.label(one).prints == 1

    @pytest.mark.parametrize("data", [{}, {"label": "x"}, {"label": "1.x"}, {"do": "tape"}, {"sort": "weight"}])
    def test_nonsense_is_refused_with_a_sentence(self, person: FlaskClient, data: dict[str, str]) -> None:
        answer = person.post("/labels/print?lang=en", data=data)

        assert answer.status_code == 400
        assert "No label was chosen." in answer.text

    def test_a_pdf_on_it_is_offered_as_pdf(self, person: FlaskClient, shelf: Shelf) -> None:
        one = shelf.put(kind="pdf")
        page = person.post("/labels/print?lang=en", data={"label": str(one)}).text

        assert "is a PDF: print it as PDF" in page
        assert re.search(rf'value="{one}\.0">\s*<button name="do" value="pdf">', page)


class TestThePdf:
    def test_it_is_one_file_with_all_pages_in_order(self, person: FlaskClient, rt: Runtime, shelf: Shelf) -> None:
        for goods in "BA":
            shelf.put(goods, "pdf", pdf_label(f"{goods}-1", f"{goods}-2"))
        answer = person.post("/labels/print", data={"do": "pdf_all", "sort": "sku"})

        assert answer.content_type == "application/pdf"
        assert texts_of(answer.data) == ["A-1", "A-2", "B-1", "B-2"]
        assert audit(rt) == [("Li Lei", "label.print")] * 2

    def test_what_cannot_be_in_it_is_told_before_anything_counts(self, person: FlaskClient, shelf: Shelf) -> None:
        pdf, page = shelf.put(kind="pdf"), shelf.put(kind="html")
        answer = person.post("/labels/print?lang=en", data={"do": "pdf", "label": [f"{pdf}.0", f"{page}.0"]})

        assert answer.status_code == 409
        assert "No PDF was made and nothing was counted: 1 cannot be in it." in answer.text
        assert "is HTML: print it as a page" in answer.text
        assert (shelf.label(pdf).prints, shelf.label(page).prints) == (0, 0)
        rest = re.search(r'value="([\d.]+)">\s*<button name="do" value="pdf">Make the PDF of the other 1', answer.text)
        assert rest is not None
        assert len(texts_of(person.post("/labels/print", data={"do": "pdf", "label": rest[1]}).data)) == 1

    def test_with_nothing_to_print_it_says_so(self, person: FlaskClient, shelf: Shelf) -> None:
        shelf.put(kind="html")

        assert "There is nothing to print here." in person.post("/labels/print?lang=en", data={"do": "pdf_all"}).text


def test_the_english_pages_hold_no_chinese_but_the_labels(person: FlaskClient, shelf: Shelf) -> None:
    ids = [shelf.put(place=("", "")), shelf.put(kind="pdf"), shelf.put(place=("", ""), parcel={"waybill_no": "NEW"})]
    said = ""
    for path in ("/labels?state=all", f"/labels/{ids[0]}", f"/labels/{ids[1]}", f"/labels/{ids[2]}"):
        person.get("/labels?lang=en")
        said += person.get(path).text
    said += person.post("/labels/print", data={"label": [str(one) for one in ids]}).text
    said = re.sub(r'srcdoc="[^"]*"', "", said).replace(">中文<", "")

    assert set(re.findall(r"[一-鿿]+", said)) <= {"王", "浙江", "杭州"}


class TestTheShell:
    @pytest.fixture
    def shell(self, app: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
        rt = process_of(app).runtime
        monkeypatch.setattr(cli, "Runtime", lambda settings: rt)
        monkeypatch.setattr(cli, "load_settings", lambda: rt.settings)
        return lambda *words: CliRunner().invoke(cli.main, ["labels", *words], catch_exceptions=False)

    def test_it_lists_what_waits(self, shell: Callable[..., Any], shelf: Shelf) -> None:
        shelf.put("A,B")
        (row,) = json.loads(shell("list", "--json").stdout)

        assert (row["waybill_no"], row["state"], row["goods"]) == ("77300001", "waiting", [["A", 1], ["B", 1]])
        assert "王小明" not in shell("list").stdout
        assert "77300001" in shell("list").stdout
        assert "No such labels." in shell("list", "--courier", "SF").stdout

    def test_it_prints_all_that_waits_into_a_pdf_that_only_its_owner_reads(
        self, shell: Callable[..., Any], shelf: Shelf, tmp_path: Path
    ) -> None:
        one = shelf.put(kind="pdf", content=pdf_label("X-1"))
        out = tmp_path / "labels.pdf"
        said = json.loads(shell("print", "--all", "--out", str(out), "--json").stdout)

        assert (said["out"], len(said["printed"]), said["left_out"]) == (str(out), 1, [])
        assert texts_of(out.read_bytes()) == ["X-1"]
        assert out.stat().st_mode & 0o077 == 0
        assert shelf.label(one).prints == 1

    def test_it_prints_orders_into_a_page_whose_own_policy_keeps_it_shut(
        self, shell: Callable[..., Any], shelf: Shelf, tmp_path: Path
    ) -> None:
        shelf.put(content=EVIL)
        out = tmp_path / "labels.html"
        shell("print", "2026112100001", "--out", str(out), "--language", "en")
        page = out.read_text("utf-8")

        assert EVIL in frames(page)[0]
        assert 'Content-Security-Policy" content="default-src &#39;none&#39;' in page
        assert "<script" not in re.sub(r'srcdoc="[^"]*"', "", page)

    def test_a_printed_one_is_printed_again_only_when_that_is_said(
        self, shell: Callable[..., Any], shelf: Shelf, tmp_path: Path
    ) -> None:
        shelf.put(printed_at=ago(9), prints=1)
        out = tmp_path / "labels.html"
        refused = shell("print", "2026112100001", "--out", str(out))

        assert "Nothing was printed" in refused.stdout
        assert "was printed since you looked" in refused.stdout
        assert not out.exists()
        assert "1 labels are in" in shell("print", "2026112100001", "--again", "--out", str(out)).stdout

    @pytest.mark.parametrize(
        ("words", "sentence"),
        [
            (("x", "--out", "labels.txt"), "neither in .pdf nor in .html"),
            (("--out", "labels.pdf"), "Name orders, or say --all"),
            (("nobody", "--out", "{tmp}/labels.pdf"), "We hold no label of order nobody. Nothing was printed"),
            (("--all", "--out", "{tmp}/none/labels.pdf"), "cannot be written: No such file or directory"),
        ],
    )
    def test_what_cannot_be_done_is_a_sentence_and_leaves_no_file(
        self, shell: Callable[..., Any], tmp_path: Path, words: tuple[str, ...], sentence: str
    ) -> None:
        result = shell("print", *(word.format(tmp=tmp_path) for word in words))

        assert result.exit_code != 0
        assert sentence in re.sub(r"[\s│]+", " ", result.output)
        assert list(tmp_path.glob("labels*")) == []
