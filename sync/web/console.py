"""The console: one page that says what needs a person, and how everything else flows."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, Response, make_response, render_template, request
from sqlalchemy.exc import SQLAlchemyError

from mappings.china_time import SHANGHAI
from mappings.status import STATUSES
from sync.clock import utc_now
from sync.runtime import Runtime
from sync.web.process import current
from sync.web.words import COOKIE, LANGUAGES, WORDS, choose_language, say_age, say_ago, speaker

log = logging.getLogger(__name__)

blueprint = Blueprint("console", __name__)

REFRESH_S = 5
SANDBOX_REFRESH_S = 1
COOKIE_AGE_S = 365 * 24 * 3600

SHAPES = {"ok": "●", "warn": "▲", "bad": "■", "hold": "◆", "quiet": "○"}
"""A state is told by shape, word and colour, so that none of them is needed."""


@blueprint.get("/")
def overview() -> Response:
    """The page; `?lang=` chooses a language and is remembered."""
    html, is_whole = _render("overview.html")
    response = make_response(html, 200 if is_whole else 503)
    if request.args.get("lang") in LANGUAGES:
        language = choose_language(request)
        response.set_cookie(COOKIE, language, max_age=COOKIE_AGE_S, httponly=True, samesite="Lax")
    return response


@blueprint.get("/board")
def board() -> Response:
    """The part of the page that refreshes itself; any other status than 200 would leave the old one standing."""
    html, _ = _render("board.html")
    return make_response(html)


def _render(template: str) -> tuple[str, bool]:
    """The template with all it needs; while the database is away the shell still stands and says so."""
    rt = current().runtime
    words = vocabulary(rt)
    try:
        return render_template(template, board=current().boards.read(rt), **words), True
    except SQLAlchemyError as problem:
        log.error("the overview could not be read: %s", type(problem).__name__)
        return render_template(template, board=None, now=utc_now(), **words), False


def vocabulary(rt: Runtime) -> dict[str, Any]:
    """What templates may say and show."""
    language = choose_language(request)
    say = speaker(language)
    return {
        "lang": language,
        "t": say,
        "age": lambda seconds: say_age(say, seconds),
        "ago": lambda seconds: say_ago(say, seconds),
        "word": lambda section, name: say(f"{section}.{name}") if f"{section}.{name}" in WORDS else name,
        "peer_title": lambda key: _title_of(rt, key, language),
        "local": _local,
        "utc": _utc,
        "clock_time": lambda at: f"{at.astimezone(SHANGHAI):%H:%M:%S}",
        "percent": _percent,
        "tone_of": _tone_of_status,
        "shapes": SHAPES,
        "clock": rt.clock,
        "environment": rt.settings.environment,
        "refresh_s": SANDBOX_REFRESH_S if rt.settings.environment == "sandbox" else REFRESH_S,
    }


def _title_of(rt: Runtime, key: str, language: str) -> str:
    """What people call a peer or queue: its connector's title; several shops are told apart by their own names."""
    for peer in rt.settings.peers:
        if peer.key == key:
            title = peer.spec.title_zh if language == "zh" else peer.spec.title_en
            return f"{title} {peer.name}" if peer.kind == "shop" else title
    return WORDS[f"backlog.{key}"][language] if f"backlog.{key}" in WORDS else key


def _local(at: datetime) -> str:
    """Beijing time without the year; the whole of it stands in the tooltip."""
    return f"{at.astimezone(SHANGHAI):%m-%d %H:%M}"


def _utc(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _percent(part: int, whole: int) -> str:
    """Rounded down, so that 100 means all of them."""
    if not whole:
        return "–"
    tenths = part * 1000 // whole
    return "100" if tenths == 1000 else f"{tenths / 10:.1f}"


def _tone_of_status(status: str) -> str:
    """Quiet is the normal look: colour only for what needs a person or is over."""
    if status == "stale_pickup" or status == "lost":
        return "bad"
    if status == "delivered":
        return "ok"
    known = STATUSES.get(status)
    return "warn" if known is not None and known.kind == "incident" else "quiet"
