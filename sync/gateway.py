"""The only way out: drives a connector's exchange and adds timeout, pool, rate limit, breaker, redaction and record."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http.cookiejar import DefaultCookiePolicy
from types import TracebackType
from typing import Any, NamedTuple, TypeVar
from uuid import uuid4

import requests
from requests.adapters import HTTPAdapter

from mappings.errors import AuthError, PeerError, TransientError, UncertainError
from mappings.wire import Exchange, HttpCall, HttpReply, Stamp
from sync.clock import utc_now
from sync.keeper import Keeper
from sync.metrics import Counters
from sync.peers import PeerDoor
from sync.redaction import readable, redact
from sync.settings import PeerSettings
from sync.turns import Turns

T = TypeVar("T")

MAX_REPLY_BYTES = 8_000_000
"""Replies larger than this are garbage; a batch of label templates stays well below."""

MAX_TURN_WAIT_S = 5.0
"""How long a call waits for its turn under the peer's rate limit before the step is put off."""


class PeerAway(Exception):
    """The call was not made: the breaker is open, the credentials are refused, or the rate limit is used up.

    Nothing happened and nothing is counted; try again at `until`.
    """

    def __init__(self, peer: str, reason: str, until: datetime) -> None:
        super().__init__(f"{peer}: {reason}; next try at {until:%H:%M:%S} UTC")
        self.peer = peer
        self.reason = reason
        self.until = until

    def __reduce__(self) -> tuple[Any, ...]:
        return PeerAway, (self.peer, self.reason, self.until)


class Attempt(NamedTuple):
    """One call as it will be recorded; texts are redacted already."""

    peer: str
    operation: str
    started_at: datetime
    duration_ms: int
    outcome: str
    code: str
    http_status: int
    request: str
    reply: str


@dataclass(slots=True)
class CallContext:
    """For whom a call is made: what must be masked, which try it is, and where its attempts are collected.

    `peer_date` is the newest `Date` header that came back: the peer's clock. `turn_wait_s` is how long a call waits for
    its turn under the peer's rate limits before all that was done so far is given up.
    """

    private: tuple[str, ...] = ()
    try_no: int = 1
    peer_date: str = ""
    attempts: list[Attempt] = field(default_factory=list)
    turn_wait_s: float = MAX_TURN_WAIT_S


