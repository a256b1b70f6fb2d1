"""A small threaded HTTP/1.1 server that can also misbehave: it owns the socket, so it can reset, hang and drip."""

from __future__ import annotations

import contextlib
import selectors
import socket
import struct
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from email.utils import formatdate
from enum import Enum, auto
from http import HTTPStatus
from io import BufferedReader
from urllib.parse import parse_qsl, unquote, urlsplit

MAX_HEAD_LINES = 64
MAX_LINE = 16 * 1024
MAX_BODY = 2 * 1024 * 1024
_JOIN_S = 5.0


class Ending(Enum):
    """How the bytes of a response leave, or do not."""

    SEND = auto()
    RESET = auto()
    """Close with a TCP reset and send nothing."""
    HANG = auto()
    """Say nothing for `hold_s` seconds, then close."""
    TRUNCATE = auto()
    """Promise the whole body, send half of it, close."""
    DRIP = auto()
    """Send the body in small pieces spread over `hold_s` seconds."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request as received; header names are lower-case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Response:
    """What to answer and how. `note` is for the ledger and never leaves; times are machine seconds."""

    status: int = 200
    body: bytes = b""
    content_type: str = "application/json; charset=utf-8"
    headers: tuple[tuple[str, str], ...] = ()
    note: str = ""
    delay_s: float = 0
    ending: Ending = Ending.SEND
    hold_s: float = 0

    def ending_in(self, ending: Ending, hold_s: float = 0) -> Response:
        return replace(self, ending=ending, hold_s=hold_s)

    def head(self) -> bytes:
        lines = [
            f"HTTP/1.1 {self.status} {_phrase(self.status)}",
            f"Content-Type: {self.content_type}",
            f"Content-Length: {len(self.body)}",
            f"Date: {formatdate(usegmt=True)}",
            *(f"{name}: {value}" for name, value in self.headers),
        ]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


App = Callable[[Request], Response]


class BadRequest(Exception):
    """Bytes that are no HTTP request this server reads; `status` is the answer."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


def read_request(reader: BufferedReader) -> Request | None:
    """Read one request; None when the client closed. Raises BadRequest (400, 411, 413, 431)."""
    line = reader.readline(MAX_LINE)
    if not line:
        return None
    try:
        method, target, _version = line.decode("latin-1").split()
    except ValueError:
        raise BadRequest(400, "not a request line") from None
    headers = _read_headers(reader)
    url = urlsplit(target)
    query = dict(parse_qsl(url.query, keep_blank_values=True))
    return Request(method, unquote(url.path), query, headers, _read_body(reader, headers))


def _read_headers(reader: BufferedReader) -> dict[str, str]:
    headers: dict[str, str] = {}
    for _ in range(MAX_HEAD_LINES):
        line = reader.readline(MAX_LINE)
        if line in (b"\r\n", b"\n"):
            return headers
        name, colon, value = line.decode("latin-1").partition(":")
        if not colon:
            raise BadRequest(400, "not a header line")
        headers[name.strip().lower()] = value.strip()
    raise BadRequest(431, "too many header lines")


def _read_body(reader: BufferedReader, headers: Mapping[str, str]) -> bytes:
    if "transfer-encoding" in headers:
        raise BadRequest(411, "a Content-Length is required")
    text = headers.get("content-length", "0")
    if not text.isdecimal():
        raise BadRequest(400, "Content-Length is not a number")
    length = int(text)
    if length > MAX_BODY:
        raise BadRequest(413, f"more than {MAX_BODY} bytes")
    body = reader.read(length)
    if len(body) < length:
        raise BadRequest(400, "the body ended early")
    return body


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"


@dataclass(slots=True)
class HttpServer:
    """Serves `app` on 127.0.0.1, one thread a connection, until `stop`; port 0 picks a free one."""

    app: App
    port: int = 0
    _listener: socket.socket = field(init=False, repr=False)
    _wake: tuple[socket.socket, socket.socket] = field(init=False, repr=False)
    _stopping: threading.Event = field(default_factory=threading.Event, init=False, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)
    _open: dict[socket.socket, threading.Thread] = field(default_factory=dict, init=False, repr=False)
    _acceptor: threading.Thread = field(init=False, repr=False)

    def start(self) -> None:
        """Bind and serve in the background; raises OSError when the port is taken."""
        self._listener = socket.create_server(("127.0.0.1", self.port), backlog=1024)
        self.port = self._listener.getsockname()[1]
        self._wake = socket.socketpair()
        self._acceptor = threading.Thread(target=self._accept, name=f"sandbox-{self.port}", daemon=True)
        self._acceptor.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def stop(self) -> None:
        """Stop accepting, cut every open connection and wait for its thread."""
        self._stopping.set()
        self._wake[1].send(b"x")
        self._acceptor.join(_JOIN_S)
        with self._lock:
            connections = dict(self._open)
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in connections.values():
            thread.join(_JOIN_S)
        for end in (*self._wake, self._listener):
            end.close()

    def _accept(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._listener, selectors.EVENT_READ)
            selector.register(self._wake[0], selectors.EVENT_READ)
            while not self._stopping.is_set():
                if any(key.fileobj is self._listener for key, _ in selector.select()):
                    self._take_connection()

    def _take_connection(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:  # the client left before we got to it
            return
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
        with self._lock:
            self._open[connection] = thread
        thread.start()

    def _serve(self, connection: socket.socket) -> None:
        reader = connection.makefile("rb")
        try:
            while not self._stopping.is_set() and self._answer_next(reader, connection):
                pass
        except OSError:  # the client went away, which is its right
            pass
        finally:
            # A reader keeps the socket open: it must go first, or a reset would not leave at once.
            reader.close()
            connection.close()
            with self._lock:
                self._open.pop(connection, None)

    def _answer_next(self, reader: BufferedReader, connection: socket.socket) -> bool:
        """Answer one request; False when the connection is to be closed."""
        try:
            request = read_request(reader)
        except BadRequest as error:
            connection.sendall(Response(error.status, str(error).encode(), "text/plain").head() + str(error).encode())
            return False
        if request is None:
            return False
        response = self.app(request)
        if response.delay_s > 0 and self._stopping.wait(response.delay_s):
            return False
        return self._send(connection, response) and request.headers.get("connection", "").lower() != "close"

    def _send(self, connection: socket.socket, response: Response) -> bool:
        """Let the response leave the way it wants to; True when the connection may go on."""
        if response.ending is Ending.SEND:
            connection.sendall(response.head() + response.body)
            return True
        if response.ending is Ending.DRIP:
            return self._drip(connection, response)
        if response.ending is Ending.HANG:
            self._stopping.wait(response.hold_s)
        elif response.ending is Ending.TRUNCATE:
            connection.sendall(response.head() + response.body[: len(response.body) // 2])
        elif response.ending is Ending.RESET:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return False

    def _drip(self, connection: socket.socket, response: Response) -> bool:
        pieces = 20
        size = max(1, -(-len(response.body) // pieces))
        connection.sendall(response.head())
        for start in range(0, len(response.body), size):
            if self._stopping.wait(response.hold_s / pieces):
                return False
            connection.sendall(response.body[start : start + size])
        return True
