"""The sandbox ERP in XML: `<order>` with `<lines><line>` comes in, `<reply>` goes out."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any
from xml.parsers.expat import ExpatError, ParserCreate
from xml.sax.saxutils import escape

from sync.sandbox.http import Request, Response


def is_xml(request: Request) -> bool:
    return "xml" in request.headers.get("content-type", "")


def wants_xml(request: Request) -> bool:
    return "xml" in request.headers.get("accept", "")


def read_order(body: bytes) -> Any:
    """An order as JSON would bring it, or None for XML that is no order: another root, another name of a line."""
    order: dict[str, Any] = {}
    path: list[str] = []
    texts: list[str] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        path.append(name)
        texts.clear()
        if path == ["order", "lines"]:
            order["lines"] = []
        elif path == ["order", "lines", "line"]:
            order["lines"].append({})

    def end(name: str) -> None:
        text = "".join(texts)
        if path[:3] == ["order", "lines", "line"] and len(path) == 4:
            order["lines"][-1][name] = int(text) if name == "quantity" and text.isdecimal() else text
        elif path[:1] == ["order"] and len(path) == 2 and name != "lines":
            order[name] = text
        path.pop()
        texts.clear()

    parser = ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, end, texts.append
    try:
        parser.Parse(body, True)
    except ExpatError:
        return None
    return order or None


def spell(response: Response) -> Response:
    """The same answer in XML."""
    told = "".join(f"<{name}>{_inner(value)}</{name}>" for name, value in json.loads(response.body).items())
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n<reply>{told}</reply>'.encode()
    return replace(response, body=body, content_type="application/xml; charset=utf-8")


def _inner(value: Any) -> str:
    if isinstance(value, list):
        return "".join(f"<item>{_inner(row)}</item>" for row in value)
    if isinstance(value, dict):
        return "".join(f"<{name}>{_inner(held)}</{name}>" for name, held in value.items())
    return escape(str(value))
