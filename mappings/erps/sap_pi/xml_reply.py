"""The XML of replies, read without ever declaring anything: a document type or an entity is refused at once.

So nothing in a reply can grow or reach for a file. Names are without their namespace: PI's prefixes differ by release.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.parsers.expat import ExpatError, ParserCreate

MAX_DEPTH = 64
"""An IDoc is six deep, a SOAP fault seven."""


class UnreadableXml(Exception):
    """No well-formed XML, or one that declares things; the message is free of personal data."""


@dataclass(slots=True)
class Element:
    """An element by its local name, with its own text and its children; attributes mean nothing to us."""

    name: str
    text: str = ""
    children: list[Element] = field(default_factory=list)

    def walk(self) -> Iterator[Element]:
        """This element and all beneath it, in document order."""
        waiting = [self]
        while waiting:
            element = waiting.pop()
            yield element
            waiting += reversed(element.children)

    def find(self, name: str) -> Element | None:
        """The first element of that name, itself included."""
        return next((element for element in self.walk() if element.name == name), None)

    def say(self, name: str) -> str:
        """The text of the first such element beneath it, without blanks around it; empty when there is none."""
        found = self.find(name)
        return found.text.strip() if found else ""


def read_xml(body: bytes) -> Element:
    """The root element. Raises UnreadableXml."""
    root = Element("")
    path = [root]

    def start(name: str, _: object) -> None:
        if len(path) > MAX_DEPTH:
            raise UnreadableXml("the XML is nested too deeply")
        element = Element(name.rpartition(" ")[2])
        path[-1].children.append(element)
        path.append(element)

    def end(_: str) -> None:
        path.pop()

    def add_text(text: str) -> None:
        path[-1].text += text

    def refuse(*_: object) -> None:
        raise UnreadableXml("the XML declares a document type or an entity, which no answer of PI's does")

    parser = ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler = add_text
    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    try:
        parser.Parse(body, True)
    except (ExpatError, ValueError, LookupError):  # the last two: a character set that expat does not know
        raise UnreadableXml("the answer is no whole XML document") from None
    return root.children[0]
