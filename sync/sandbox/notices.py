"""A sink for notices: takes apprise's `json://` posts and keeps them for tests and the demo to read."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import ClassVar

from sync.sandbox.faults import Draw
from sync.sandbox.http import Request, Response
from sync.sandbox.peer import Ask, Peer, json_response


@dataclass(slots=True)
class NoticeSink(Peer):
    """`POST /notices` with a JSON object: 200; anything that is no JSON object: 400."""

    name: ClassVar[str] = "notices"

    def understand(self, request: Request) -> Ask:
        if request.method == "POST" and request.path.rstrip("/") == "/notices":
            return Ask("send_notice", "", lambda draw: self._keep(draw, request))
        return Ask("unknown", "", lambda draw: json_response({"error": "not found"}, 404, note="refused 404"))

    def refuse_business(self, code: str, reason: str) -> Response:
        return json_response({"error": reason}, 400, note=f"refused {code}")

    def _keep(self, _draw: Draw, request: Request) -> Response:
        try:
            notice = json.loads(request.body)
        except ValueError:
            notice = None
        if not isinstance(notice, dict):
            return json_response({"error": "a JSON object is expected"}, 400, note="refused 400")
        self.ledger.record_notice(notice)
        return json_response({"ok": True}, note="kept")
