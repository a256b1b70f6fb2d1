"""The pair of tokens that lets us in: the one of the settings, or what it was renewed to since."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from mappings.erps.jushuitan.settings import JushuitanSettings
from mappings.fields import text_of


@dataclass(frozen=True, slots=True)
class Pair:
    """`origin` tells which pair of the settings it goes back to: a new one there makes what was kept worthless."""

    access: str = field(repr=False)
    refresh: str = field(repr=False)
    origin: str

    @classmethod
    def of(cls, settings: JushuitanSettings, kept: Mapping[str, str]) -> Pair:
        """The newest pair."""
        given = f"{settings.app_key} {settings.access_token} {settings.refresh_token}"
        origin = hashlib.sha256(given.encode()).hexdigest()
        if kept.get("origin") == origin:
            return cls(kept["access_token"], kept["refresh_token"], origin)
        return cls(settings.access_token, settings.refresh_token, origin)

    def renewed(self, data: Mapping[str, object]) -> dict[str, str]:
        """What must be kept of a renewal's answer; nothing where it holds no token."""
        access = text_of(data, "access_token")
        if not access:
            return {}
        return {
            "origin": self.origin,
            "access_token": access,
            "refresh_token": text_of(data, "refresh_token") or self.refresh,
        }