class Gateway:
    """Sends what connectors want sent. One per process; sessions are per thread."""

    def __init__(
        self,
        peers: Iterable[PeerSettings],
        door: PeerDoor,
        counters: Counters,
        limits_url: str = "memory://",
        keeper: Keeper | None = None,
    ) -> None:
        self._peers = {peer.key: peer for peer in peers}
        self._door = door
        self._counters = counters
        self._turns = Turns(limits_url)
        self._keeper = keeper
        self._local = threading.local()

    def run(self, peer_key: str, exchange: Exchange[T], context: CallContext) -> T:
        """Drive an exchange to its result; raises the connector's PeerError, or PeerAway when nothing was sent."""
        peer = self._peers[peer_key]
        pending: _Sent | None = None
        while True:
            try:
                call = pending.answer(exchange) if pending else next(exchange)
            except StopIteration as end:
                self._close(peer, pending, context, pending.error if pending else None)
                result: T = end.value
                return result
            except PeerError as error:
                self._close(peer, pending, context, error)
                raise
            self._close(peer, pending, context, (pending.error if pending else None) or call.after)
            pending = self._send(peer, call, context.turn_wait_s)
            context.peer_date = pending.reply.headers.get("date", "") if pending.reply else ""

    def observe(self, peer_key: str, operation: str, work: Callable[[], T], context: CallContext) -> T:
        """Do something at a peer in as many calls as it takes (a shop), with one door, one record and one metric.

        Calls over HTTP go out by `drive`. What is not a PeerError passes unrecorded: nothing is known of the peer.
        """
        self._pass_door(peer_key)
        started, clock = utc_now(), time.monotonic()
        try:
            result = work()
        except PeerError as error:
            _redact_error(error, context.private, self._peers[peer_key].secrets)
            self._record_work(peer_key, operation, context, started, time.monotonic() - clock, error)
            raise
        self._record_work(peer_key, operation, context, started, time.monotonic() - clock, None)
        return result

    def _record_work(
        self,
        peer_key: str,
        operation: str,
        context: CallContext,
        started: datetime,
        seconds: float,
        error: PeerError | None,
    ) -> None:
        outcome, code, said = (error.outcome, error.code, str(error)) if error else ("ok", "", "")
        self._counters.count_call(peer_key, operation, outcome, is_retry=context.try_no > 1, seconds=seconds)
        duration_ms = round(seconds * 1000)
        context.attempts.append(Attempt(peer_key, operation, started, duration_ms, outcome, code, 0, "", said))
        self._tell_door(peer_key, error)

    def line(self, peer_key: str) -> PeerLine:
        """The way out for a shop that is reached by HTTP."""
        return PeerLine(self, peer_key)

    def drive(self, peer_key: str, exchange: Exchange[T]) -> T:
        """Drive an exchange to its result, without door, metric or attempt row: whoever uses it is in `observe`.

        Timeouts, size limit, rate limit and redaction of secrets hold as in `run`; raises the connector's PeerError,
        or PeerAway when the rate limit leaves no turn.
        """
        peer = self._peers[peer_key]
        secrets = peer.secrets
        try:
            call = next(exchange)
            while True:
                secrets = (*peer.secrets, *call.secrets)
                self._take_turn(peer, MAX_TURN_WAIT_S)
                try:
                    reply = self._reply_to(peer, call.sealed(_new_stamp()))
                except PeerError as error:
                    call = exchange.throw(error)
                else:
                    call = exchange.send(reply)
        except StopIteration as end:
            result: T = end.value
            return result
        except PeerError as error:
            _redact_error(error, (), secrets)
            raise
        finally:
            exchange.close()

    def _reply_to(self, peer: PeerSettings, call: HttpCall) -> HttpReply:
        """A failure on the way is the error that it means."""
        if lost := peer.tls.missing:
            raise AuthError(f"{peer.name}.{call.operation}.tls", f"The certificate {lost} is gone; nothing was sent")
        deadline = time.monotonic() + peer.spec.connect_timeout_s + peer.read_timeout_s
        try:
            return self._exchange(peer, call, deadline)
        except requests.RequestException as failure:
            raise _transport_error(peer, call, failure) from None

    def _pass_door(self, peer_key: str) -> None:
        closed = self._door.ask(peer_key)
        if closed:
            raise PeerAway(peer_key, closed.reason, closed.until)

    def _tell_door(self, peer_key: str, error: PeerError | None) -> None:
        if error is not None and error.peer_is_well:
            self._door.succeeded(peer_key)
        elif isinstance(error, TransientError | UncertainError):
            wish_s = error.retry_after_s if isinstance(error, TransientError) else None
            self._door.failed(peer_key, str(error), wish_s or 0)
        elif isinstance(error, AuthError):
            self._door.refused(peer_key, str(error))
        else:
            self._door.succeeded(peer_key)

    def _send(self, peer: PeerSettings, call: HttpCall, turn_wait_s: float) -> _Sent:
        self._pass_door(peer.key)
        self._take_turn(peer, turn_wait_s)
        keeper = self._keeper if peer.spec.keeps_secrets else None
        call = call.sealed(_new_stamp(keeper.read(peer.key) if keeper else {}))
        started, clock = utc_now(), time.monotonic()
        came: HttpReply | PeerError
        try:
            came = self._reply_to(peer, call)
            if keeper and call.keeps and (news := call.keeps(came)):
                keeper.write(peer.key, news)
        except PeerError as failure:
            came = failure
        return _Sent(call, came, started, time.monotonic() - clock)

    def _take_turn(self, peer: PeerSettings, within_s: float) -> None:
        """Wait a moment for the rate limit: a worker of this peer's queue has nothing better to do."""
        deadline = time.monotonic() + within_s
        while wait_s := self._turns.take(peer):
            if time.monotonic() + wait_s > deadline:
                raise PeerAway(peer.key, "rate limit reached", utc_now() + timedelta(seconds=wait_s))
            time.sleep(wait_s)

    def _exchange(self, peer: PeerSettings, call: HttpCall, deadline: float) -> HttpReply:
        response = self._session().request(
            call.method,
            call.url,
            data=call.body or None,
            headers=dict(call.headers),
            timeout=(peer.spec.connect_timeout_s, peer.read_timeout_s),
            verify=peer.tls.trusted,
            cert=peer.tls.own,
            allow_redirects=False,
            stream=True,
        )
        with response:
            body = bytearray()
            for chunk in response.iter_content(65536):
                body += chunk
                if len(body) > MAX_REPLY_BYTES:
                    raise requests.exceptions.ContentDecodingError("the reply is larger than any real one")
                if time.monotonic() > deadline:
                    raise requests.ReadTimeout("the reply came too slowly")
        headers = {name.lower(): value for name, value in response.headers.items()}
        return HttpReply(response.status_code, headers, bytes(body), response.cookies.get_dict())

    def _close(self, peer: PeerSettings, sent: _Sent | None, context: CallContext, error: PeerError | None) -> None:
        """Record the call that just ended and tell the door how it went; the error's texts are redacted in place."""
        secrets = (*peer.secrets, *(sent.call.secrets if sent else ()))
        if error is not None:
            _redact_error(error, context.private, secrets)
        if sent is None:
            return
        outcome = error.outcome if error else "ok"
        status = sent.reply.status if sent.reply else 0
        self._counters.count_call(
            peer.key, sent.call.operation, outcome, is_retry=context.try_no > 1, seconds=sent.seconds
        )
        context.attempts.append(
            Attempt(
                peer=peer.key,
                operation=sent.call.operation,
                started_at=sent.started_at,
                duration_ms=round(sent.seconds * 1000),
                outcome=outcome,
                code=error.code if error else "",
                http_status=status,
                request=redact(_request_text(sent.call), private=context.private, secrets=secrets),
                reply=redact(_reply_text(sent), private=context.private, secrets=secrets),
            )
        )
        self._tell_door(peer.key, error)

    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = requests.Session()
            session.trust_env = False  # no .netrc may replace a peer's credentials
            session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))  # no call depends on an earlier one
            adapter = HTTPAdapter(pool_connections=16, pool_maxsize=16, max_retries=0)
            session.mount("https://", adapter)
            session.mount("http://", adapter)
            self._local.session = session
        return session

    def close(self) -> None:
        """Close this thread's connections."""
        session = getattr(self._local, "session", None)
        if session is not None:
            session.close()
            self._local.session = None

    def __enter__(self) -> Gateway:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()


