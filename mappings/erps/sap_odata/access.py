"""How SAP lets a call in: credentials on each, and a CSRF token with the cookies of its session on each change.

A session is kept from one exchange to the next, because SAP opens a new one for every caller without cookies and has
only so many. What it has forgotten it refuses before it does anything, so that call is repeated once with a new token.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from mappings.erps.sap_odata.odata import address
from mappings.erps.sap_odata.settings import SapSettings
from mappings.errors import AuthError
from mappings.wire import Exchange, HttpCall, HttpReply, check_status, read_json_object, spellings

TOKEN_AREA = "sap_odata.token"  # noqa: S105 - the front of an error's code
_FETCH = {"x-csrf-token": "fetch"}
_KEY_LENGTH = 16
"""Shorter cookies open nothing: sap-usercontext only repeats the client."""


@dataclass(frozen=True, slots=True)
class _Session:
    """What SAP knows us by between two calls; no token: none was asked for yet."""

    token: str = field(default="", repr=False)
    cookies: Mapping[str, str] = field(default_factory=dict, repr=False)

    def headers(self) -> dict[str, str]:
        crumbs = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        return {"Cookie": crumbs} if crumbs else {}

    def after(self, reply: HttpReply) -> _Session:
        """The session as a reply leaves it: other cookies are another session, whose token is not ours yet."""
        cookies = {**self.cookies, **reply.cookies}
        told = reply.headers.get("x-csrf-token", "")
        token = told if told.lower() not in ("", "required", "fetch") else ""
        return _Session(token or (self.token if cookies == self.cookies else ""), cookies)


class SapAccess:
    """The door of one SAP system. Threads share it: each takes the session whole and puts a whole one back."""

    def __init__(self, given: SapSettings) -> None:
        self._given = given
        self._session = _Session()
        self._bearer = ""
        self._basic = _basic(given.username, given.password)

    def read(self, operation: str, url: str, *, is_order: bool = True) -> Exchange[HttpReply]:
        """Ask for something; a read of the order service also brings the token that a change will want."""
        wants_token = is_order and not self._session.token
        headers = _FETCH if wants_token else {}
        call = HttpCall(operation, "GET", url, headers, changes_peer=False)
        return (yield from self._send(lambda: self._dressed(call)))

    def change(
        self, area: str, operation: str, method: str, url: str, body: Mapping[str, Any], etag: str = ""
    ) -> Exchange[HttpReply]:
        """Send a change, with a fresh token where SAP refuses the one we have. Raises AuthError when it refuses both.

        A refused token is refused before the change is looked at, so sending it again repeats nothing.
        """
        headers = {"Content-Type": "application/json"} | ({"If-Match": etag} if etag else {})
        call = HttpCall(operation, method, url, headers, json.dumps(body, ensure_ascii=False).encode())
        if not self._session.token:
            yield from self._fetch_token(area)
        reply = yield from self._send(lambda: self._dressed(call, with_token=True))
        if _wants_token(reply):
            self._session = _Session()
            yield from self._fetch_token(area)
            reply = yield from self._send(lambda: self._dressed(call, with_token=True))
        if _wants_token(reply):
            raise AuthError(
                f"{area}.csrf_refused",
                "SAP refuses the CSRF token that it gave a moment ago; nothing was done. A proxy does this that drops "
                "cookies, or spreads one session over several servers",
                peer_code=str(reply.status),
                peer_text=reply.text()[:200],
            )
        return reply

    def _fetch_token(self, area: str) -> Exchange[None]:
        url = address(self._given.order_service, "", self._given.options)
        call = HttpCall("fetch_token", "GET", url, _FETCH, changes_peer=False)
        reply = yield from self._send(lambda: self._dressed(call))
        check_status(reply, area, changes_peer=False)
        if not self._session.token:
            read_json_object(reply, area, changes_peer=False)  # a proxy's page says nothing of tokens
            raise AuthError(
                f"{area}.csrf_missing",
                f"SAP gives no CSRF token at {self._given.order_path}/: check the address, and that a proxy lets the "
                "header x-csrf-token pass",
                peer_code=str(reply.status),
            )

    def _send(self, dress: Callable[[], HttpCall]) -> Exchange[HttpReply]:
        """One call. Where the bearer token has run out (401, nothing was done), one new token and the call again."""
        if self._given.auth == "oauth" and not self._bearer:
            yield from self._fetch_bearer()
        reply = yield dress()
        if self._given.auth == "oauth" and reply.status == 401:
            yield from self._fetch_bearer()
            reply = yield dress()
        self._session = self._session.after(reply)
        return reply

    def _fetch_bearer(self) -> Exchange[None]:
        """OAuth 2 client credentials (RFC 6749, 4.4)."""
        basic = _basic(self._given.client_id, self._given.client_secret)
        headers = {"Authorization": f"Basic {basic}", "Accept": "application/json"}
        headers["Content-Type"] = "application/x-www-form-urlencoded"
        reply = yield HttpCall(
            "fetch_bearer",
            "POST",
            self._given.token_url,
            headers,
            b"grant_type=client_credentials",
            changes_peer=False,
            secrets=spellings((self._given.client_secret, basic)),
        )
        if reply.status in (400, 401, 403):
            message = "The address of the tokens refuses client_id and client_secret"
            raise AuthError(f"{TOKEN_AREA}.refused", message, peer_code=str(reply.status))
        check_status(reply, TOKEN_AREA, changes_peer=False)
        token = read_json_object(reply, TOKEN_AREA, changes_peer=False).get("access_token")
        if not isinstance(token, str) or not token.isascii() or not token:
            raise AuthError(f"{TOKEN_AREA}.missing", "The address of the tokens gives none: check token_url")
        self._bearer = token

    def _dressed(self, call: HttpCall, *, with_token: bool = False) -> HttpCall:
        """The call with what lets it in, as held at this moment."""
        session, bearer = self._session, self._bearer
        scheme = f"Bearer {bearer}" if self._given.auth == "oauth" else f"Basic {self._basic}"
        headers = {"Accept": "application/json", **call.headers, **session.headers(), "Authorization": scheme}
        if with_token:
            headers["x-csrf-token"] = session.token
        crumbs = (value for value in session.cookies.values() if len(value) >= _KEY_LENGTH)
        words = (self._given.password, self._basic, bearer, session.token, *crumbs)
        return replace(call, headers=headers, secrets=spellings(words))


def _wants_token(reply: HttpReply) -> bool:
    return reply.status == 403 and reply.headers.get("x-csrf-token", "").lower() == "required"


def _basic(user: str, password: str) -> str:
    return b64encode(f"{user}:{password}".encode()).decode()
