"""How we are let in: a header that is always the same, or tokens by OAuth 2's client credentials (RFC 6749, 4.4)."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Protocol
from urllib.parse import quote_plus, urlencode

from mappings.connector import Config
from mappings.errors import AuthError, TransientError
from mappings.wire import Exchange, HttpCall, HttpReply, Stamp, check_status, spellings

CODE = "generic_rest.token"
LEAD_S = 30.0
"""A token is renewed so long before it runs out, or at half of its time: clocks differ, and calls take time."""
LONGEST_S = 10**8


class Access(Protocol):
    """Makes a call with what lets us in."""

    def send(self, call: HttpCall) -> Exchange[HttpReply]: ...


@dataclass(frozen=True, slots=True)
class FixedAccess:
    """An Authorization header that does not change. `secrets` are the texts in it that no record may show."""

    authorization: str = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)

    def send(self, call: HttpCall) -> Exchange[HttpReply]:
        return (yield _bearing(call, self.authorization, self.secrets))


@dataclass(frozen=True, slots=True)
class Token:
    """What the token's address gave; `good_until` is None where it did not say."""

    text: str = field(repr=False)
    good_until: datetime | None

    def is_good(self, now: datetime) -> bool:
        return self.good_until is None or now < self.good_until

    def on(self, call: HttpCall) -> HttpCall:
        return _bearing(call, f"Bearer {self.text}", (self.text,))


class TokenAccess:
    """Holds a token until its time is over or a call with it is answered 401; then one is asked for, once a call."""

    def __init__(self, question: HttpCall) -> None:
        self._question = question
        self._held: Token | None = None

    def send(self, call: HttpCall) -> Exchange[HttpReply]:
        """The answer to the call, made a second time only where it was refused with a token of before.

        Raises AuthError where no token is given, TransientError where the address of the tokens is away.
        """
        leaving = _Leaving(self._held, self._question)
        reply = yield replace(call, stamped=leaving.decide)
        if leaving.had_token:
            if reply.status != 401:
                return reply
            leaving = _Leaving(None, self._question)
            reply = yield replace(self._question, stamped=leaving.decide)
        token = _read_token(reply, leaving.left_at)
        self._held = token
        return (yield token.on(call))


class _Leaving:
    """Decides when a call leaves, because only then it is known what time it is: the call, or the question first."""

    left_at: datetime

    def __init__(self, token: Token | None, question: HttpCall) -> None:
        self._token = token
        self._question = question
        self.had_token = False

    def decide(self, call: HttpCall, stamp: Stamp) -> HttpCall:
        self.left_at = stamp.at
        if self._token is None or not self._token.is_good(stamp.at):
            return self._question
        self.had_token = True
        return self._token.on(call)


def build_access(values: Config) -> Access:
    """By the settings; raises ValueError where one of them is missing."""
    return _BUILDERS[values["auth"]](values)


def _bearer(values: Config) -> Access:
    if not values["token"]:
        raise ValueError("auth is bearer, so token must be set")
    return FixedAccess(f"Bearer {values['token']}", (values["token"],))


def _basic(values: Config) -> Access:
    if not (values["username"] and values["password"]):
        raise ValueError("auth is basic, so username and password must be set")
    encoded = _base64(values["username"], values["password"])
    return FixedAccess(f"Basic {encoded}", (values["password"], encoded))


def _oauth2(values: Config) -> Access:
    client, secret = values["client_id"], values["client_secret"]
    if not (values["token_url"] and client and secret):
        raise ValueError("auth is oauth2, so token_url, client_id and client_secret must be set")
    form = {"grant_type": "client_credentials"} | ({"scope": values["scope"]} if values["scope"] else {})
    encoded = _base64(quote_plus(client), quote_plus(secret))
    in_header = values["client_auth"] == "basic"
    question = HttpCall(
        operation="ask_token",
        method="POST",
        url=values["token_url"],
        headers={"Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded"},
        body=urlencode(form if in_header else {**form, "client_id": client, "client_secret": secret}).encode(),
        changes_peer=False,
        secrets=spellings((secret,)),
    )
    return TokenAccess(_bearing(question, f"Basic {encoded}", (encoded,)) if in_header else question)


_BUILDERS: dict[str, Callable[[Config], Access]] = {"bearer": _bearer, "basic": _basic, "oauth2": _oauth2}


def _bearing(call: HttpCall, authorization: str, secrets: tuple[str, ...]) -> HttpCall:
    headers = {**call.headers, "Authorization": authorization}
    return replace(call, headers=headers, secrets=(*call.secrets, *secrets), stamped=None)


def _base64(name: str, secret: str) -> str:
    return b64encode(f"{name}:{secret}".encode()).decode()


def _read_token(reply: HttpReply, asked_at: datetime) -> Token:
    """Errors never show a body that may hold a token."""
    number = str(reply.status)
    if 300 <= reply.status < 500 and reply.status not in (408, 425, 429):
        message = "The address of the tokens refuses us: check token_url, client_id, client_secret, client_auth, scope"
        raise AuthError(f"{CODE}.refused", message, peer_code=number, peer_text=reply.text()[:200])
    check_status(reply, CODE, changes_peer=False)
    try:
        answer = json.loads(reply.text())
    except (ValueError, RecursionError):
        raise TransientError(f"{CODE}.garbled", "What came for a token is not JSON", peer_code=number) from None
    text = answer.get("access_token") if isinstance(answer, dict) else None
    if not (isinstance(text, str) and text.isascii() and text.isprintable() and text and " " not in text):
        message = "The address of the tokens answered without access_token: check token_url"
        raise AuthError(f"{CODE}.refused", message, peer_code=number)
    return Token(text, _end_of(answer.get("expires_in"), asked_at))


def _end_of(expires_in: Any, asked_at: datetime) -> datetime | None:
    try:
        seconds = 0.0 if isinstance(expires_in, bool) else float(expires_in)
    except (TypeError, ValueError):
        seconds = 0.0
    if not 0 < seconds < LONGEST_S:
        return None
    return asked_at + timedelta(seconds=seconds - min(LEAD_S, seconds / 2))
