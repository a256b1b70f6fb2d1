"""Where carriers push to: raw bytes in, one row, the platform's own answer out. No ORM, no schema, no broker.

`Success` is true only for a push that is stored. Whatever else happens, the platform is told so in its own form and
pushes again.
"""

from __future__ import annotations

import hmac
import logging
import time

from flask import Blueprint, Response, abort, request
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from werkzeug.exceptions import HTTPException

from mappings.wire import HttpReply
from sync.clock import utc_now
from sync.runtime import Runtime
from sync.services.receive_callback import Push, receive_callback
from sync.web.process import current

log = logging.getLogger(__name__)

blueprint = Blueprint("receiver", __name__)


@blueprint.post("/callbacks/<carrier>")
@blueprint.post("/callbacks/<carrier>/<token>")
def receive(carrier: str, token: str = "") -> Response:
    """Take in one push of a configured carrier; the token in the path is asked for when one is set."""
    started = time.perf_counter()
    rt, source = current().runtime, f"carrier.{carrier}"
    if source not in rt.carriers or not _is_invited(token, rt.settings.callback_token):
        abort(404)
    reply = _take_in(rt, source)
    current().acks.labels(source).observe(time.perf_counter() - started)
    return Response(reply.body, reply.status, dict(reply.headers))


def _is_invited(token: str, wanted: str) -> bool:
    """While no token is set any path will do: a platform may still use the one it was given before."""
    return not wanted or hmac.compare_digest(token.encode(), wanted.encode())


def _take_in(rt: Runtime, source: str) -> HttpReply:
    try:
        push = Push(
            body=request.get_data(cache=False),
            content_type=request.headers.get("Content-Type", ""),
            remote_addr=request.remote_addr or "",
        )
    except HTTPException as problem:  # larger than we read at all, or cut off on its way
        rt.counters.inbox.labels(source, "refused").inc()
        log.warning("callback from %s (%s) refused: %s", source, request.remote_addr, problem.name)
        return _decline(rt, source, problem.code or 400, f"not taken: {problem.name}")
    try:
        return receive_callback(rt, source, push)
    except SQLAlchemyError as problem:
        log.error("callback from %s not stored, the platform is told to repeat it: %s", source, _say(problem))
    except Exception:
        log.exception("callback from %s not stored, the platform is told to repeat it", source)
    return _decline(rt, source, 503, "not stored, please push again")


def _decline(rt: Runtime, source: str, status: int, reason: str) -> HttpReply:
    """The platform's own form of a no."""
    reply = rt.carriers[source].callback_reply(ok=False, reason=reason, now=utc_now())
    return HttpReply(status, reply.headers, reply.body)


def _say(problem: SQLAlchemyError) -> str:
    """What the database said, without the values of the statement: they are somebody's address."""
    if not isinstance(problem, DBAPIError):
        return type(problem).__name__
    first, _, _ = str(problem.orig).partition("\n")
    return f"{type(problem.orig).__name__}: {first}"
