"""The sandbox ERP's address of tokens: OAuth 2 client credentials, in a basic header or in the form."""

from __future__ import annotations

import base64
import binascii
import threading
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import parse_qs, unquote_plus

from sync.clock import utc_now
from sync.sandbox.http import Request, Response
from sync.sandbox.peer import json_response

PATH = "/oauth/token"


@dataclass(slots=True)
class TokenOffice:
    """Gives tokens that are good for a time; without a client it gives none."""

    client_id: str = ""
    client_secret: str = ""
    lifetime_s: float = 3600
    _good: dict[str, datetime] = field(default_factory=dict, repr=False)
    _given: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def answer(self, request: Request) -> Response:
        """RFC 6749: 200 with a token, 401 for another client, 400 for anything else than its grant."""
        form = {name: values[0] for name, values in parse_qs(request.body.decode("utf-8", "replace")).items()}
        if request.method != "POST" or form.get("grant_type") != "client_credentials":
            return json_response({"error": "unsupported_grant_type"}, 400, note="refused 400")
        if not self.client_id or _client(request, form) != (self.client_id, self.client_secret):
            return json_response({"error": "invalid_client"}, 401, note="refused 401")
        with self._lock:
            self._given += 1
            token = f"sandbox-access-{self._given}"
            self._good[token] = utc_now() + timedelta(seconds=self.lifetime_s)
        answer = {"access_token": token, "token_type": "Bearer", "expires_in": self.lifetime_s}
        return json_response(answer, note=f"token {self._given}")

    def accepts(self, token: str) -> bool:
        with self._lock:
            return token in self._good and utc_now() < self._good[token]

    def revoke_all(self) -> None:
        """No token of before is good any more."""
        with self._lock:
            self._good.clear()


def _client(request: Request, form: dict[str, str]) -> tuple[str, str]:
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return form.get("client_id", ""), form.get("client_secret", "")
    try:
        name, _, secret = base64.b64decode(credentials, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return unquote_plus(name), unquote_plus(secret)
