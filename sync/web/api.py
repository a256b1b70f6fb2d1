"""The JSON API, for other programs of the house: the switchboard. Off while ECSYNC_API_TOKEN is not set."""

from __future__ import annotations

import hmac
import json
from typing import Any

from flask import Blueprint, Response, request

from sync.services.switch_carriers import SwitchRefused, Wish, parse_until, read_switchboard, switch
from sync.web.process import current

blueprint = Blueprint("api", __name__, url_prefix="/api")

_TEXTS = ("action", "target", "reason", "actor", "until")


@blueprint.before_request
def _let_in() -> Response | None:
    """`Authorization: Bearer …` with the token of the settings."""
    wanted = current().settings.api_token
    if not wanted:
        return _refuse(404, "The API is off: set ECSYNC_API_TOKEN to use it.")
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not hmac.compare_digest(given.strip().encode(), wanted.encode()):
        response = _refuse(401, "Send the header Authorization: Bearer TOKEN with the value of ECSYNC_API_TOKEN.")
        response.headers["WWW-Authenticate"] = "Bearer"
        return response
    return None


@blueprint.get("/switchboard")
def show_switchboard() -> Response:
    """How every carrier stands, and what is switched."""
    return _answer(200, read_switchboard(current().runtime))


@blueprint.post("/switchboard")
def change_switchboard() -> Response:
    """`action` (pause, drain, resume, default), `target`, `reason`, `actor`, and `until` where it ends by itself."""
    rt = current().runtime
    try:
        said = switch(rt, _read_wish())
    except SwitchRefused as problem:
        return _refuse(400, str(problem))
    return _answer(200, {"done": said, **read_switchboard(rt)})


def _read_wish() -> Wish:
    body = request.get_json(force=True, silent=True)
    if not isinstance(body, dict):
        raise SwitchRefused("The body must be a JSON object with action, target, reason and actor")
    if unknown := sorted(set(body) - set(_TEXTS)):
        raise SwitchRefused(f"{', '.join(unknown)}: not known here; known are {', '.join(_TEXTS)}")
    if wrong := sorted(name for name in body if not isinstance(body[name], str | None)):
        raise SwitchRefused(f"{', '.join(wrong)}: must be text")
    given = {name: body.get(name) or "" for name in _TEXTS}
    until = given.pop("until")
    return Wish(**given, until=parse_until(until) if until else None)


def _answer(status: int, data: Any) -> Response:
    return Response(json.dumps(data, ensure_ascii=False), status, content_type="application/json")


def _refuse(status: int, sentence: str) -> Response:
    return _answer(status, {"error": sentence})
