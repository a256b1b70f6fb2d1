"""Labels: one a parcel, each print counted, batches in order, void ones never printed, old ones emptied."""

from __future__ import annotations

import base64
import io
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from prometheus_client import CollectorRegistry
from pypdf import PdfReader
from sqlalchemy import select

from mappings.model import LABEL_PAGE_BREAK, Printable
from sync.clock import utc_now
from sync.db.labels import LabelFilter
from sync.db.migrate import _config, migrate
from sync.db.models import AuditRow, LabelRow, OrderLineRow, ShipmentRow, WaybillAliasRow
from sync.metrics import Counters
from sync.runtime import Runtime
from sync.services.keep_labels import empty_old_labels, store_label
from sync.services.label_pdf import MOST_PAGES, UnreadableLabel, read_pages, write_pdf
from sync.services.labels import (
    NoSuchLabel,
    Sheet,
    Wanted,
    count_waiting,
    find_labels,
    print_labels,
    print_waiting,
    view_label,
)
from sync.settings_labels import Paper, parse_papers
from tests.service.house import House
from tests.service.label_samples import html_label, pdf_label, png_label, texts_of
from tests.service.web.conftest import settings_for
from tests.service.web.rows import KDNIAO, Rows, ago

WAITING = LabelFilter()
PAPER = Paper(100, 180)


@pytest.fixture
def rt(tmp_path: Path, database_url: str) -> Iterator[Runtime]:
    settings = settings_for(tmp_path, ECSYNC_DATABASE_URL=database_url, ECSYNC_LABELS_PAPER="100x180,SF=100x150")
    made = Runtime(settings, counters=Counters(CollectorRegistry()))
    yield made
    made.close()


class Shelf:
    """Puts labelled parcels into the database."""

    def __init__(self, rt: Runtime) -> None:
        self.rt, self.rows, self.count = rt, Rows(rt.database), 0

    def put(
        self,
        goods: str = "A",
        kind: str = "html",
        content: str = "",
        *,
        order: dict[str, Any] | None = None,
        parcel: dict[str, Any] | None = None,
        place: tuple[str, str] = ("浙江", "杭州"),
        **label: Any,
    ) -> int:
        """A parcel with these goods (`A,B`) and its label; returns its id."""
        self.count += 1
        number = f"7730{self.count:04}"
        row = self.rows.order(**(order or {}))
        consignee = {**row.header["consignee"], "address": {"province": place[0], "city": place[1]}}
        with self.rt.database.writing() as session:
            session.merge(row).header = {**row.header, "consignee": consignee}
        for line_no, sku in enumerate(goods.split(","), 1):
            line = {"order_id": row.id, "line_no": line_no, "sku": sku, "name": sku, "quantity": 1, "price_fen": 1}
            self.rows.add(OrderLineRow(**line, weight_g=1, details={}))
        shipment = self.rows.parcel(row, **({"waybill_no": number, "booked_at": ago(60 - self.count)} | (parcel or {})))
        content = content or (png_label() if kind == "png" else (pdf_label if kind == "pdf" else html_label)(number))
        given = {"shipment_id": shipment.id, "content": content, "kind": kind, "waybill_no": number}
        self.rows.add(LabelRow(**(given | {"stored_at": ago(60)} | label)))
        return shipment.id

    def label(self, shipment_id: int) -> LabelRow:
        with self.rt.database.reading() as session:
            return session.get_one(LabelRow, shipment_id)

    def audit(self) -> list[tuple[str, str, str]]:
        with self.rt.database.reading() as session:
            rows = session.execute(select(AuditRow).order_by(AuditRow.id)).scalars()
            return [(row.actor, row.action, row.subject) for row in rows]


@pytest.fixture
def shelf(rt: Runtime) -> Shelf:
    return Shelf(rt)


def ids_of(sheet: Sheet) -> list[int]:
    return [label.line.shipment_id for label in sheet.labels]


def reasons(sheet: Sheet) -> dict[int, str]:
    return {item.line.shipment_id: item.why for item in sheet.left_out}


