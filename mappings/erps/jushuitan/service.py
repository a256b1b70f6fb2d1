"""One call of Jushuitan's open platform: a signed form, an answer whose `code` decides, a token that may run out."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any
from urllib.parse import urlencode

from mappings.erps.jushuitan.settings import JushuitanSettings
from mappings.errors import AuthError, PermanentError
from mappings.fields import objects_in, text_of
from mappings.rulings import Rules, Ruling, garbled, is_utf8
from mappings.wire import Exchange, HttpCall, HttpReply, Stamp, check_status, read_json_object, spellings, to_json

FORM = {"Content-Type": "application/x-www-form-urlencoded;charset=UTF-8"}
REFRESH = "/openWeb/auth/refreshToken"
TOKEN_REFUSED = "100"  # noqa: S105 - an answer's code
MOST_PAGES = 2000

RULES = Rules.of("Jushuitan", __package__)

Biz = Callable[[datetime], Any]
"""What is asked, by the moment of sending; most questions are the same at any."""


def sign(fields: Mapping[str, str], app_secret: str) -> str:
    """md5, in lower hex, of the secret and of every name with its value, in the order of the names."""
    text = app_secret + "".join(f"{name}{fields[name]}" for name in sorted(fields))
    return hashlib.md5(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Answer:
    """What Jushuitan said: its ruling, its own code and words, and the whole of it."""

    ruling: Ruling
    code: str
    text: str
    body: Mapping[str, Any]

    @property
    def data(self) -> Mapping[str, Any]:
        found = self.body.get("data")
        return found if isinstance(found, Mapping) else {}


class Service:
    """The way to Jushuitan. It remembers a renewed token, in memory: a restart begins with that of the settings."""

    def __init__(self, settings: JushuitanSettings) -> None:
        self.settings = settings
        self._access_token, self._refresh_token = settings.access_token, settings.refresh_token

    def ask(
        self, operation: str, path: str, biz: Biz, area: str, *, changes_peer: bool = True
    ) -> Exchange[Mapping[str, Any]]:
        """The `data` of a good answer. A token that ran out is renewed once, and the call made once more.

        Raises any PeerError; UncertainError only where `changes_peer`.
        """
        used = self._access_token
        answer = yield from self._ask_once(operation, path, biz, area, changes_peer)
        if answer.code == TOKEN_REFUSED and self._refresh_token:
            if used == self._access_token:  # else another thread has renewed it meanwhile
                yield from self._renew()
            answer = yield from self._ask_once(operation, path, biz, area, changes_peer)
        if answer.ruling.cls != "ok":
            raise RULES.error(answer.ruling, area, answer.code, answer.text, changes_peer=changes_peer)
        return answer.data

    def rows(
        self, operation: str, path: str, wanted: Biz, area: str, list_name: str, at_once: int
    ) -> Exchange[list[Mapping[str, Any]]]:
        """All pages of a question. Raises PermanentError `<area>.list_missing` for an answer without its list."""
        rows: list[Mapping[str, Any]] = []
        for page in range(1, MOST_PAGES + 1):
            biz = partial(_page_of, wanted, page, at_once)
            data = yield from self.ask(operation, path, biz, area, changes_peer=False)
            found = data.get(list_name, data.get("datas"))
            if found is None and list_name in data:
                return rows
            if not isinstance(found, list):
                raise PermanentError(
                    f"{area}.list_missing",
                    f"Jushuitan's answer to {path} holds no list: check the path, and whether our app may use it",
                )
            rows += objects_in(found)
            if not _has_more(data, len(found), at_once):
                return rows
        raise garbled(area, f"Jushuitan gives more than {MOST_PAGES} pages", changes_peer=False)

    def _ask_once(self, operation: str, path: str, biz: Biz, area: str, changes_peer: bool) -> Exchange[Answer]:
        token = self._access_token

        def sealed(call: HttpCall, stamp: Stamp) -> HttpCall:
            fields = {"access_token": token, "version": "2", "biz": to_json(biz(stamp.at))}
            return replace(call, body=self._form(fields, stamp))

        reply = yield self._call(operation, path, sealed, changes_peer=changes_peer)
        return read_answer(reply, area, changes_peer=changes_peer)

    def _renew(self) -> Exchange[None]:
        """Ask for a new token. Raises AuthError where Jushuitan gives none."""

        def sealed(call: HttpCall, stamp: Stamp) -> HttpCall:
            fields = {"grant_type": "refresh_token", "refresh_token": self._refresh_token, "scope": "all"}
            return replace(call, body=self._form(fields, stamp))

        reply = yield self._call("refresh_token", REFRESH, sealed, changes_peer=False)
        answer = read_answer(reply, "jushuitan.token", changes_peer=False)
        token = text_of(answer.data, "access_token")
        if answer.ruling.cls == "transient":
            raise RULES.error(answer.ruling, "jushuitan.token", answer.code, answer.text, changes_peer=False)
        if answer.ruling.cls != "ok" or not token:
            raise AuthError(
                "jushuitan.token.refresh_refused",
                "The access token ran out, and Jushuitan does not renew it: authorise the app anew, set ACCESS_TOKEN "
                "and REFRESH_TOKEN, restart. Orders wait until then",
                peer_code=answer.code,
                peer_text=answer.text[:200],
            )
        self._access_token = token
        self._refresh_token = text_of(answer.data, "refresh_token") or self._refresh_token

    def _call(
        self, operation: str, path: str, sealed: Callable[[HttpCall, Stamp], HttpCall], *, changes_peer: bool
    ) -> HttpCall:
        return HttpCall(
            operation,
            "POST",
            self.settings.base_url + path,
            FORM,
            changes_peer=changes_peer,
            secrets=(*self.settings.secrets, *spellings((self._access_token, self._refresh_token))),
            stamped=sealed,
        )

    def _form(self, fields: Mapping[str, str], stamp: Stamp) -> bytes:
        """The signed form: a time more than 15 minutes from Jushuitan's own is refused (140), so it is always fresh."""
        timestamp = str(int(stamp.at.timestamp()))
        whole = {"app_key": self.settings.app_key, "timestamp": timestamp, "charset": "utf-8", **fields}
        return urlencode({**whole, "sign": sign(whole, self.settings.app_secret)}).encode("ascii")


def _page_of(wanted: Biz, page: int, at_once: int, now: datetime) -> dict[str, Any]:
    return {"page_index": page, "page_size": at_once, **wanted(now)}


def _has_more(data: Mapping[str, Any], count: int, at_once: int) -> bool:
    said = data.get("has_next")
    return count > 0 and (said if isinstance(said, bool) else count == at_once)


def read_answer(reply: HttpReply, area: str, *, changes_peer: bool = True) -> Answer:
    """What Jushuitan said, good or bad. Raises any PeerError for what is no answer of Jushuitan's."""
    check_status(reply, area, changes_peer=changes_peer)
    body = read_json_object(reply, area, changes_peer=changes_peer)
    code = text_of(body, "code")
    if not code or not is_utf8(reply.body):
        raise garbled(area, "Jushuitan's answer cannot be read", code, changes_peer=changes_peer)
    text = text_of(body, "msg")
    return Answer(RULES.judge(code), code, text, body)
