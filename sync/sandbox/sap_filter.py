"""The little of OData's `$filter` that the sandbox SAP understands: `Name eq 'text'`, and, or, parentheses."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Test = Callable[[Mapping[str, Any]], bool]

_WORD = re.compile(r"\s*(?:(\()|(\))|(and|or)\b|(\w+)\s+eq\s+'((?:[^']|'')*)')")
MOST_DEEP = 20


def read_filter(text: str, known: frozenset[str]) -> Test:
    """A test for one entity; an empty text takes all. Raises ValueError for a property or a form it does not know."""
    words = _split(text)
    if not words:
        return lambda row: True
    reader = _Reader(words, known)
    test = reader.read_any(0)
    if reader.place != len(words):
        raise ValueError("Invalid token in $filter")
    return test


def _split(text: str) -> list[re.Match[str]]:
    words, place = [], 0
    while text[place:].strip():
        word = _WORD.match(text, place)
        if word is None:
            raise ValueError(f"Invalid token in $filter at position {place}")
        words.append(word)
        place = word.end()
    return words


@dataclass(slots=True)
class _Reader:
    """Reads words from left to right; `and` binds closer than `or`."""

    words: list[re.Match[str]]
    known: frozenset[str]
    place: int = 0

    def read_any(self, depth: int) -> Test:
        tests = [self._read_all(depth)]
        while self._takes(3, "or"):
            tests.append(self._read_all(depth))
        return lambda row: any(test(row) for test in tests)

    def _read_all(self, depth: int) -> Test:
        tests = [self._read_one(depth)]
        while self._takes(3, "and"):
            tests.append(self._read_one(depth))
        return lambda row: all(test(row) for test in tests)

    def _read_one(self, depth: int) -> Test:
        if depth > MOST_DEEP:
            raise ValueError("$filter is too deep")
        if self._takes(1, "("):
            test = self.read_any(depth + 1)
            if not self._takes(2, ")"):
                raise ValueError("a ) is missing in $filter")
            return test
        word = self.words[self.place] if self.place < len(self.words) else None
        if word is None or word.group(4) is None:
            raise ValueError("Invalid token in $filter")
        name, value = word.group(4), word.group(5).replace("''", "'")
        if name not in self.known:
            raise ValueError(f"Property {name} not found")
        self.place += 1
        return lambda row: row.get(name) == value

    def _takes(self, group: int, text: str) -> bool:
        if self.place < len(self.words) and self.words[self.place].group(group) == text:
            self.place += 1
            return True
        return False
