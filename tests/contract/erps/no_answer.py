"""What may come instead of an ERP's answer, with its class: where something was to change, and where it was asked."""

from __future__ import annotations

from mappings.errors import AuthError, PeerError, PermanentError, TransientError, UncertainError
from mappings.wire import HttpReply
from tests.contract.erps.hands import PROXY_200, PROXY_502

Wanted = tuple[HttpReply, type[PeerError], type[PeerError]]

UNREADABLE: list[HttpReply] = [
    PROXY_200,
    PROXY_502,
    HttpReply(200, {}, b'{"code": 0, "status": 0, "rsp": "succ", "data": {"so_id": "202'),
    HttpReply(200, {}, b""),
    HttpReply(200, {}, b"[]"),
    HttpReply(200, {}, b"null"),
    HttpReply(200, {}, b"{}"),
    HttpReply(200, {}, '{"msg": "成功"}'.encode("gbk")),
    HttpReply(200, {}, b"\x00\xff\xfe"),
    HttpReply(500),
    HttpReply(504),
]
STATUSES: list[tuple[HttpReply, type[PeerError]]] = [
    (HttpReply(503), TransientError),
    (HttpReply(429, {"retry-after": "7"}), TransientError),
    (HttpReply(401), AuthError),
    (HttpReply(403), AuthError),
    (HttpReply(404), PermanentError),
    (HttpReply(302), PermanentError),
]
NO_ANSWER: list[Wanted] = [
    *((reply, UncertainError, TransientError) for reply in UNREADABLE),
    *((reply, kind, kind) for reply, kind in STATUSES),
]
