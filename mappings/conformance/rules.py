"""The rules that every connector obeys, whatever it connects to: one method a rule, a sentence for who breaks it.

A rule that does not fit a peer is skipped by what its Spec declares, never by hand.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from dataclasses import is_dataclass
from functools import partial
from typing import Any, ClassVar
from urllib.parse import quote, quote_plus, unquote_plus

from mappings.conformance.case import Answer, ConnectorCase, Talk, play
from mappings.conformance.watch import Watch
from mappings.errors import AuthError, PeerError, TransientError, UncertainError
from mappings.wire import HttpCall, HttpReply

CUT_OFF = b'{"Success": true, "Order": {"LogisticCo'
EMPTY = HttpReply(200, {}, b"")
UNCLEAR: dict[str, HttpReply | None] = {
    "no answer in time": None,
    "500": HttpReply(500, {}, b"Internal Server Error"),
    "502": HttpReply(502, {}, b"<html>Bad Gateway</html>"),
    "504": HttpReply(504, {}, b""),
    "a page of HTML with 200": HttpReply(200, {"content-type": "text/html"}, b"<html><body>Welcome</body></html>"),
    "half of a JSON": HttpReply(200, {"content-type": "application/json"}, CUT_OFF),
    "an empty body": EMPTY,
    "bytes that are no text": HttpReply(200, {}, b"\xff\xfe\x00\x81" * 8),
}
"""What may come after the request was sent, and says nothing about whether it was done; None: nothing came."""
SAID: dict[int, type[PeerError]] = {401: AuthError, 429: TransientError, 503: TransientError}
OTHER_STATUSES = (301, 400, 403, 404, 409, 422)

SECRET_WORDS = re.compile(r"(^|_)(key|secret|password|passwd|pwd|token|salt|checkword|credentials?)(_|$)")
CODE = re.compile(r"[a-z0-9_]+(\.[a-z0-9_]+)+")
LATIN = re.compile(r"[A-Za-z]")
CJK = re.compile(r"[\u4e00-\u9fff]")


def demand(is_so: object, otherwise: str) -> None:
    """Raise AssertionError with the sentence; unlike `assert` it also works in optimised Python."""
    if not is_so:
        raise AssertionError(otherwise)


class Conformance:
    """What carriers and ERPs have in common; a subclass for each kind says `kind`, and its subclass names the case."""

    kind: ClassVar[str]
    case: ClassVar[ConnectorCase]

    # --- what it declares

    def test_the_spec_is_complete_in_both_languages(self) -> None:
        spec = self.case.spec
        demand(re.fullmatch(r"[a-z][a-z0-9_]*", spec.name), f"Spec.name {spec.name!r} must be of a-z 0-9 _")
        demand(spec.kind == self.kind, f"Spec.kind is {spec.kind!r}, not {self.kind!r}")
        demand(spec.title_en.strip() and spec.title_zh.strip(), "Spec has no title in English, or none in Chinese")
        for setting in spec.settings:
            demand(
                re.fullmatch(r"[a-z][a-z0-9_]*", setting.name), f"a setting's name, {setting.name!r}, is not a-z 0-9 _"
            )
            demand(setting.label_zh.strip(), f"the setting {setting.name} has no Chinese label")
            others = len(CJK.findall(setting.label_en))  # the field's name on the peer's own page may stand beside it
            demand(len(LATIN.findall(setting.label_en)) > others, f"the setting {setting.name} has no English label")
        listed = [setting.name for setting in spec.settings]
        demand(len(set(listed)) == len(listed), f"a setting is declared twice: {listed}")
        demand(self.case.config.keys() <= set(listed), "the case sets what the Spec does not declare")

    def test_secret_settings_are_marked(self) -> None:
        names = {setting.name for setting in self.case.spec.settings}
        for setting in self.case.spec.settings:
            if SECRET_WORDS.search(setting.name) and not _is_a_name(setting.name, names):
                demand(setting.secret, f"the setting {setting.name} sounds secret and is not marked secret=True")
            demand(not (setting.secret and setting.default), f"the secret {setting.name} has a default in the code")

    # --- what is said of a call, and what follows when it fails

    def test_every_call_says_whether_it_changes_the_peer(self) -> None:
        """What a lost answer means follows from it."""
        for name, operation in self.case.operations().items():
            calls = self._play(name, self.case.peer()).calls
            changing = [call.operation for call in calls if call.changes_peer]
            if operation.must_change:
                demand(changing or not calls, f"{name} makes calls and none says that it changes the peer")
            if operation.is_read:
                demand(not changing, f"{name} only reads, and says that it changes the peer (changes_peer)")

    def test_nothing_is_repeated_within_an_exchange(self) -> None:
        """When to try again is decided where attempts are counted."""
        for name, place, call in self._sent():
            for what, failure in {**UNCLEAR, "503": HttpReply(503), "429": HttpReply(429)}.items():
                if call.changes_peer:
                    times = self._play_failing(name, place, failure).count(call.operation, place)
                    demand(times == 1, f"{name}: after {what} the connector sent the same call {times} times by itself")

    def test_what_is_unclear_after_sending_is_uncertain(self) -> None:
        for name, place, call in self._sent():
            for what, failure in self._unclear(name):
                if call.changes_peer:
                    talk = self._play_failing(name, place, failure)
                    demand(
                        isinstance(talk.error, UncertainError),
                        f"{name}: after {what} it may have been done, which is an UncertainError and not {talk.ending}",
                    )

    def test_a_failed_read_is_never_uncertain(self) -> None:
        """A read that failed changed nothing, so nobody need look."""
        for name, place in self._places_before_a_change():
            for what, failure in self._unclear(name):
                talk = self._play_failing(name, place, failure)
                demand(isinstance(talk.error, TransientError), f"{name} and {what}: Transient, not {talk.ending}")

    def test_a_peer_that_is_away_or_refuses_our_key_is_called_so(self) -> None:
        places = [(name, 0) for name, place, _ in self._sent() if place == 0]
        for name, place in {**dict.fromkeys(places), **dict.fromkeys(self._places_before_a_change())}:
            for status, meaning in SAID.items():
                talk = self._play_failing(name, place, HttpReply(status))
                demand(
                    isinstance(talk.error, meaning),
                    f"{name}: HTTP {status} is a {meaning.__name__} and not {talk.ending}",
                )

    # --- errors and secrets

    def test_every_error_has_a_code_that_begins_with_the_connectors_name(self) -> None:
        ours = (f"{self.case.spec.name}.", "address.")  # the house's own words about addresses are shared
        for what, error in self._errors():
            demand(CODE.fullmatch(error.code), f"{what}: the code {error.code!r} is not of words with dots between")
            demand(error.code.startswith(ours), f"{what}: the code {error.code!r} does not begin with {ours[0]}")

    def test_no_error_shows_a_secret_or_a_consignee(self) -> None:
        for what, error in self._errors():
            shown = [word for word in self.case.private() if word in str(error)]
            demand(not shown, f"{what}: the error {error.code} shows {len(shown)} private texts")

    def test_secrets_in_a_request_are_marked(self) -> None:
        """Addresses stand in the logs of every proxy; bodies are recorded here, with marked secrets taken out."""
        for call in self._calls():
            for secret in self.case.secrets():
                others = _spellings(secret) - {secret}
                exposed = {word for word in {secret, *others} if word in call.url}
                exposed |= {word for word in others if word in sent_text(call)}
                demand(
                    exposed <= set(call.secrets),
                    f"{call.operation}: a secret stands in the request and HttpCall.secrets does not name its spelling",
                )

    def test_no_part_of_it_shows_a_secret_when_it_is_printed(self) -> None:
        """A traceback with variables, a debugger and a log line print what they hold."""
        for part in _parts(self.case.connector()):
            shown = any(secret in repr(part) for secret in self.case.secrets())
            demand(not shown, f"repr of {type(part).__name__} shows a secret: field(repr=False)")

    # --- values in, values out

    def test_the_same_inputs_give_the_same_bytes(self) -> None:
        first, second = ([_wire(call) for call in self._calls()] for _ in range(2))
        demand(first == second, "the same request was written differently the second time; use HttpCall.stamped")

    def test_no_clock_is_read_and_nothing_is_reached_for(self) -> None:
        for _ in self._calls():  # tables are read when they are first needed, which is no offence
            pass
        watch = Watch()
        for name in self.case.operations():
            self._play(name, self.case.peer(), watch)
        demand(not watch.seen, f"a connector works on its arguments alone; this one called {sorted(watch.seen)}")

    # --- the means

    def _play(self, name: str, peer: Answer, watch: Watch | None = None) -> Talk:
        """One operation with a peer that is well, after what must stand there before."""
        operation, connector = self.case.operations()[name], self.case.connector()
        staged = operation.stage(connector, peer)
        return play(lambda: operation.ask(connector, staged), peer, watch=watch)

    def _play_failing(self, name: str, place: int, failure: HttpReply | None) -> Talk:
        """The call at this place and all that follow are answered so; those before it, as by a peer that is well."""
        operation, connector, peer = self.case.operations()[name], self.case.connector(), self.case.peer()
        staged, asked = operation.stage(connector, peer), 0

        def answer(call: HttpCall) -> HttpReply | PeerError:
            nonlocal asked
            asked += 1
            return peer(call) if asked <= place else failure or _nothing_came(call)

        return play(lambda: operation.ask(connector, staged), answer)

    def _unclear(self, name: str) -> Iterator[tuple[str, HttpReply | None]]:
        """What leaves this operation unclear."""
        return ((what, came) for what, came in UNCLEAR.items() if came is not EMPTY or name not in self.case.silent)

    def _sent(self) -> Iterator[tuple[str, int, HttpCall]]:
        """Every call of every operation that goes well: the operation, the call's place in it, the call."""
        for name in self.case.operations():
            for place, call in enumerate(self._play(name, self.case.peer()).calls):
                yield name, place, call

    def _places_before_a_change(self) -> list[tuple[str, int]]:
        """Calls that change nothing and come before all that do."""
        changed: set[str] = set()
        found = []
        for name, place, call in self._sent():
            changed |= {name} if call.changes_peer else set()
            if name not in changed:
                found.append((name, place))
        return found

    def _calls(self) -> Iterator[HttpCall]:
        return (call for _, _, call in self._sent())

    def _errors(self) -> Iterator[tuple[str, PeerError]]:
        """Every error that can be provoked, but those the gateway threw in, whose codes are not ours."""
        answers = {what: reply for what, reply in UNCLEAR.items() if reply}
        answers |= {f"HTTP {status}": HttpReply(status) for status in (*SAID, *OTHER_STATUSES)}
        for name, place, _ in self._sent():
            for what, answer in answers.items():
                if error := self._play_failing(name, place, answer).error:
                    yield f"{name}, {what}", error
        for what, ask in self.case.impossible().items():
            if error := play(partial(ask, self.case.connector()), self.case.peer()).error:
                yield what, error


