"""What the console says, in both languages, from one catalogue; and which language a visitor gets."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from importlib.resources import files
from typing import Any

from flask import Request

LANGUAGES = ("zh", "en")
COOKIE = "ecsync_language"


def _read(name: str) -> dict[str, Any]:
    return tomllib.loads(files("sync.web").joinpath(name).read_text("utf-8"))


WORDS: Mapping[str, Mapping[str, str]] = _read("words.toml")
"""Id -> language -> text with `{names}` to fill in."""

Speaker = Callable[..., str]


def speaker(language: str) -> Speaker:
    """Says a text of the catalogue in one language; raises KeyError for an id that it does not hold."""

    def say(id_: str, **values: object) -> str:
        return WORDS[id_][language].format(**values)

    return say


def choose_language(request: Request) -> str:
    """What was asked for, else what was chosen before, else what the browser prefers, else Chinese."""
    for wish in (request.args.get("lang"), request.cookies.get(COOKIE)):
        if wish in LANGUAGES:
            return str(wish)
    return request.accept_languages.best_match(LANGUAGES, default=LANGUAGES[0])
