"""What the plug-in's refusals mean, and what it means when something else answered in its place."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from mappings.errors import AuthError, PeerError, PermanentError, TransientError, UncertainError
from mappings.shops.ecshop.writeback import moved, refuse
from mappings.wire import HttpReply, check_status, read_json_object

CODE = "ecshop.api"

_OURS_TO_CORRECT = {
    "signature": "the plug-in refuses the signature: set the same key in data/ecsync-config.php and in the setting key",
    "https_required": "the plug-in wants HTTPS: set url to the shop's https:// address, "
    "or name the proxy before the shop in trusted_proxies of data/ecsync-config.php",
    "address": "the plug-in does not let this machine in: add its address to allow in data/ecsync-config.php",
    "not_configured": "the plug-in is not set up: its message says what data/ecsync-config.php or the shop lacks",
}
_AWAY = {
    "database_away": ("ecshop.db.unreachable", "the shop's database does not answer the plug-in"),
    "locked": ("ecshop.db.locked", "another writer holds this order of the shop"),
}
_WRITES = {
    "order_gone": ("order_gone", "order {order} was removed or merged in the shop"),
    "order_withdrawn": ("order_withdrawn", "order {order} was cancelled, returned or unpaid, or is not confirmed"),
    "already_shipped": ("already_shipped", "order {order} was shipped in the shop with another number"),
    "note_gone": ("note_gone", "a delivery note of order {order} was deleted in the shop"),
    "note_taken": ("note_taken", "a delivery note of order {order} was shipped or numbered by somebody else"),
    "note_conflict": ("note_conflict", "a delivery note of order {order} holds other lines than the parcel"),
    "lines_changed": ("lines_changed", "the lines of order {order} are not those of the parcel any more"),
    "sent_mismatch": ("sent_mismatch", "send_number in order {order} does not agree with the delivery notes"),
    "package_unknown": ("package_unknown", "the contents of a package in order {order} are no longer in the shop"),
    "numbers_full": ("invoice_full", "the invoice_no of order {order} has no room for another waybill number"),
}
"""The same refusals as of a write by SQL, under the same codes."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a reply answers: a read or a change, made when by our clock, about which order."""

    changes_peer: bool
    at: int
    order: str = ""


def read_answer(reply: HttpReply, asked: Asked) -> dict[str, Any]:
    """The plug-in's document; anything else raises what it means for the order and for the shop."""
    refusal = _refusal_in(reply)
    if refusal is not None:
        raise _refused(refusal, reply, asked)
    if 300 <= reply.status < 400 or reply.status in (401, 403, 404):
        raise AuthError(f"{CODE}.not_reached", _elsewhere(reply), peer_code=str(reply.status))
    check_status(reply, CODE, changes_peer=asked.changes_peer)
    return read_json_object(reply, CODE, changes_peer=asked.changes_peer)


def refusal_word(reply: HttpReply) -> str:
    """The plug-in's own word for why it refuses; empty when it does not."""
    refusal = _refusal_in(reply)
    return str(refusal["error"]["code"]) if refusal else ""


def garbled(asked: Asked, what: str) -> PeerError:
    """The error of an answer that is JSON but not what was asked for."""
    message = f"The plug-in's answer is not as it should be ({what})"
    if asked.changes_peer:
        return UncertainError(f"{CODE}.garbled", f"{message}; the shop may have taken the request")
    return TransientError(f"{CODE}.garbled", message)


def _refusal_in(reply: HttpReply) -> dict[str, Any] | None:
    if reply.status < 400:
        return None
    try:
        document = json.loads(reply.text())
    except (ValueError, RecursionError):
        return None
    error = document.get("error") if isinstance(document, dict) else None
    is_ours = isinstance(error, dict) and isinstance(error.get("code"), str)
    return document if is_ours else None


def _refused(document: dict[str, Any], reply: HttpReply, asked: Asked) -> PeerError:
    word, said = document["error"]["code"], str(document["error"].get("message", ""))[:200]
    if word in _WRITES:
        slug, sentence = _WRITES[word]
        return refuse(slug, sentence.format(order=asked.order))
    if word == "moved":
        return moved(asked.order)
    if word in _AWAY:
        code, sentence = _AWAY[word]
        return TransientError(code, sentence.capitalize(), peer_code=word, peer_text=said)
    if word == "clock":
        return AuthError(f"{CODE}.clock", _clock(document.get("now"), asked.at), peer_code=word)
    if word in _OURS_TO_CORRECT:
        return AuthError(f"{CODE}.{word}", _OURS_TO_CORRECT[word].capitalize(), peer_code=word, peer_text=said)
    if word == "replayed" or (reply.status >= 500 and word != "database_refused"):
        return _unclear(word, said, asked)
    if word == "database_refused":
        return PermanentError("ecshop.db.refused", "The shop's database refuses a statement of the plug-in",
                              peer_code=word, peer_text=said)  # fmt: skip
    message = "The plug-in refuses the request; upload the ecsync.php of this release to the shop"
    return PermanentError(f"{CODE}.refused", message, peer_code=word, peer_text=said)


def _unclear(word: str, said: str, asked: Asked) -> PeerError:
    """A proxy that sends a request twice gets `replayed` for the second: the first may have been served."""
    if asked.changes_peer:
        message = "The plug-in failed; the shop may have taken the request"
        return UncertainError(f"{CODE}.server_error", message, peer_code=word, peer_text=said)
    return TransientError(f"{CODE}.server_error", "The plug-in failed", peer_code=word, peer_text=said)


def _clock(shop_now: object, asked_at: int) -> str:
    if not isinstance(shop_now, int):
        return "The clocks of the shop and of this machine differ by more than five minutes; set both by NTP"
    differ_s = shop_now - asked_at
    where = "ahead of" if differ_s > 0 else "behind"
    return f"The shop's clock is {abs(differ_s)} s {where} this machine's, 300 s are allowed; set both by NTP"


def _elsewhere(reply: HttpReply) -> str:
    if 300 <= reply.status < 400:
        return "The address of the plug-in redirects elsewhere; set url to where it leads"
    if reply.status == 404:
        return "No plug-in answers at this address; upload ecsync.php to the shop, or correct url"
    return "Something before the plug-in refuses us (a firewall or a password); let this machine through to ecsync.php"
