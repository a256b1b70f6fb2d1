"""XML both ways: elements in, and plain values out that dotted paths reach, as those of JSON."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from xml.parsers.expat import ExpatError, ParserCreate
from xml.sax.saxutils import escape

MOST_BYTES = 4_000_000
DEEPEST = 64

NAME = re.compile(r"[^\W\d][\w.-]*")
"""What an element can be called; a prefix would want a declaration, which nothing here writes."""

_ENCODING = re.compile(rb"""^\s*<\?xml[^>]{0,80}\sencoding=["']([A-Za-z0-9_.-]{1,20})["']""")
_CHINESE = ("gbk", "gb2312", "gb18030")
_UNWRITABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 forbids even when it is escaped."""


class UnreadableXml(ValueError):
    """Bytes that are no XML, or XML that is not read: it declares things, is a web page, or has no end."""


def write_xml(root: str, members: Mapping[str, Any], item: str) -> bytes:
    """A document of elements; the members of a list are called `item`. Values are text, numbers, mappings, lists."""
    return ('<?xml version="1.0" encoding="UTF-8"?>\n' + "".join(_element(root, members, item))).encode()


def _element(name: str, value: Any, item: str) -> Iterator[str]:
    yield f"<{name}>"
    if isinstance(value, Mapping):
        for inner, held in value.items():
            yield from _element(inner, held, item)
    elif isinstance(value, list):
        for held in value:
            yield from _element(item, held, item)
    else:
        yield escape(_UNWRITABLE.sub(" ", str(value)))
    yield f"</{name}>"


def read_xml(body: bytes) -> Any:
    """What stands below the root: text, None for an empty element, else names to values; a repeated name is a list.

    Prefixes are cut off and attributes left out. A declared document type or entity is refused at once, so that
    nothing in the document can grow or reach for a file. Raises UnreadableXml.
    """
    if len(body) > MOST_BYTES:
        raise UnreadableXml(f"the XML has more than {MOST_BYTES} bytes")
    tree = _Tree()
    parser = ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = tree.start
    parser.EndElementHandler = tree.end
    parser.CharacterDataHandler = tree.add_text
    parser.StartDoctypeDeclHandler = _refuse
    parser.EntityDeclHandler = _refuse
    try:
        parser.Parse(_decoded(body), True)
    except ExpatError as problem:
        raise UnreadableXml(f"the XML cannot be read from line {problem.lineno}") from None
    return {} if tree.answer is None else tree.answer


def _decoded(body: bytes) -> str:
    """By the declared encoding, of which there are two in use here: UTF-8 and the Chinese one."""
    declared = _ENCODING.match(body)
    encoding = declared[1].decode().lower() if declared else "utf-8"
    try:
        return body.decode("gb18030" if encoding in _CHINESE else "utf-8-sig")
    except UnicodeDecodeError:
        raise UnreadableXml(f"the bytes are not {encoding}") from None


def _refuse(*_: Any) -> None:
    raise UnreadableXml("the XML declares a document type or an entity, which no answer does")


class _Tree:
    """Collects an element's children until it ends; `answer` is what the root held."""

    def __init__(self) -> None:
        self.answer: Any = None
        self._open: list[tuple[str, dict[str, Any], list[str]]] = []

    def start(self, name: str, attributes: dict[str, str]) -> None:
        local = name.rpartition(":")[2]
        if not self._open and local.lower() == "html":
            raise UnreadableXml("the answer is a web page")
        if len(self._open) >= DEEPEST:
            raise UnreadableXml(f"the XML is more than {DEEPEST} elements deep")
        self._open.append((local, {}, []))

    def add_text(self, text: str) -> None:
        self._open[-1][2].append(text)

    def end(self, name: str) -> None:
        local, children, texts = self._open.pop()
        value: Any = children or "".join(texts).strip() or None
        if not self._open:
            self.answer = value
            return
        siblings = self._open[-1][1]
        if local not in siblings:
            siblings[local] = value
        elif isinstance(siblings[local], list):
            siblings[local].append(value)
        else:
            siblings[local] = [siblings[local], value]