@dataclass(frozen=True, slots=True)
class PeerLine:
    """The way out to one peer; a `sync.shops.port.Line`."""

    gateway: Gateway
    peer_key: str

    def run(self, exchange: Exchange[T]) -> T:
        return self.gateway.drive(self.peer_key, exchange)


@dataclass(frozen=True, slots=True)
class _Sent:
    call: HttpCall
    came: HttpReply | PeerError
    started_at: datetime
    seconds: float

    @property
    def reply(self) -> HttpReply | None:
        return None if isinstance(self.came, PeerError) else self.came

    @property
    def error(self) -> PeerError | None:
        return self.came if isinstance(self.came, PeerError) else None

    def answer(self, exchange: Exchange[T]) -> HttpCall:
        """Give the exchange what came back; returns the next call that it wants."""
        return exchange.throw(self.came) if isinstance(self.came, PeerError) else exchange.send(self.came)


def _new_stamp(kept: Mapping[str, str] | None = None) -> Stamp:
    return Stamp(utc_now(), str(uuid4()), kept or {})


def _redact_error(error: PeerError, private: Iterable[str], secrets: Iterable[str]) -> None:
    """In place: the same error is recorded, logged and shown."""
    error.peer_text = redact(error.peer_text, private=private, secrets=secrets)
    error.message = redact(error.message, private=private, secrets=secrets)


def _transport_error(peer: PeerSettings, call: HttpCall, failure: requests.RequestException) -> PeerError:
    """What a failure below HTTP means: not connected is transient, anything after may have happened."""
    where = f"{peer.name}.{call.operation}"
    if isinstance(failure, requests.exceptions.SSLError):
        sentence = "failed; check the address, its certificate, and ours where it demands one"
        return AuthError(f"{where}.tls", f"The TLS connection to {peer.key} {sentence}")
    if isinstance(failure, requests.ConnectTimeout) or _never_connected(failure):
        return TransientError(f"{where}.unreachable", f"{peer.key} could not be reached; nothing was sent")
    if isinstance(failure, requests.exceptions.InvalidURL | requests.exceptions.InvalidSchema):
        return AuthError(f"{where}.address", f"The address of {peer.key} is not usable; check its settings")
    what = "timeout" if isinstance(failure, requests.Timeout) else "connection_lost"
    if call.changes_peer:
        return UncertainError(f"{where}.{what}", f"No complete answer from {peer.key}; it may have taken the request")
    return TransientError(f"{where}.{what}", f"No complete answer from {peer.key}; nothing was asked to change there")


def _never_connected(failure: BaseException) -> bool:
    from urllib3.exceptions import NewConnectionError

    reason = getattr(failure.args[0], "reason", None) if failure.args else None
    return isinstance(reason, NewConnectionError)


def _request_text(call: HttpCall) -> str:
    # Names of headers know no case; a form that is not decoded hides names and phones from the mask.
    kind = next((value for name, value in call.headers.items() if name.lower() == "content-type"), "")
    return f"{call.method} {call.url}\n{readable(call.body, kind)}"


def _reply_text(sent: _Sent) -> str:
    if sent.reply is None:
        return f"(no reply: {sent.error})"
    return f"{sent.reply.status}\n{readable(sent.reply.body, '')}"
