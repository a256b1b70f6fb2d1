"""The web process: callback receiver, console, health and metrics. Gunicorn serves `sync.web.app:create_app()`."""

from __future__ import annotations

import json
import logging
import secrets

from flask import Flask, Response, render_template, request
from sqlalchemy.exc import StatementError
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as BaseResponse

from sync.settings import Settings, load_settings_or_exit
from sync.web import api, console, health, labels, metrics, process
from sync.web.receiver import Receiver
from sync.web.words import WORDS, choose_language, speaker

log = logging.getLogger(__name__)

LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"

MAX_CONSOLE_BYTES = 64 * 1024
"""Nobody sends the console more; pushes never get here."""

SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
}


def create_app(settings: Settings | None = None) -> Flask:
    """The WSGI application; raises SettingsError when the environment is wrong."""
    settings = settings or load_settings_or_exit()
    app = Flask("sync.web", static_url_path="/static")
    app.config["MAX_CONTENT_LENGTH"] = MAX_CONSOLE_BYTES
    # Flask's documents ask for just this; to mypy wsgi_app is a method
    app.wsgi_app = Receiver(app.wsgi_app, process.install(app, settings))  # type: ignore[method-assign]
    for room in (health, metrics, console, labels, api):
        app.register_blueprint(room.blueprint)
    app.register_error_handler(HTTPException, _say_what_failed)
    app.register_error_handler(Exception, _say_that_we_failed)
    app.after_request(_secure)
    return app


def _secure(response: Response) -> Response:
    for name, value in SECURITY_HEADERS.items():
        response.headers.setdefault(name, value)
    if request.endpoint != "static":
        response.headers.setdefault("Cache-Control", "no-store")
    return response


def _say_what_failed(problem: HTTPException) -> BaseResponse:
    response = problem.get_response()  # keeps what belongs to the status: Allow, Location
    if problem.code is not None and problem.code >= 400:
        response.data, response.content_type = _error_body(problem.code, problem.name, "")
    return response


def _say_that_we_failed(problem: Exception) -> Response:
    error_id = secrets.token_hex(4)
    if isinstance(problem, StatementError):
        problem.hide_parameters = True  # they are somebody's address
    log.exception("error %s while answering %s", error_id, request.endpoint)
    body, content_type = _error_body(500, "Internal Server Error", error_id)
    return Response(body, 500, content_type=content_type)


def _error_body(status: int, name: str, error_id: str) -> tuple[bytes, str]:
    """A page for a browser, JSON for everybody else; an error of ours carries the id that stands in the log."""
    if request.accept_mimetypes.best_match(("application/json", "text/html")) != "text/html":
        said = {"error": name, "status": status, **({"id": error_id} if error_id else {})}
        return json.dumps(said).encode(), "application/json"
    language = choose_language(request)
    say = speaker(language)
    what = say(f"error.{status}") if f"error.{status}" in WORDS else say("error.other", status=status)
    page = render_template("error.html", what=what, error_id=error_id, lang=language, t=say)
    return page.encode(), "text/html; charset=utf-8"
