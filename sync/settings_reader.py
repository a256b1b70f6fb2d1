"""Reads single settings: where a value comes from, and what its text may say.

A variable may carry `_FILE` instead, naming a file that holds the value; a value may be encrypted (`ecsync secrets`).
Every parser raises ValueError with a sentence.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from environs import EnvError, FileAwareEnv

from sync.secrets_box import KEY, PREFIX, open_secret


class Reader:
    """Reads variables, remembers which it read and what was wrong with them."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = dict(environ)
        self.env = FileAwareEnv(strip_whitespace=True)
        self.env._environ = self.environ
        self.problems: dict[str, str] = {}
        self.known: set[str] = set()
        self.keys = self.get(KEY, default="")

    def get(self, name: str, parse: Callable[[str], Any] = str, default: Any = None, *, required: bool = False) -> Any:
        """The value, or its default; what is wrong with it goes to `problems`, under its name."""
        self.known |= {name, f"{name}_FILE"}
        try:
            text = self.env.str(name, None)
            if text is None or text == "":
                if required:
                    self.problems[name] = "is required and not set"
                return default
            return parse(open_secret(text, self.keys) if text.startswith(PREFIX) else text)
        except (ValueError, EnvError) as problem:
            self.problems[name] = str(problem)
            return default

    def unknown(self) -> set[str]:
        """Variables with our prefix that nothing reads: typing mistakes that would silently do nothing."""
        return {name for name in self.environ if name.startswith("ECSYNC_") and name not in self.known}


def one_of(*choices: str) -> Callable[[str], str]:
    """A parser for one of a few words."""

    def parse(text: str) -> str:
        if text not in choices:
            raise ValueError(f"{text!r} is none of {', '.join(choices)}")
        return text

    return parse


def parse_seconds(text: str) -> float:
    """More than 0."""
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a number of seconds") from None
    if value <= 0:
        raise ValueError(f"{text} is not more than 0 seconds")
    return value


def parse_seconds_or_never(text: str) -> float:
    """From 0 up; 0 says never, or not at all."""
    return 0.0 if text == "0" else parse_seconds(text)


def parse_count(text: str) -> int:
    """A whole number from 1 up."""
    if not text.isdigit() or int(text) < 1:
        raise ValueError(f"{text!r} is not a whole number of at least 1")
    return int(text)


def check_token(text: str) -> str:
    """The same text, once it is long enough not to be guessed."""
    if len(text) < 16:
        raise ValueError("has fewer than 16 characters; make one with: openssl rand -hex 24")
    return text


def check_database(text: str) -> str:
    """The same URL, once it is known that we run on such a database, and by which driver."""
    scheme = text.partition("://")[0]
    if scheme in ("postgresql", "postgres"):
        raise ValueError("write postgresql+psycopg2://…: plain postgresql:// means another driver")
    if scheme not in ("sqlite", "postgresql+psycopg2"):
        raise ValueError(f"{scheme!r} is no database we run on; use postgresql+psycopg2:// or sqlite:///")
    return text


def check_broker(text: str) -> str:
    """The same URL, once it is known that we run on such a broker."""
    scheme = urlsplit(text).scheme
    if scheme not in ("redis", "rediss", "amqp", "amqps", "pyamqp", "memory"):
        raise ValueError(f"{scheme!r} is no broker we run on; use redis:// or amqp://")
    return text


def parse_words(text: str) -> tuple[str, ...]:
    """A list with commas, no word twice; the words are somebody else's, such as an ERP's names of its warehouses."""
    parts = tuple(part.strip() for part in text.split(",") if part.strip())
    if len(set(parts)) != len(parts):
        raise ValueError("a name is listed twice")
    return parts


def parse_names(text: str) -> tuple[str, ...]:
    """A list like `parse_words`, of names of ours: they become part of variables, so letters, digits and _ only."""
    parts = parse_words(text)
    for part in parts:
        if not part.replace("_", "").isalnum():
            raise ValueError(f"{part!r} may hold letters, digits and _ only")
    return parts