def _is_a_name(setting: str, among: set[str]) -> bool:
    """`app_key` beside `app_secret` names the account; an address is none of the secrets that it hands out."""
    return setting.endswith("_url") or (setting.endswith("_key") and f"{setting.removesuffix('key')}secret" in among)


def _nothing_came(call: HttpCall) -> PeerError:
    """What the gateway makes of it."""
    error = UncertainError if call.changes_peer else TransientError
    return error("played.timeout", "The peer did not answer in time")


def sent_text(call: HttpCall) -> str:
    """A call as it is recorded: with the form's encoding undone."""
    kind = " ".join(value for name, value in call.headers.items() if name.lower() == "content-type")
    body = call.body.decode("utf-8", errors="replace")
    return "\n".join((call.url, *call.headers.values(), unquote_plus(body) if "form-urlencoded" in kind else body))


def _spellings(secret: str) -> set[str]:
    raw = secret.encode()
    return {secret, quote(secret), quote_plus(secret), base64.b64encode(raw).decode(), raw.hex()}


def _wire(call: HttpCall) -> tuple[Any, ...]:
    return call.operation, call.method, call.url, tuple(sorted(call.headers.items())), call.body


def _parts(value: Any, seen: set[int] | None = None) -> Iterator[Any]:
    """A connector and the values that it is built of; plain mappings of settings are looked into and not printed."""
    seen = set() if seen is None else seen
    if id(value) in seen or isinstance(value, str | bytes | int | float | type | None):
        return
    seen.add(id(value))
    if isinstance(value, Mapping):
        inner: list[Any] = list(value.values())
    elif isinstance(value, tuple | list | set | frozenset):
        inner = list(value)
    else:
        inner = list(getattr(value, "__dict__", {}).values())
        if is_dataclass(value):
            yield value
            inner += [getattr(value, name, None) for name in getattr(type(value), "__slots__", ())]
        elif type(value).__module__ == "builtins":
            return
    for part in inner:
        yield from _parts(part, seen)
