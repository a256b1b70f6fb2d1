"""What connectors have learned from their peers and need again, such as a renewed token: encrypted, for all workers.

Without `ECSYNC_SECRETS_KEY` it stays in this process and is forgotten at its end.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping

from sync.db.cursors import read_cursors, set_cursor
from sync.db.session import Database
from sync.secrets_box import SecretsBox

log = logging.getLogger(__name__)


class Keeper:
    """Reads and writes by peer. Raises ValueError for keys that are none."""

    def __init__(self, database: Database, keys: str) -> None:
        self._database = database
        self._box = SecretsBox(keys) if keys else None
        self._here: dict[str, Mapping[str, str]] = {}

    def read(self, peer: str) -> Mapping[str, str]:
        """What was kept last, by any worker; what cannot be opened with our keys counts as nothing."""
        if self._box is None:
            return self._here.get(peer, {})
        with self._database.reading() as session:
            found = read_cursors(session, _name(peer)).get("")
        try:
            kept: dict[str, str] = json.loads(self._box.open(found[0])) if found else {}
        except ValueError as problem:
            log.warning("what %s gave us is lost: it %s", peer, problem)
            return {}
        return kept

    def write(self, peer: str, values: Mapping[str, str]) -> None:
        """Keep these instead of what was kept before."""
        if self._box is None:
            self._here[peer] = dict(values)
            return
        with self._database.writing() as session:
            set_cursor(session, _name(peer), self._box.encrypt(json.dumps(dict(values))))


def _name(peer: str) -> str:
    return f"kept.{peer}"
