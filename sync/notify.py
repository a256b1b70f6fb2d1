"""Tells people: customer service and buyers, over any channel that Apprise knows."""

from __future__ import annotations

import logging
from typing import Any

from sync.settings import Settings

log = logging.getLogger(__name__)


class NoticeFailed(Exception):
    """The channel did not take the notice."""


class Notifier:
    """Sends a notice to a named channel (`service`, `review`); a channel that is not set is the log."""

    def __init__(self, settings: Settings) -> None:
        self._urls = {"service": settings.service_channel, "review": settings.review_channel}
        self._messengers: dict[str, Any] = {}

    def send(self, channel: str, title: str, body: str) -> str:
        """Send one notice and return where it went; raises NoticeFailed."""
        url = self._urls[channel]
        if not url:
            log.warning("notice for %s (no channel set): %s: %s", channel, title, body)
            return "log"
        if not self._messenger(channel, url).notify(title=title, body=body):
            raise NoticeFailed(f"the {channel} channel did not take the notice")
        return channel

    def _messenger(self, channel: str, url: str) -> Any:
        if channel not in self._messengers:
            import apprise  # late: it loads a hundred plug-ins, and few processes send notices

            messenger = apprise.Apprise()
            if not messenger.add(url):
                raise NoticeFailed(f"the {channel} channel is not a usable Apprise address; correct its setting")
            self._messengers[channel] = messenger
        return self._messengers[channel]