def page_of(rt: Runtime, *ids: int, seen: int | None = None, sort: str = "sku") -> Sheet:
    return print_labels(rt, [Wanted(one, seen) for one in ids], "li", form="page", sort=sort)


def test_a_booked_parcel_has_one_label_with_its_kind_and_number_however_often_the_answer_comes(house: House) -> None:
    (order_sn,) = house.seed(1)
    house.poll()
    shipment = house.shipment(order_sn)
    with house.rt.database.writing() as session:
        row = session.get_one(ShipmentRow, shipment.id)
        store_label(house.rt, session, row, Printable("another", "pdf"), shipment.waybill_no)

    with house.rt.database.reading() as session:
        (label,) = session.execute(select(LabelRow)).scalars()
    assert (label.kind, label.waybill_no, label.prints) == ("html", shipment.waybill_no, 0)
    assert shipment.waybill_no in label.content


def test_the_first_print_and_every_reprint_is_counted_with_who_and_when(rt: Runtime, shelf: Shelf) -> None:
    one = shelf.put()
    for actor in ("li", "wang"):
        print_labels(rt, [Wanted(one)], actor, form="page", sort="sku")

    label = shelf.label(one)
    assert (label.prints, label.printed_by) == (2, "wang")
    assert label.printed_at is not None
    assert utc_now() - label.printed_at < timedelta(minutes=1)
    assert shelf.audit() == [("li", "label.print", f"label:{one}"), ("wang", "label.reprint", f"label:{one}")]
    assert count_waiting(rt, WAITING) == 0


def test_looking_at_a_label_is_kept_with_the_name_and_counts_as_no_print(rt: Runtime, shelf: Shelf) -> None:
    one = shelf.put()

    assert "王小明" in view_label(rt, one, "li").pages[0]
    assert shelf.audit() == [("li", "label.view", f"label:{one}")]
    assert shelf.label(one).prints == 0
    with pytest.raises(NoSuchLabel):
        view_label(rt, one + 1, "li")


def test_the_audit_table_holds_nothing_personal(rt: Runtime, shelf: Shelf) -> None:
    page_of(rt, shelf.put())

    with rt.database.reading() as session:
        (row,) = session.execute(select(AuditRow)).scalars()
    assert "77300001" in row.reason
    assert not any(private in row.reason for private in ("王", "139", "杭州"))


def test_by_sku_parcels_of_one_kind_of_goods_come_first_and_the_same_ones_together(rt: Runtime, shelf: Shelf) -> None:
    goods = ("B", "A,B", "A", "B", "A,B", "A", "A,C")
    ids = [shelf.put(one) for one in goods]

    printed = ids_of(page_of(rt, *ids, sort="sku"))
    assert [goods[ids.index(one)] for one in printed] == ["A", "A", "B", "B", "A,B", "A,B", "A,C"]


def test_by_route_parcels_to_one_city_with_one_courier_lie_together(rt: Runtime, shelf: Shelf) -> None:
    routes = (("浙江", "杭州", "ZTO"), ("广东", "深圳", "SF"), ("浙江", "杭州", "SF"), ("广东", "广州", "SF"))
    ids = [shelf.put(place=(one[0], one[1]), parcel={"shipper_code": one[2]}) for one in routes]

    printed = ids_of(page_of(rt, *ids, sort="route"))
    assert [routes[ids.index(one)] for one in printed] == sorted(routes)


def test_by_time_they_come_as_they_were_booked(rt: Runtime, shelf: Shelf) -> None:
    late, early = shelf.put(parcel={"booked_at": ago(1)}), shelf.put(parcel={"booked_at": ago(100)})

    assert ids_of(page_of(rt, late, early, sort="time")) == [early, late]


def test_a_list_is_narrowed_by_shop_courier_order_and_what_waits(rt: Runtime, shelf: Shelf) -> None:
    here = shelf.put(parcel={"shipper_code": "SF"})
    there = shelf.put(order={"shop": "second", "shop_order_id": "x", "order_sn": "S2"})
    done = shelf.put(printed_at=ago(1), prints=1)

    def found(**given: Any) -> list[int]:
        return [line.shipment_id for line in find_labels(rt, LabelFilter(**given))]

    assert found() == [here, there]
    assert found(state="all") == [here, there, done]
    assert found(state="printed") == [done]
    assert found(shop="second") == [there]
    assert found(courier="SF") == [here]
    assert found(order_sns=("S2", "nobody")) == [there]
    assert [line.shipment_id for line in find_labels(rt, WAITING, after=here)] == [there]


