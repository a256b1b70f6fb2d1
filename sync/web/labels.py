"""The pages of labels: a list, one label, the merged print page and PDF. Behind a door of their own."""

from __future__ import annotations

import base64
import binascii
import logging
from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, Response, g, make_response, redirect, render_template, request
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.wrappers import Response as BaseResponse

from sync.db.labels import STATES, LabelFilter, list_couriers
from sync.services.labels import (
    BATCH,
    KINDS_OF,
    PDF,
    SORTS,
    NoSuchLabel,
    Sheet,
    Wanted,
    count_waiting,
    find_labels,
    print_labels,
    print_waiting,
    view_label,
)
from sync.web.console import COOKIE_AGE_S, vocabulary
from sync.web.label_door import NAME_LENGTH, close_door, is_from_elsewhere, is_token, open_door, read_actor
from sync.web.label_sheet import PAGE_POLICY, refers_elsewhere, render_sheet
from sync.web.process import current
from sync.web.words import COOKIE, LANGUAGES, choose_language, speaker

log = logging.getLogger(__name__)

blueprint = Blueprint("labels", __name__, url_prefix="/labels")

ROOM = "/labels"
PAGE_ROWS = 100
TONES = {
    "waiting": "quiet",
    "again": "hold",
    "printed": "ok",
    "changed": "bad",
    "withdrawn": "bad",
    "link": "quiet",
    "emptied": "quiet",
}


@blueprint.before_request
def _let_in() -> Response | None:
    """Nothing of this room is served without the token, or the cookie that it brought."""
    token = current().settings.api_token
    if not token:
        return _notice("labels.off", 404)
    if request.method == "POST" and is_from_elsewhere(request):
        return _notice("labels.elsewhere", 403)
    g.actor = read_actor(request, token)
    if g.actor or request.endpoint == "labels.enter":
        return None
    if request.method == "GET":
        return _ask(request.full_path.rstrip("?"), 401)
    return _ask(ROOM, 401)


@blueprint.after_request
def _remember_language(response: Response) -> Response:
    if request.args.get("lang") in LANGUAGES:
        response.set_cookie(COOKIE, request.args["lang"], max_age=COOKIE_AGE_S, httponly=True, samesite="Lax")
    return response


@blueprint.errorhandler(SQLAlchemyError)
def _say_that_it_is_away(problem: SQLAlchemyError) -> Response:
    log.error("labels could not be read: %s", type(problem).__name__)
    return _notice("away.title", 503)


@blueprint.errorhandler(NoSuchLabel)
def _say_that_there_is_none(_problem: NoSuchLabel) -> Response:
    return _notice("labels.no_such", 404)


@blueprint.post("/enter")
def enter() -> BaseResponse:
    """The token and a name, once; then the page that was wanted."""
    token, name = current().settings.api_token, " ".join(request.form.get("name", "").split())[:NAME_LENGTH]
    wanted = request.form.get("next", ROOM)
    wanted = wanted if wanted.split("?")[0].rstrip("/").startswith(ROOM) else ROOM
    if not name or not is_token(request.form.get("token", ""), token):
        return _ask(wanted, 401, is_wrong=True, name=name)
    response = make_response(redirect(wanted, 303))
    open_door(response, request, name, token)
    return response


@blueprint.post("/leave")
def leave() -> BaseResponse:
    """Close the door behind a person."""
    response = make_response(redirect("/", 303))
    close_door(response)
    return response


@blueprint.get("")
def list_page() -> str:
    """Labels by filter, the oldest first; names are masked here."""
    rt, wanted = current().runtime, _read_filter(request.args)
    lines = find_labels(rt, wanted, after=request.args.get("after", 0, int), limit=PAGE_ROWS + 1)
    is_narrowed = wanted != LabelFilter()
    with rt.database.reading() as session:
        couriers = list_couriers(session)
    return _render(
        "labels.html",
        lines=lines[:PAGE_ROWS],
        next_after=lines[PAGE_ROWS - 1].shipment_id if len(lines) > PAGE_ROWS else 0,
        waiting=count_waiting(rt, wanted),
        wanted=wanted,
        states=STATES,
        sorts=tuple(SORTS),
        shops=[shop.name for shop in rt.settings.shops],
        couriers=couriers,
        is_narrowed=is_narrowed,
        has_any=bool(couriers),
        batch=BATCH,
    )


