"""Reading the OMS's answers: HTTP says nothing, `rsp` little, the message decides; results.toml says what it means."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mappings.errors import (
    AuthError,
    PeerError,
    PermanentError,
    TransientError,
    UncertainError,
    UndecidedError,
    UnmappedError,
)
from mappings.fields import text_of
from mappings.tables import path_of, read_table
from mappings.wire import HttpReply, check_status, read_json_object

_TABLE = read_table(__package__, "results.toml")
_REASONS = tuple((re.compile(row["pattern"]), row) for row in _TABLE["reason"])
_ORDER_ID = re.compile(r"订单ID\D{0,3}(\d+)")
_QUESTION_CODE = re.compile(r'"code"\s*:\s*"(e\d{6})"')
_UNREADABLE = "\ufffd"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to do: `cls` is one of the classes of results.toml, `replayed` (told nothing, a repeat) or `unmapped`."""

    cls: str
    code: str = ""
    say: str = ""
    retry_after_s: float = 0


@dataclass(frozen=True, slots=True)
class Said:
    """What the matrix RPC answered. `erp_no` is the OMS's own id where its message names it."""

    verdict: Verdict
    peer_code: str = ""
    text: str = ""

    @property
    def erp_no(self) -> str:
        found = _ORDER_ID.search(self.text)
        return found.group(1) if found else ""

    def error(self, area: str) -> PeerError:
        """The error that this answer means; `area` is the front of its code (`shopex_oms.order`)."""
        if self.verdict.cls == "queued":
            return UndecidedError(
                f"{area}.queued",
                self.verdict.say,
                retry_after_s=self.verdict.retry_after_s,
                peer_code=self.peer_code,
                peer_text=self.text,
            )
        return _error(self.verdict, area, self.peer_code, self.text)


def read_order_answer(reply: HttpReply, area: str) -> Said:
    """What `ome.order.add` answered, good or bad.

    Raises what an HTTP status means, and UncertainError for a crash of the OMS's PHP and for what is not its JSON.
    """
    check_status(reply, area)
    answer = read_json_object(reply, area)
    rsp, data, code = text_of(answer, "rsp"), answer.get("data"), text_of(answer, "res")
    if rsp == "succ" and data is None:
        return Said(Verdict("replayed"), text=code[:200])
    if rsp == "succ" and isinstance(data, Mapping):
        return _judge_success(data, area)
    if rsp == "fail" and "msg" not in answer:
        raise UncertainError(f"{area}.crashed", "The OMS crashed over the order and does not say how far it came")
    if rsp != "fail":
        raise UncertainError(f"{area}.garbled", "The OMS's answer says neither success nor failure", peer_code=code)
    return _judge_refusal(code, text_of(answer, "msg")[:200], area)


def read_response(reply: HttpReply, area: str) -> Mapping[str, Any]:
    """The `response` of the open API. What stands in rows is private, so no error repeats a body that held some.

    The body of a refusal is no valid JSON: its code is found by its shape. Never raises UncertainError: it was a read.
    """
    check_status(reply, area, changes_peer=False)
    try:
        answer = json.loads(reply.text())
    except (ValueError, RecursionError):
        answer = None
    if isinstance(answer, Mapping) and "response" in answer:
        response = answer["response"]
        if isinstance(response, Mapping):
            return response
        if response == []:  # so PHP writes an empty mapping
            return {}
    elif reply.text().lstrip().startswith('{"error_response"'):
        raise _question_error(reply.text(), area)
    raise TransientError(f"{area}.garbled", "The reply is not the open API's JSON", peer_code=str(reply.status))


def rows_of(response: Mapping[str, Any], area: str) -> list[Mapping[str, Any]]:
    """The rows of `lists`, which is an object with numbers for names, or a list, or missing where there are none."""
    found = response.get("lists") or []
    rows = list(found.values()) if isinstance(found, Mapping) else found
    if isinstance(rows, list) and all(isinstance(row, Mapping) for row in rows):
        return rows
    raise PermanentError(
        f"{area}.rows_unreadable", "The OMS's answer holds no list of rows: its version is another one"
    )


def _judge_success(data: Mapping[str, Any], area: str) -> Said:
    """Success in words that nobody knows is looked up; a failure inside it is judged as one."""
    text = text_of(data, "msg")[:200]
    if text_of(data, "rsp") == "fail":
        return _judge_refusal("4007", text, area)
    return Said(_by_words(text) or Verdict("exists"), text=text)


def _judge_refusal(code: str, text: str, area: str) -> Said:
    if _UNREADABLE in text:
        raise UncertainError(f"{area}.garbled", "The OMS's message is in another encoding", peer_code=code)
    row = _TABLE["result"].get(code)
    return Said((_verdict(row) if row else _by_words(text)) or Verdict("unmapped"), code, text)


def _by_words(text: str) -> Verdict | None:
    return next((_verdict(row) for pattern, row in _REASONS if pattern.search(text)), None)


def _verdict(row: Mapping[str, Any]) -> Verdict:
    return Verdict(row["class"], row.get("code", ""), row.get("say", ""), row.get("retry_after_s", 0))


def _question_error(body: str, area: str) -> PeerError:
    found = _QUESTION_CODE.search(body)
    code = found.group(1) if found else ""
    row = _TABLE["question"].get(code)
    if row is None and not code:  # a method that says no in words only
        return PermanentError(f"{area}.refused", "The OMS refuses the question", peer_text=body[:200])
    return _error(_verdict(row) if row else Verdict("unmapped"), area, code, body[:200])


def _error(verdict: Verdict, area: str, peer_code: str, text: str) -> PeerError:
    code = f"{area}.{verdict.code}"
    if verdict.cls == "transient":
        wait_s = verdict.retry_after_s or None
        return TransientError(code, verdict.say, peer_code=peer_code, peer_text=text, retry_after_s=wait_s)
    if verdict.cls == "unmapped":
        return UnmappedError(
            f"{area}.result_unmapped",
            "The OMS refuses in words that nobody mapped",
            hint=f"Add them to {path_of(__package__, 'results.toml')}: [[reason]] for a message, [question] for a code",
            peer_code=peer_code,
            peer_text=text,
        )
    return (AuthError if verdict.cls == "auth" else PermanentError)(
        code, verdict.say, peer_code=peer_code, peer_text=text
    )
