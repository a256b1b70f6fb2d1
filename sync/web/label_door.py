"""Who may see labels: they hold names, phones and addresses, and the rest of the console does not.

The token of the settings opens, in a header for programs, or typed once by a person with a name for the audit table.
The cookie then holds that name and a time, signed with the token, never the token itself.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import time

from flask import Request, Response

COOKIE = "ecsync_labels"
LASTS_S = 12 * 3600
"""A shift; then the token is asked for again."""

NAME_LENGTH = 40
PROGRAM = "api"
"""The actor where a program sends the token in a header: it gives no name."""


def is_token(given: str, token: str) -> bool:
    """In constant time."""
    return hmac.compare_digest(given.encode(), token.encode())


def read_actor(request: Request, token: str) -> str:
    """Who asks; empty where nobody proved that they may."""
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer" and is_token(given.strip(), token):
        return PROGRAM
    return _read_cookie(request.cookies.get(COOKIE, ""), token)


def is_from_elsewhere(request: Request) -> bool:
    """Another site's page sent this form; browsers say so, and the cookie's SameSite=Strict is the first lock."""
    return request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none")


def open_door(response: Response, request: Request, actor: str, token: str) -> None:
    """Give the person the cookie that opens for a shift."""
    until = int(time.time()) + LASTS_S
    name = base64.urlsafe_b64encode(actor.encode()).decode()
    is_tls = request.is_secure or request.headers.get("X-Forwarded-Proto") == "https"
    response.set_cookie(
        COOKIE,
        f"{name}.{until}.{_sign(name, until, token)}",
        max_age=LASTS_S,
        path="/labels",
        httponly=True,
        samesite="Strict",
        secure=is_tls,
    )


def close_door(response: Response) -> None:
    """Take the cookie back."""
    response.delete_cookie(COOKIE, path="/labels", httponly=True, samesite="Strict")


def _read_cookie(text: str, token: str) -> str:
    name, _, rest = text.partition(".")
    until, _, signature = rest.partition(".")
    if (
        not until.isascii()
        or not until.isdigit()
        or not hmac.compare_digest(signature.encode(), _sign(name, int(until), token).encode())
    ):
        return ""
    if time.time() > int(until):
        return ""
    try:
        return base64.urlsafe_b64decode(name.encode()).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""


def _sign(name: str, until: int, token: str) -> str:
    return hmac.new(token.encode(), f"labels.{name}.{until}".encode(), hashlib.sha256).hexdigest()
