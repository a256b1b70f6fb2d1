"""The error classes: the class of an error is an instruction.

PeerError
├── TransientError      nothing happened there; later may work     -> retry, same policy for all
├── UncertainError      it may have happened                       -> look up or repeat with the same key
│   └── UndecidedError  it was taken and is not decided yet        -> the same, later; the peer is well
├── PermanentError      a person must change something             -> the exception desk, at once
│   └── UnmappedError   a word nobody mapped                       -> the desk, with the line to add
├── AuthError           our key or signature is refused            -> pause the peer, one alert, orders wait
└── DuplicateError      it was done before                         -> adopt what exists
"""

from __future__ import annotations

from typing import Any


class PeerError(Exception):
    """An exchange with a peer that did not end well.

    `code` is stable and dotted (`kdniao.waybill.address_rejected`): the desk's group, the runbook page, the
    translation key and the metric label. `peer_code` and `peer_text` are the peer's own words. `peer_is_well` is set
    where only this kind of call is refused (a plan without it, a daily quota): the peer's door stays open for others.
    """

    outcome = "error"
    peer_is_well = False

    def __init__(self, code: str, message: str, *, peer_code: str = "", peer_text: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.peer_code = peer_code
        self.peer_text = peer_text

    def __reduce__(self) -> tuple[Any, ...]:
        """The same in another process: workers hand theirs on, and by its arguments alone none could be made again."""
        return _revive, (type(self), self.args, self.__dict__)

    def __str__(self) -> str:
        words = " ".join(word for word in (self.peer_code, self.peer_text) if word)
        return f"{self.message}{f' (the peer said: {words})' if words else ''} [{self.code}]"


def _revive(kind: type[PeerError], args: tuple[Any, ...], state: dict[str, Any]) -> PeerError:
    error = kind.__new__(kind, *args)
    error.__dict__.update(state)
    return error


class TransientError(PeerError):
    """Nothing happened at the peer; the same call may work later. `retry_after_s` is the peer's own wish."""

    outcome = "transient"

    def __init__(
        self, code: str, message: str, *, peer_code: str = "", peer_text: str = "", retry_after_s: float | None = None
    ) -> None:
        super().__init__(code, message, peer_code=peer_code, peer_text=peer_text)
        self.retry_after_s = retry_after_s


class UncertainError(PeerError):
    """The peer may have done it: timeout after sending, reset, 5xx, a body that is not the protocol's."""

    outcome = "uncertain"


class UndecidedError(UncertainError):
    """The peer took it and people there decide: the same key, sent again in `retry_after_s`, brings the answer.

    `carrier_order_no` is what a carrier calls the order that it took (`Waybill.carrier_order_no`).
    """

    peer_is_well = True

    def __init__(
        self,
        code: str,
        message: str,
        *,
        retry_after_s: float,
        peer_code: str = "",
        peer_text: str = "",
        carrier_order_no: str = "",
    ) -> None:
        super().__init__(code, message, peer_code=peer_code, peer_text=peer_text)
        self.retry_after_s = retry_after_s
        self.carrier_order_no = carrier_order_no


class PermanentError(PeerError):
    """The peer will say no again until a person changes the data or a setting."""

    outcome = "permanent"


class UnmappedError(PermanentError):
    """A word of the peer that no table maps; `hint` is the line to add and where."""

    outcome = "unmapped"

    def __init__(self, code: str, message: str, *, hint: str, peer_code: str = "", peer_text: str = "") -> None:
        super().__init__(code, f"{message}. {hint}", peer_code=peer_code, peer_text=peer_text)
        self.hint = hint


class AuthError(PeerError):
    """Our key, signature, plan or address is refused: every further call would be refused too.

    `account` is set, beside `peer_is_well`, where one account or courier company there is refused and others are not.
    """

    account = ""

    outcome = "auth"


class DuplicateError(PeerError):
    """The peer holds this already but did not return it, so it must be looked up or adopted by a person."""

    outcome = "duplicate"
