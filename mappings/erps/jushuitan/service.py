"""One call of Jushuitan's open platform: a signed form, an answer whose `code` decides, a token that may run out."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Any
from urllib.parse import urlencode

from mappings.erps.jushuitan.settings import JushuitanSettings
from mappings.erps.jushuitan.tokens import Pair
from mappings.errors import AuthError, PeerError, PermanentError
from mappings.fields import objects_in, text_of
from mappings.rulings import Rules, Ruling, garbled, is_utf8
from mappings.wire import Exchange, HttpCall, HttpReply, Stamp, check_status, read_json_object, spellings, to_json

FORM = {"Content-Type": "application/x-www-form-urlencoded;charset=UTF-8"}
REFRESH = "/openWeb/auth/refreshToken"
TOKEN_REFUSED = "100"  # noqa: S105 - an answer's code
TOKEN = "jushuitan.token"  # noqa: S105 - the front of an error's code
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


@dataclass(frozen=True, slots=True)
class Service:
    """The way to Jushuitan."""

    settings: JushuitanSettings

    def ask(
        self, operation: str, path: str, biz: Biz, area: str, *, changes_peer: bool = True
    ) -> Exchange[Mapping[str, Any]]:
        """The `data` of a good answer. A token that ran out is renewed once, and the call made once more.

        Raises any PeerError; UncertainError only where `changes_peer`.
        """
        asking = _Asking(self.settings, operation, path, biz, changes_peer)
        answer = read_answer((yield asking.call()), area, changes_peer=changes_peer)
        refusal: PeerError | None = None
        if answer.code == TOKEN_REFUSED and asking.pair.refresh:
            reply = yield asking.renewal()
            if asking.is_renewal:
                refusal = _refusal(read_answer(reply, TOKEN, changes_peer=False))
                reply = yield asking.call()  # even if refused: another worker's renewal may have come first
            answer = read_answer(reply, area, changes_peer=changes_peer)
        if answer.ruling.cls != "ok":
            refusal = refusal if answer.code == TOKEN_REFUSED else None
            raise refusal or RULES.error(answer.ruling, area, answer.code, answer.text, changes_peer=changes_peer)
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


@dataclass(slots=True)
class _Asking:
    """A call as it leaves with the token of that moment; in its place the renewal, unless another worker was first."""

    settings: JushuitanSettings
    operation: str
    path: str
    biz: Biz
    changes_peer: bool
    pair: Pair = field(init=False)
    is_renewal: bool = False

    def __post_init__(self) -> None:
        self.pair = Pair.of(self.settings, {})

    def call(self) -> HttpCall:
        """The question itself."""
        url, secrets = self.settings.base_url + self.path, self.settings.secrets
        return HttpCall(
            self.operation, "POST", url, FORM, changes_peer=self.changes_peer, secrets=secrets, stamped=self._asked
        )

    def renewal(self) -> HttpCall:
        """What comes after a token was refused."""
        self.is_renewal = True
        return replace(self.call(), stamped=self._renewing)

    def _asked(self, call: HttpCall, stamp: Stamp) -> HttpCall:
        self.pair = Pair.of(self.settings, stamp.kept)
        fields = {"access_token": self.pair.access, "version": "2", "biz": to_json(self.biz(stamp.at))}
        return self._sealed(call, fields, stamp)

    def _renewing(self, call: HttpCall, stamp: Stamp) -> HttpCall:
        self.is_renewal = Pair.of(self.settings, stamp.kept) == self.pair
        if not self.is_renewal:
            return self._asked(call, stamp)
        fields = {"grant_type": "refresh_token", "refresh_token": self.pair.refresh, "scope": "all"}
        url = self.settings.base_url + REFRESH
        renewal = replace(call, operation="refresh_token", url=url, changes_peer=False, keeps=self._renewed)
        return self._sealed(renewal, fields, stamp)

    def _sealed(self, call: HttpCall, fields: Mapping[str, str], stamp: Stamp) -> HttpCall:
        """The signed form: a time more than 15 minutes from Jushuitan's own is refused (140), so it is always fresh."""
        timestamp = str(int(stamp.at.timestamp()))
        whole = {"app_key": self.settings.app_key, "timestamp": timestamp, "charset": "utf-8", **fields}
        body = urlencode({**whole, "sign": sign(whole, self.settings.app_secret)}).encode("ascii")
        return replace(call, body=body, secrets=(*call.secrets, *spellings((self.pair.access, self.pair.refresh))))

    def _renewed(self, reply: HttpReply) -> dict[str, str]:
        try:
            answer = read_answer(reply, TOKEN, changes_peer=False)
        except PeerError:
            return {}
        return self.pair.renewed(answer.data) if answer.ruling.cls == "ok" else {}


def _refusal(answer: Answer) -> PeerError | None:
    """Why there is no new token; None where there is one. Raises TransientError where Jushuitan is busy."""
    if answer.ruling.cls in ("transient", "unclear"):
        raise RULES.error(answer.ruling, TOKEN, answer.code, answer.text, changes_peer=False)
    if answer.ruling.cls == "ok" and text_of(answer.data, "access_token"):
        return None
    return AuthError(
        f"{TOKEN}.refresh_refused",
        "The access token ran out, and Jushuitan does not renew it: authorise the app anew, set ACCESS_TOKEN "
        "and REFRESH_TOKEN, restart. Orders wait until then",
        peer_code=answer.code,
        peer_text=answer.text[:200],
    )


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
    return Answer(RULES.judge(code, text), code, text, body)
