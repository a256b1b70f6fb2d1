"""The printable label: COM_RECE_CLOUD_PRINT_WAYBILLS names a file and a token, and the file is fetched with it."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from mappings.carriers.sf.service import read_answer, service_call
from mappings.carriers.sf.settings import SfSettings
from mappings.errors import PeerError, TransientError
from mappings.fields import text_of
from mappings.model import Printable
from mappings.wire import Exchange, HttpCall, HttpReply, check_status

AREA = "sf.label"


def fetch(waybill_no: str, settings: SfSettings) -> Exchange[Printable]:
    """The label as PDF. Raises any PeerError but UncertainError; a repeat makes the file anew."""
    reply = yield _print_call(waybill_no, settings)
    url, token = _read_place(reply, settings)
    try:
        reply = yield HttpCall(
            "fetch_label", "GET", url, {"X-Auth-token": token}, changes_peer=False, secrets=(token,) if token else ()
        )
        content = _read_file(reply)
    except PeerError as problem:
        problem.peer_is_well = True  # files lie elsewhere, and SF itself has just answered
        raise
    return Printable(base64.b64encode(content).decode("ascii"), "pdf")


def _print_call(waybill_no: str, settings: SfSettings) -> HttpCall:
    message = {
        "templateCode": settings.print_template,
        "version": "2.0",
        "fileType": "pdf",
        "sync": True,
        "documents": [{"masterWaybillNo": waybill_no}],
    }
    return service_call("print_label", "COM_RECE_CLOUD_PRINT_WAYBILLS", message, settings, changes_peer=False)


def _read_place(reply: HttpReply, settings: SfSettings) -> tuple[str, str]:
    """Where the file lies, and the token that opens it; plain http only where the sandbox itself speaks it."""
    answer = read_answer(reply, AREA, changes_peer=False)
    if answer.verdict.cls != "ok":
        raise answer.error(AREA, changes_peer=False)
    file = _first_file(answer.result)
    url = text_of(file, "url")
    if not url.startswith("https://" if settings.url.startswith("https://") else ("https://", "http://")):
        raise TransientError(f"{AREA}.address_missing", "SF names no usable address of the label")
    return url, text_of(file, "token")


def _first_file(result: Mapping[str, Any]) -> Mapping[str, Any]:
    """The print service answers with `obj` where the others have `msgData`; both are read."""
    for name in ("obj", "msgData"):
        place = result.get(name)
        inner = place.get("obj", place) if isinstance(place, Mapping) else {}
        listed = inner.get("files") if isinstance(inner, Mapping) else None
        if isinstance(listed, list) and listed and isinstance(listed[0], Mapping):
            return listed[0]
    return {}


def _read_file(reply: HttpReply) -> bytes:
    check_status(reply, AREA, changes_peer=False)
    if not reply.body.startswith(b"%PDF"):
        raise TransientError(f"{AREA}.garbled", "SF's label is no PDF file")
    return reply.body
