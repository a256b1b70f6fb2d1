"""Where carriers push to: raw bytes in, one row, the platform's own answer out. No ORM, no schema, no broker.

It stands before the application and answers pushes itself: a burst of them costs little more than its inserts.
`Success` is true only for a push that is stored. Whatever else happens, the platform is told so in its own form and
pushes again.
"""

from __future__ import annotations

import hmac
import json
import logging
import secrets
import time
from collections.abc import Iterable
from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING

from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from werkzeug.exceptions import HTTPException
from werkzeug.wsgi import get_input_stream

from mappings.wire import HttpReply
from sync.clock import utc_now
from sync.runtime import Runtime
from sync.services.receive_callback import Push, receive_callback
from sync.web.process import WebProcess

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

log = logging.getLogger(__name__)

PREFIX = "/callbacks/"

ROOM_FOR_413 = 64 * 1024
"""Bodies a little too large are still read, and refused by the receiver's own rules."""


class Receiver:
    """Takes `POST /callbacks/<carrier or ERP>[/<token>]`; everything else goes to the application behind it."""

    def __init__(self, behind: WSGIApplication, process: WebProcess) -> None:
        self._behind = behind
        self._process = process

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path: str = environ["PATH_INFO"]
        if not path.startswith(PREFIX):
            return self._behind(environ, start_response)
        name, _, token = path.removeprefix(PREFIX).encode("latin-1").decode(errors="replace").partition("/")
        try:
            reply = self._receive(environ, name, token)
        except Exception:
            error_id = secrets.token_hex(4)
            log.exception("error %s while taking a push for %s", error_id, name)  # the path holds the token
            reply = _refusal(HTTPStatus.INTERNAL_SERVER_ERROR, id=error_id)
        status = f"{reply.status} {HTTPStatus(reply.status).phrase}"
        headers = [*reply.headers.items(), ("content-length", str(len(reply.body))), ("cache-control", "no-store")]
        start_response(status, headers)
        return [reply.body]

    def _receive(self, environ: WSGIEnvironment, name: str, token: str) -> HttpReply:
        started = time.perf_counter()
        rt = self._process.runtime
        source = _find_pusher(rt, name)
        if not source or not _is_invited(token, rt.settings.callback_token):
            return _refusal(HTTPStatus.NOT_FOUND)
        if environ["REQUEST_METHOD"] != "POST":
            return _refusal(HTTPStatus.METHOD_NOT_ALLOWED)
        reply = _take_in(rt, source, environ)
        self._process.acks.labels(source).observe(time.perf_counter() - started)
        return reply


def _find_pusher(rt: Runtime, name: str) -> str:
    """The key of the carrier, or of the ERP, that pushes under this name; empty when none does."""
    for key in (f"carrier.{name}", f"erp.{name}"):
        with suppress(KeyError):
            rt.pusher(key)
            return key
    return ""


def _refusal(status: HTTPStatus, **more: str) -> HttpReply:
    """The answer to somebody who is no platform of ours, or when we fail before we know who asks."""
    body = json.dumps({"error": status.phrase, "status": status.value, **more}).encode()
    headers = {"content-type": "application/json"}
    if status is HTTPStatus.METHOD_NOT_ALLOWED:
        headers["allow"] = "POST"
    return HttpReply(status.value, headers, body)


def _is_invited(token: str, wanted: str) -> bool:
    """While no token is set any path will do: a platform may still use the one it was given before."""
    return not wanted or hmac.compare_digest(token.encode(), wanted.encode())


def _take_in(rt: Runtime, source: str, environ: WSGIEnvironment) -> HttpReply:
    remote_addr = environ.get("REMOTE_ADDR") or ""
    try:
        limit = rt.settings.callback_max_bytes + ROOM_FOR_413
        body = get_input_stream(environ, max_content_length=limit).read()
    except HTTPException as problem:  # larger than we read at all, or cut off on its way
        rt.counters.inbox.labels(source, "refused").inc()
        log.warning("callback from %s (%s) refused: %s", source, remote_addr, problem.name)
        return _decline(rt, source, problem.code or 400, f"not taken: {problem.name}")
    try:
        return receive_callback(rt, source, Push(body, environ.get("CONTENT_TYPE") or "", remote_addr))
    except SQLAlchemyError as problem:
        log.error("callback from %s not stored, the platform is told to repeat it: %s", source, _say(problem))
    except Exception:
        log.exception("callback from %s not stored, the platform is told to repeat it", source)
    return _decline(rt, source, 503, "not stored, please push again")


def _decline(rt: Runtime, source: str, status: int, reason: str) -> HttpReply:
    """The platform's own form of a no."""
    reply = rt.pusher(source).callback_reply(ok=False, reason=reason, now=utc_now())
    return HttpReply(status, reply.headers, reply.body)


def _say(problem: SQLAlchemyError) -> str:
    """What the database said, without the values of the statement: they are somebody's address."""
    if not isinstance(problem, DBAPIError):
        return type(problem).__name__
    first, _, _ = str(problem.orig).partition("\n")
    return f"{type(problem.orig).__name__}: {first}"
