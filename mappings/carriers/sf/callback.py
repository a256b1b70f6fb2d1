"""Route pushes: JSON, or the XML of old contracts in the form field `content`. Neither is signed.

Both forms are read whatever the settings say, in UTF-8 or GBK; only the answer follows the settings.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import unquote_to_bytes

from mappings.callbacks import MAX_FIELDS, PROBLEM_LIMIT, check_size
from mappings.carriers.sf.routes_xml import UnsafeXml, read_routes
from mappings.carriers.sf.settings import SfSettings
from mappings.carriers.sf.tracking import in_order, read_node
from mappings.connector import CallbackRefused
from mappings.events import UnreadableItem
from mappings.model import Callback, TrackingEvent
from mappings.wire import HttpReply

_ANSWERS = {
    ("json", True): b'{"return_code":"0000","return_msg":"\xe6\x88\x90\xe5\x8a\x9f"}',
    ("json", False): b'{"return_code":"1000","return_msg":"\xe5\xa4\xb1\xe8\xb4\xa5"}',
    ("xml", True): b'<Response service="RoutePushService"><Head>OK</Head></Response>',
    ("xml", False): b'<Response service="RoutePushService"><Head>ERR</Head><ERROR code="4001">'
    b"\xe7\xb3\xbb\xe7\xbb\x9f\xe5\x8f\x91\xe7\x94\x9f\xe6\x95\xb0\xe6\x8d\xae\xe9\x94\x99\xe8\xaf\xaf"
    b"\xe6\x88\x96\xe8\xbf\x90\xe8\xa1\x8c\xe6\x97\xb6\xe5\xbc\x82\xe5\xb8\xb8</ERROR></Response>",
}
"""SF's own words: 成功, 失败, 系统发生数据错误或运行时异常."""
_CONTENT_TYPES = {"json": "application/json;charset=utf-8", "xml": "text/xml;charset=utf-8"}


def verify(body: bytes, settings: SfSettings) -> None:
    """Check the shape of a push, not its origin: who knows the secret path is believed. Raises CallbackRefused.

    What came by that path and cannot be read is kept as evidence, except what would be dangerous to open.
    """
    _read_nodes(body, settings)


def read(body: bytes, settings: SfSettings, received_at: datetime) -> Callback:
    """Read every node of a push; one that cannot be read is named and costs the others nothing."""
    events: list[TrackingEvent] = []
    problems: list[str] = []
    for number, node in enumerate(_read_nodes(body, settings), start=1):
        try:
            if not isinstance(node, Mapping):
                raise UnreadableItem("is no object")
            events.append(read_node(node, received_at))
        except UnreadableItem as problem:
            problems.append(f"route {number} {problem}")
    return Callback(events=in_order(events), problems=tuple(problems[:PROBLEM_LIMIT]))


def _read_nodes(body: bytes, settings: SfSettings) -> list[Any]:
    check_size(body)
    nodes = _first_readable(_texts(_content(body)))
    if len(nodes) > settings.max_items:
        raise CallbackRefused(f"more than {settings.max_items} routes", status=413, signature_ok=True)
    return nodes


def _content(body: bytes) -> bytes:
    """The push itself: the form field `content`, or the bare body."""
    if body.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"<", b"["):
        return body
    parts = body.split(b"&", MAX_FIELDS)
    fields = [value for name, _, value in (part.partition(b"=") for part in parts) if name == b"content"]
    if len(fields) != 1:
        raise CallbackRefused("the body is neither JSON nor XML nor a form with one content")
    return unquote_to_bytes(fields[0].replace(b"+", b" "))


def _texts(content: bytes) -> Iterator[str]:
    """What the bytes may say: UTF-8, else GBK, else UTF-8 with one field of it in something else."""
    try:
        yield content.decode()
    except UnicodeDecodeError:
        yield content.decode("gb18030", errors="replace")
        yield content.decode(errors="replace")


def _first_readable(texts: Iterable[str]) -> list[Any]:
    problem = ""
    for text in texts:
        bare = text.lstrip("\ufeff \t\r\n")
        try:
            return read_routes(bare) if bare.startswith("<") else _read_json(bare)
        except UnsafeXml as unsafe:
            raise CallbackRefused(str(unsafe)) from None
        except ValueError as unreadable:
            problem = problem or str(unreadable)
    raise CallbackRefused(problem, signature_ok=True)


def _read_json(text: str) -> list[Any]:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError("the text is neither JSON nor XML") from None
    outer = data.get("Body") if isinstance(data, Mapping) else None
    nodes = outer.get("WaybillRoute") if isinstance(outer, Mapping) else None
    if isinstance(nodes, Mapping):
        return [nodes]
    if not isinstance(nodes, list):
        raise ValueError("Body holds no list WaybillRoute")
    return nodes


def answer(settings: SfSettings, *, ok: bool) -> HttpReply:
    """The documented answer: 200 when taken, 400 when not. SF wants fixed words, so the reason stays with us."""
    form = settings.push_format
    return HttpReply(200 if ok else 400, {"content-type": _CONTENT_TYPES[form]}, _ANSWERS[form, ok])