@pytest.mark.parametrize(
    ("parcel", "order", "label"),
    [
        ({"pickup_at": ago(1)}, {}, {}),
        ({"status": "cancelled"}, {}, {}),
        ({}, {"state": "withdrawn"}, {}),
        ({"waybill_no": "another"}, {}, {}),
        ({}, {}, {"kind": "url", "content": "https://example.com/label"}),
        ({}, {}, {"emptied_at": ago(1)}),
        ({}, {}, {"printed_at": ago(1)}),
    ],
    ids=["picked up", "cancelled", "withdrawn", "renumbered", "a link", "emptied", "printed"],
)
def test_what_must_not_or_need_not_be_printed_does_not_wait(
    rt: Runtime, shelf: Shelf, parcel: dict[str, Any], order: dict[str, Any], label: dict[str, Any]
) -> None:
    shelf.put(parcel=parcel, order=order, **label)

    assert count_waiting(rt, WAITING) == 0
    assert ids_of(print_waiting(rt, WAITING, "li", form="page", sort="sku")) == []


def test_a_void_label_is_not_printed_even_when_it_is_asked_for(rt: Runtime, shelf: Shelf) -> None:
    withdrawn = shelf.put(order={"state": "withdrawn"})
    link = shelf.put(kind="url", content="https://example.com/label")
    emptied = shelf.put(emptied_at=ago(1), content="x")
    sheet = page_of(rt, withdrawn, link, emptied)

    assert (ids_of(sheet), reasons(sheet)) == ([], {withdrawn: "withdrawn", link: "link", emptied: "emptied"})
    assert [shelf.label(one).prints for one in (withdrawn, link, emptied)] == [0, 0, 0]


def test_a_label_with_a_replaced_number_is_void_until_the_new_one_comes_and_then_waits_again(
    rt: Runtime, shelf: Shelf
) -> None:
    one = shelf.put()
    page_of(rt, one)
    with rt.database.writing() as session:
        shipment = session.get_one(ShipmentRow, one)
        session.add(WaybillAliasRow(peer=KDNIAO, waybill_no=shipment.waybill_no, shipment_id=one, kind="replaced"))
        shipment.waybill_no = "NEW1"

    assert [line.state for line in find_labels(rt, LabelFilter("changed"))] == ["changed"]
    assert reasons(page_of(rt, one)) == {one: "changed"}

    with rt.database.writing() as session:
        fresh = Printable(html_label("NEW1"), "html")
        store_label(rt, session, session.get_one(ShipmentRow, one), fresh, "NEW1")

    assert [(line.state, line.prints) for line in find_labels(rt, WAITING)] == [("again", 1)]
    (printed,) = print_waiting(rt, WAITING, "li", form="page", sort="sku").labels
    assert "NEW1" in printed.pages[0]
    assert shelf.label(one).prints == 2


def test_a_number_that_another_courier_will_replace_voids_the_label_before_the_new_number_is_known(
    rt: Runtime, shelf: Shelf
) -> None:
    one = shelf.put()
    with rt.database.writing() as session:
        number = session.get_one(ShipmentRow, one).waybill_no
        session.add(WaybillAliasRow(peer=KDNIAO, waybill_no=number, shipment_id=one, kind="replaced"))

    assert reasons(page_of(rt, one)) == {one: "changed"}


def test_a_label_that_somebody_printed_since_the_person_looked_is_left_out(rt: Runtime, shelf: Shelf) -> None:
    one = shelf.put()
    page_of(rt, one, seen=0)

    assert reasons(page_of(rt, one, seen=0)) == {one: "meanwhile"}
    assert ids_of(page_of(rt, one)) == [one], "asked for on purpose it is printed once more"


