"""A load generator: a few keep-alive connections in one thread, each with its next request ready."""

from __future__ import annotations

import selectors
import socket
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from bench.yard import BenchFailed

GIVE_UP_S = 30.0


@dataclass(slots=True)
class Load:
    """What a run of the generator saw: seconds in all, and milliseconds from each request to its answer."""

    seconds: float
    milliseconds: list[float]

    def percentile(self, share: float) -> float:
        ordered = sorted(self.milliseconds)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


@dataclass(slots=True)
class _Line:
    """One connection: what it still has to send of its request, and what came of the answer."""

    connection: socket.socket
    sent_at: float = 0.0
    unsent: memoryview = field(default_factory=lambda: memoryview(b""))
    answer: bytes = b""


def post_all(port: int, path: str, bodies: Sequence[bytes], *, connections: int) -> Load:
    """Post every body once; raises BenchFailed for an answer that is not 200 with success, and for silence."""
    waiting = deque(_request(path, body) for body in bodies)
    milliseconds: list[float] = []
    began = time.perf_counter()
    with selectors.DefaultSelector() as selector:
        for _ in range(min(connections, len(waiting))):
            line = _Line(socket.create_connection(("127.0.0.1", port), timeout=5))
            line.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            line.connection.setblocking(False)
            selector.register(line.connection, selectors.EVENT_READ | selectors.EVENT_WRITE, line)
            _begin(line, waiting.popleft())
        while selector.get_map():
            ready = selector.select(GIVE_UP_S)
            if not ready:
                raise BenchFailed(f"no answer from port {port} for {GIVE_UP_S:.0f} s")
            for key, _ in ready:
                if _step(selector, key.data):
                    milliseconds.append((time.perf_counter() - key.data.sent_at) * 1000)
                    _next(selector, key.data, waiting)
    return Load(time.perf_counter() - began, milliseconds)


def _request(path: str, body: bytes) -> bytes:
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-www-form-urlencoded;charset=utf-8\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def _begin(line: _Line, request: bytes) -> None:
    line.sent_at, line.unsent, line.answer = time.perf_counter(), memoryview(request), b""


def _step(selector: selectors.BaseSelector, line: _Line) -> bool:
    """Send or receive what goes without waiting; True when the answer is whole."""
    if line.unsent:
        line.unsent = line.unsent[line.connection.send(line.unsent) :]
        if not line.unsent:
            selector.modify(line.connection, selectors.EVENT_READ, line)
        return False
    piece = line.connection.recv(65536)
    if not piece:
        raise BenchFailed("the server closed a connection that was to be kept")
    line.answer += piece
    return _is_whole(line.answer)


def _is_whole(answer: bytes) -> bool:
    head, gap, body = answer.partition(b"\r\n\r\n")
    if not gap:
        return False
    if not head.startswith(b"HTTP/1.1 200"):
        raise BenchFailed(f"refused: {answer[:400]!r}")
    length = next(int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
    if len(body) >= length and b"true" not in body:
        raise BenchFailed(f"not accepted: {body[:200]!r}")
    return len(body) >= length


def _next(selector: selectors.BaseSelector, line: _Line, waiting: deque[bytes]) -> None:
    if waiting:
        _begin(line, waiting.popleft())
        selector.modify(line.connection, selectors.EVENT_READ | selectors.EVENT_WRITE, line)
    else:
        selector.unregister(line.connection)
        line.connection.close()
