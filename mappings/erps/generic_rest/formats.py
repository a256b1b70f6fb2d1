"""JSON or XML: how a body is written, and how an answer becomes values that dotted paths reach."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol

from mappings.erps.generic_rest.xml_text import read_xml, write_xml
from mappings.errors import PeerError, TransientError, UncertainError
from mappings.wire import HttpReply

MISSING = object()
UNDECODED = "\ufffd"
"""What stands for bytes that were not UTF-8."""


def pick(value: object, path: str) -> Any:
    """What stands at a dotted path, or MISSING."""
    for name in path.split("."):
        if not isinstance(value, dict) or name not in value:
            return MISSING
        value = value[name]
    return value


def nest(members: Mapping[str, Any]) -> dict[str, Any]:
    """Members with dotted names as objects within objects, as `pick` finds them again; later ones count."""
    whole: dict[str, Any] = {}
    for name, value in members.items():
        *above, last = name.split(".")
        held = whole
        for part in above:
            if not isinstance(held.get(part), dict):
                held[part] = {}
            held = held[part]
        held[last] = value
    return whole


class Format(Protocol):
    """How one ERP's bodies are spelled."""

    @property
    def media_type(self) -> str: ...

    def write(self, root: str, members: Mapping[str, Any]) -> bytes:
        """A request: names to text, numbers (Decimal is exact), mappings and lists."""
        ...

    def read(self, body: bytes) -> Any:
        """An answer's values; raises ValueError when it is not this format."""
        ...

    def select(self, answer: Any, path: str) -> Any:
        """What a look-up or a list holds at a path (empty: all of it), or MISSING."""
        ...


@dataclass(frozen=True, slots=True)
class JsonFormat:
    """JSON in UTF-8; numbers with a point are read as Decimal."""

    media_type: str = "application/json"

    def write(self, root: str, members: Mapping[str, Any]) -> bytes:
        return _encode(members).encode()

    def read(self, body: bytes) -> Any:
        try:
            return json.loads(body.decode("utf-8-sig", errors="replace"), parse_float=Decimal)
        except RecursionError:
            raise ValueError("the JSON is too deep") from None

    def select(self, answer: Any, path: str) -> Any:
        return pick(answer, path) if path else answer


@dataclass(frozen=True, slots=True)
class XmlFormat:
    """XML; `item` is what the members of a list are called in a request."""

    item: str
    media_type: str = "application/xml"

    def write(self, root: str, members: Mapping[str, Any]) -> bytes:
        return write_xml(root, members, self.item)

    def read(self, body: bytes) -> Any:
        return read_xml(body)

    def select(self, answer: Any, path: str) -> Any:
        """Always a list: XML does not tell one member from a list of one. An empty container holds none."""
        held = pick(answer, path) if path else answer or None
        if held is MISSING:
            above = path.rpartition(".")[0]
            container = pick(answer, above) if above else answer
            return MISSING if container is MISSING or container else []
        if held is None:
            return []
        return held if isinstance(held, list) else [held]


def read_answer(form: Format, reply: HttpReply, code: str, *, changes_peer: bool) -> Any:
    """An answer's values. Raises Uncertain- or TransientError for one that is not in the agreed format."""
    try:
        return form.read(reply.body)
    except ValueError:
        raise garbled(form, reply, code, changes_peer=changes_peer) from None


def read_object(form: Format, reply: HttpReply, code: str, *, changes_peer: bool) -> dict[str, Any]:
    """The same where names must lead to values."""
    answer = read_answer(form, reply, code, changes_peer=changes_peer)
    if isinstance(answer, dict):
        return answer
    raise garbled(form, reply, code, changes_peer=changes_peer)


def garbled(form: Format, reply: HttpReply, code: str, *, changes_peer: bool, why: str = "") -> PeerError:
    """An answer that cannot be read: a page of a proxy, half a body, another format or another character set."""
    kind = form.media_type.rpartition("/")[2].upper()
    message = why or f"The reply is not the protocol's {kind}"
    number, text = str(reply.status), reply.text()[:200]
    if changes_peer:
        return UncertainError(
            f"{code}.garbled", f"{message}; the request may have been taken", peer_code=number, peer_text=text
        )
    return TransientError(f"{code}.garbled", message, peer_code=number, peer_text=text)


def _encode(value: Any) -> str:
    """JSON in which a Decimal stays exact; the standard encoder knows numbers only as float."""
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{json.dumps(k, ensure_ascii=False)}:{_encode(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_encode, value)) + "]"
    return f"{value:f}" if isinstance(value, Decimal) else json.dumps(value, ensure_ascii=False)