@blueprint.get("/<int:shipment_id>")
def one(shipment_id: int) -> Response:
    """A label as it will be printed."""
    label = view_label(current().runtime, shipment_id, g.actor)
    address = label.pages[0] if label.line.kind == "url" else ""
    link = address if urlsplit(address).scheme in ("http", "https") else ""
    page = _render("label.html", here=request.path, label=label, link=link, has_gaps=refers_elsewhere(label))
    return _framed(page)


@blueprint.get("/<int:shipment_id>/file")
def file(shipment_id: int) -> Response:
    """A label that is a PDF, to look at; it does not count as printed."""
    label = view_label(current().runtime, shipment_id, g.actor)
    if label.line.kind != "pdf" or label.line.state == "emptied":
        return _notice("labels.no_such", 404)
    try:
        raw = base64.b64decode(label.pages[0], validate=True)
    except binascii.Error:
        return _notice("label_why.unreadable", 404)
    return _pdf(raw, f"label-{shipment_id}.pdf")


@blueprint.post("/print")
def print_() -> Response:
    """`do`: page or pdf of the selected labels, page_all or pdf_all of what waits under the filter."""
    rt, (form, _, is_all) = current().runtime, request.form.get("do", "page").partition("_")
    sort = request.form.get("sort", "sku")
    if form not in KINDS_OF or sort not in SORTS:
        return _notice("labels.none_chosen", 400)
    whole = form == PDF  # a file can not say what is missing in it
    if is_all:
        sheet = print_waiting(rt, _read_filter(request.form), g.actor, form=form, sort=sort, whole=whole)
    else:
        chosen = [wanted for text in request.form.getlist("label") if (wanted := _read_wanted(text))]
        if not chosen:
            return make_response(_render("labels_refused.html", sheet=None), 400)
        sheet = print_labels(rt, chosen, g.actor, form=form, sort=sort, whole=whole)
    return _answer_with_pdf(sheet, sort) if whole else _framed(_sheet(sheet))


def _answer_with_pdf(sheet: Sheet, sort: str) -> Response:
    if sheet.pdf:
        return _pdf(sheet.pdf, f"labels-{len(sheet.labels)}.pdf")
    status = 409 if sheet.left_out else 200
    return make_response(_render("labels_refused.html", sheet=sheet, sort=sort, is_file=False), status)


def _sheet(sheet: Sheet) -> str:
    return render_sheet(sheet, choose_language(request), is_file=False)


def _read_filter(given: Any) -> LabelFilter:
    """What the form says; a word that is none of ours narrows nothing."""
    state = given.get("state", "waiting")
    return LabelFilter(
        state=state if state in STATES else "waiting",
        shop=given.get("shop", ""),
        courier=given.get("courier", ""),
        order_sns=tuple(dict.fromkeys(given.get("orders", "").replace(",", " ").replace("，", " ").split()))[:BATCH],
    )


def _read_wanted(text: str) -> Wanted | None:
    """`ID.SEEN`, or `ID` where it does not matter how often it was printed."""
    shipment_id, _, seen = text.partition(".")
    if not _is_number(shipment_id) or (seen and not _is_number(seen)):
        return None
    return Wanted(int(shipment_id), int(seen) if seen else None)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 9


def _render(template: str, **values: Any) -> str:
    words = vocabulary(current().runtime) | {"room": "labels", "here": ROOM, "tones": TONES, "actor": g.actor}
    return render_template(template, **(words | values))


def _framed(page: str) -> Response:
    response = make_response(page)
    response.headers["Content-Security-Policy"] = PAGE_POLICY
    return response


def _pdf(content: bytes, name: str) -> Response:
    response = Response(content, content_type="application/pdf")
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _ask(wanted: str, status: int, **values: Any) -> Response:
    given = {"next": wanted, "is_wrong": False, "name": "", "actor": ""} | values
    language = choose_language(request)
    page = render_template("labels_enter.html", lang=language, t=speaker(language), room="labels", here=ROOM, **given)
    response = make_response(page, status)
    response.headers["WWW-Authenticate"] = "Bearer"
    return response


def _notice(id_: str, status: int) -> Response:
    language = choose_language(request)
    say = speaker(language)
    page = render_template("error.html", what=say(id_), error_id="", lang=language, t=say, room="labels", here=ROOM)
    return make_response(page, status)
