"""What the console says, in both languages, from one catalogue; and which language a visitor gets."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from importlib.resources import files
from typing import Any

from flask import Request

from mappings.status import STATUSES

LANGUAGES = ("zh", "en")
COOKIE = "ecsync_language"

Texts = Mapping[str, str]
"""Language -> text."""


def _read(name: str) -> dict[str, Any]:
    return tomllib.loads(files("sync.web").joinpath(name).read_text("utf-8"))


WORDS: Mapping[str, Texts] = {
    f"{section}.{name}": texts for section, entries in _read("words.toml").items() for name, texts in entries.items()
} | {f"status.{status.id}": {"zh": status.zh, "en": status.en} for status in STATUSES.values()}
"""Id -> texts with `{names}` to fill in. What a tracking status is called stands in the mappings."""

Speaker = Callable[..., str]


def speaker(language: str) -> Speaker:
    """Says a text of the catalogue in one language; raises KeyError for an id that it does not hold."""

    def say(id_: str, **values: object) -> str:
        return WORDS[id_][language].format(**values)

    return say


@dataclass(frozen=True, slots=True)
class Cause:
    """What a code of the desk means. `tone` is bad, warn or hold; `retry`: the group can be tried again at once."""

    match: tuple[str, ...]
    tone: str
    title: Texts
    todo: Texts
    retry: bool = False


CAUSES = tuple(Cause(**{**entry, "match": tuple(entry["match"])}) for entry in _read("causes.toml")["cause"])


def explain(code: str) -> Cause:
    """The first cause with a pattern that fits; the last one fits anything."""
    return next(cause for cause in CAUSES if any(fnmatchcase(code, pattern) for pattern in cause.match))


def say_age(say: Speaker, seconds: float) -> str:
    """A duration in the one unit that people would use."""
    if seconds < 1:
        return say("age.now")
    for unit, limit, size in (("s", 60, 1), ("min", 3600, 60), ("h", 48 * 3600, 3600)):
        if seconds < limit:
            return say(f"age.{unit}", n=int(seconds // size))
    return say("age.d", n=int(seconds // 86400))


def say_ago(say: Speaker, seconds: float) -> str:
    """How long ago something was."""
    return say("age.now") if seconds < 1 else say("age.ago", age=say_age(say, seconds))


def choose_language(request: Request) -> str:
    """What was asked for, else what was chosen before, else what the browser prefers, else Chinese."""
    for wish in (request.args.get("lang"), request.cookies.get(COOKIE)):
        if wish in LANGUAGES:
            return str(wish)
    return request.accept_languages.best_match(LANGUAGES, default=LANGUAGES[0])
