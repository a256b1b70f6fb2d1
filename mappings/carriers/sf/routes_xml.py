"""The XML of old contracts, read without ever building a tree: only the attributes of `WaybillRoute` are taken.

A document that declares a type or an entity is refused at once, so nothing in it can grow or reach for a file.
"""

from __future__ import annotations

from typing import Any
from xml.parsers.expat import ExpatError, ParserCreate


class UnsafeXml(Exception):
    """XML that declares things; no push of SF's does."""


def read_routes(text: str) -> list[Any]:
    """The nodes in document order. Raises UnsafeXml, ValueError when it is no route push."""
    nodes: list[Any] = []
    roots: list[tuple[str, dict[str, str]]] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        if not roots:
            roots.append((name, attributes))
        elif name == "WaybillRoute":
            nodes.append(attributes)

    def refuse(*_: Any) -> None:
        raise UnsafeXml("the XML declares a document type or an entity, which no push does")

    parser = ParserCreate()
    parser.StartElementHandler = start
    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    try:
        parser.Parse(text, True)
    except ExpatError as problem:
        raise ValueError(f"the XML cannot be read from line {problem.lineno}") from None
    if roots[0][0] != "Request":
        raise ValueError("the XML is no Request")
    return nodes
