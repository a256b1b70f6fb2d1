"""How the texts of settings become values. A refusal goes on from the setting's name: "must be 1 or 0"."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import time
from typing import Any
from urllib.parse import urlsplit

from mappings.connector import Config, Setting
from mappings.wire import parse_base_url


def one_of(*words: str) -> Callable[[str], str]:
    """A parser that takes these words only, in whatever case, and gives them as they are spelled here."""
    spelled = {word.lower(): word for word in words}

    def parse(text: str) -> str:
        word = text.strip().lower()
        if word not in spelled:
            raise ValueError(f"must be one of {', '.join(words)}")
        return spelled[word]

    return parse


def parse_flag(text: str) -> bool:
    """Yes or no, as a person writes it. Raises ValueError."""
    word = text.strip().lower()
    if word not in ("1", "true", "yes", "0", "false", "no"):
        raise ValueError("must be 1 or 0")
    return word in ("1", "true", "yes")


def parse_count(text: str) -> int:
    """A whole number from 1 up. Raises ValueError."""
    if not text.strip().isdecimal() or int(text) < 1:
        raise ValueError("must be a whole number, 1 or more")
    return int(text)


def parse_hours(text: str) -> str:
    """`09:00-18:00`, China time: the hours in which a courier can come; kept as it is, for `read_hours`."""
    word = text.strip()
    opens, closes = read_hours(word)
    if (closes.hour - opens.hour) * 60 + closes.minute - opens.minute < 120:
        raise ValueError("must last two hours at least: couriers want a window of one, and one to come")
    return word


def read_hours(text: str) -> tuple[time, time]:
    """From when until when. Raises ValueError."""
    try:
        opens, closes = (time.fromisoformat(part.strip()) for part in text.split("-"))
    except ValueError:
        raise ValueError("must be two times such as 09:00-18:00") from None
    return opens, closes


def parse_url(text: str) -> str:
    """An address with whatever path it has; empty text stays empty. Raises ValueError."""
    url = text.strip()
    parts = urlsplit(url)
    if url and (parts.scheme not in ("http", "https") or not parts.hostname):
        raise ValueError("must be an address like https://host/path")
    return url


def parse_address(text: str) -> str:
    """A whole address with its path and query, plain http only to this machine; empty text stays empty.

    Raises ValueError.
    """
    url = text.strip()
    if not url:
        return ""
    parts = urlsplit(url)
    if any(mark.isspace() for mark in url) or parts.username or parts.password or parts.fragment:
        raise ValueError("must be a bare address: no blanks, no credentials, no fragment")
    parse_base_url(f"{parts.scheme}://{parts.netloc}")
    return url


def parse_path(text: str) -> str:
    """A path on the peer's host, with its query if it has one. Raises ValueError."""
    path = text.strip()
    if not path.startswith("/") or any(mark.isspace() for mark in path):
        raise ValueError("must start with / and have no blanks")
    return path


def parse_credential(text: str) -> str:
    """A credential without blanks around it. Raises ValueError; the message never shows it."""
    word = text.strip()
    if not word.isprintable():
        raise ValueError("holds a line break or another unprintable character")
    return word


def parse_user(text: str) -> str:
    """A user name for Basic authentication, which cannot hold a colon (RFC 7617). Raises ValueError."""
    user = parse_credential(text)
    if ":" in user:
        raise ValueError("cannot hold a colon, which ends a user name in Basic authentication")
    return user


def fill_in(settings: Iterable[Setting], config: Config) -> dict[str, Any]:
    """Every declared setting with its value in the config, else its default."""
    return {setting.name: config.get(setting.name, setting.default) for setting in settings}


def demand_https(setting: str, url: str) -> None:
    """Raise ValueError unless the address of a real peer is encrypted; `setting` is who wants it: `sf url`."""
    if not url.startswith("https://"):
        raise ValueError(f"{setting}: parcels carry personal data, use https:// outside the sandbox")