def test_two_people_who_print_what_waits_at_once_get_no_label_twice(rt: Runtime, shelf: Shelf) -> None:
    ids = [shelf.put() for _ in range(12)]
    ready, sheets = threading.Barrier(2), []

    def work(actor: str) -> None:
        ready.wait()
        sheets.append(print_waiting(rt, WAITING, actor, form="page", sort="sku"))

    threads = [threading.Thread(target=work, args=(actor,)) for actor in ("li", "wang")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(one for sheet in sheets for one in ids_of(sheet)) == ids
    assert {shelf.label(one).prints for one in ids} == {1}


def test_a_batch_is_bounded_and_takes_the_oldest(rt: Runtime, shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sync.services.labels.BATCH", 2)
    ids = [shelf.put(goods) for goods in "CBA"]

    assert ids_of(page_of(rt, *ids)) == [ids[1], ids[0]]


def test_a_parcel_of_several_packages_gets_a_page_for_each_on_the_couriers_paper(rt: Runtime, shelf: Shelf) -> None:
    one = shelf.put(content=LABEL_PAGE_BREAK.join(("<p>1</p>", "<p>2</p>")), parcel={"shipper_code": "SF"})

    (label,) = page_of(rt, one).labels
    assert (label.pages, label.paper) == (("<p>1</p>", "<p>2</p>"), Paper(100, 150))


class TestPdf:
    def test_pdf_and_picture_labels_become_one_file_in_their_order(self, rt: Runtime, shelf: Shelf) -> None:
        second = shelf.put("B", "pdf", pdf_label("B-1", "B-2"))
        picture = shelf.put("C", "png")
        first = shelf.put("A", "pdf", pdf_label("A-1"))
        wanted = [Wanted(one) for one in (second, picture, first)]
        sheet = print_labels(rt, wanted, "li", form="pdf", sort="sku")

        assert texts_of(sheet.pdf) == ["A-1", "B-1", "B-2", ""]
        assert [shelf.label(one).prints for one in (first, second, picture)] == [1, 1, 1]

    def test_what_waits_is_printed_once_as_page_and_pdf_together(self, rt: Runtime, shelf: Shelf) -> None:
        html, pdf = shelf.put(kind="html"), shelf.put(kind="pdf")

        assert ids_of(print_waiting(rt, WAITING, "li", form="pdf", sort="sku", whole=True)) == [pdf]
        assert ids_of(print_waiting(rt, WAITING, "li", form="page", sort="sku")) == [html]

    def test_where_all_or_nothing_is_wanted_one_bad_label_means_nothing_and_counts_nothing(
        self, rt: Runtime, shelf: Shelf
    ) -> None:
        good, html = shelf.put(kind="pdf"), shelf.put(kind="html")
        broken = shelf.put(kind="pdf", content=base64.b64encode(b"%PDF-1.4 half").decode())
        wanted = [Wanted(one) for one in (good, html, broken)]
        sheet = print_labels(rt, wanted, "li", form="pdf", sort="sku", whole=True)

        assert (sheet.pdf, sheet.labels) == (b"", ())
        assert reasons(sheet) == {html: "not_pdf", broken: "unreadable"}
        assert [line.shipment_id for line in sheet.ready] == [good]
        assert shelf.label(good).prints == 0
        assert shelf.audit() == []

    def test_a_race_takes_back_the_whole_file(self, rt: Runtime, shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
        mine, theirs = shelf.put(kind="pdf"), shelf.put(kind="pdf")

        def print_meanwhile(*given: Any) -> Any:
            monkeypatch.setattr("sync.services.labels.read_pages", read_pages)
            print_labels(rt, [Wanted(theirs)], "wang", form="pdf", sort="sku")
            return read_pages(*given)

        monkeypatch.setattr("sync.services.labels.read_pages", print_meanwhile)
        sheet = print_labels(rt, [Wanted(mine), Wanted(theirs)], "li", form="pdf", sort="sku", whole=True)

        assert (sheet.pdf, sheet.labels) == (b"", ())
        assert (shelf.label(mine).prints, shelf.label(theirs).prints) == (0, 1)

    def test_no_script_and_no_link_of_a_label_comes_into_the_file(self) -> None:
        assert b"JavaScript" in base64.b64decode(pdf_label("x"))
        merged = write_pdf([read_pages("pdf", pdf_label("x"), PAPER)])

        assert b"JavaScript" not in merged
        assert b"alert" not in merged

    def test_a_picture_fills_the_paper_from_its_upper_edge_without_loss(self) -> None:
        merged = PdfReader(io.BytesIO(write_pdf([read_pages("png", png_label((200, 300), "#123456"), PAPER)])))
        (page,) = merged.pages
        (image,) = page.images

        assert (round(page.mediabox.width), round(page.mediabox.height)) == (283, 510)
        assert image.image is not None
        assert image.image.size == (200, 300)
        assert image.image.getpixel((0, 0)) == image.image.getpixel((199, 299))

    @pytest.mark.parametrize(
        ("kind", "content"),
        [
            ("pdf", "no base64 at all"),
            ("pdf", base64.b64encode(b"").decode()),
            ("pdf", base64.b64encode(b"%PDF-1.7\n%%EOF").decode()),
            ("pdf", base64.b64encode(base64.b64decode(pdf_label("x"))[:300]).decode()),
            ("pdf", pdf_label(*["x"] * (MOST_PAGES + 1))),
            ("png", base64.b64encode(b"GIF89a").decode()),
            ("png", base64.b64encode(base64.b64decode(png_label())[:60]).decode()),
            ("png", png_label((20_000, 3_000))),
        ],
        ids=["text", "empty", "no pages", "cut", "endless", "another kind", "cut picture", "huge picture"],
    )
    def test_a_broken_file_is_told_and_nothing_else(self, kind: str, content: str) -> None:
        with pytest.raises(UnreadableLabel):
            read_pages(kind, content, PAPER)


def test_old_labels_are_emptied_and_their_counts_stay(rt: Runtime, shelf: Shelf) -> None:
    old = [shelf.put(stored_at=ago(91 * 86400), prints=3, printed_at=ago(90 * 86400)) for _ in range(3)]
    young = shelf.put(stored_at=ago(89 * 86400))

    assert empty_old_labels(rt, batch=2) == 3
    assert empty_old_labels(rt) == 0
    assert {(shelf.label(one).content, shelf.label(one).prints) for one in old} == {("", 3)}
    assert shelf.label(young).content != ""
    assert reasons(page_of(rt, old[0])) == {old[0]: "emptied"}


class TestPaper:
    def test_one_size_and_others_for_single_couriers(self) -> None:
        papers = parse_papers("76x130, sf=100x150")

        assert (papers.of("ZTO"), papers.of("SF")) == (Paper(76, 130), Paper(100, 150))
        assert parse_papers("").of("ZTO") == PAPER

    @pytest.mark.parametrize("text", ["A4", "100*150", "10x150", "100x1500", "=100x150", "100x150;}"])
    def test_anything_else_is_refused(self, text: str) -> None:
        with pytest.raises(ValueError, match=r"paper|courier"):
            parse_papers(text)


def test_labels_from_before_say_what_they_are_and_which_number_stands_on_them(rt: Runtime, shelf: Shelf) -> None:
    contents = {"html": html_label("1"), "pdf": pdf_label("x"), "png": png_label(), "url": "https://example.com/1"}
    ids = {kind: shelf.put(content=content) for kind, content in contents.items()}
    with rt.database.writing() as session:
        session.add(WaybillAliasRow(peer=KDNIAO, waybill_no="OLD", shipment_id=ids["pdf"], kind="replaced"))
    with rt.database.engine.begin() as connection:
        config = _config()
        config.attributes["connection"] = connection
        command.downgrade(config, "0006")
    assert migrate(rt.database) > "0006"

    found = {kind: shelf.label(one) for kind, one in ids.items()}
    assert {kind: label.kind for kind, label in found.items()} == {kind: kind for kind in contents}
    assert {kind: label.content for kind, label in found.items()} == contents
    assert (found["pdf"].waybill_no, found["html"].waybill_no) == ("OLD", "77300001")
    assert abs(found["html"].stored_at - utc_now()) < timedelta(minutes=5)
