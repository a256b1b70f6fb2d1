"""A way to MariaDB that breaks off after a chosen write: what a dying PHP, host or network leaves behind."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

_COM_QUERY = 3


@dataclass
class Cut:
    """Counts INSERTs and UPDATEs; the one that makes `after` full is executed, and its answer never arrives."""

    after: int = 0
    statements: list[str] = field(default_factory=list)
    queries: list[str] = field(default_factory=list)
    """Statements of any kind."""

    def is_due(self, packet: bytes) -> bool:
        if len(packet) < 5 or packet[3] != 0 or packet[4] != _COM_QUERY:
            return False
        statement = packet[5:].decode("utf-8", "replace")
        self.queries.append(statement)
        if not statement.startswith(("INSERT", "UPDATE")):
            return False
        self.statements.append(statement)
        return len(self.statements) == self.after


@contextmanager
def cut_way(host: str, port: int, cut: Cut) -> Iterator[int]:
    """The port of a relay to the server at host and port; each statement comes in one packet of the client."""
    with socket.create_server(("127.0.0.1", 0)) as door:
        threading.Thread(target=_serve, args=(door, (host, port), cut), daemon=True).start()
        yield door.getsockname()[1]
        door.shutdown(socket.SHUT_RDWR)


def _serve(door: socket.socket, server: tuple[str, int], cut: Cut) -> None:
    while True:
        try:
            client, _ = door.accept()
        except OSError:
            return
        threading.Thread(target=_relay, args=(client, socket.create_connection(server), cut), daemon=True).start()


def _relay(client: socket.socket, server: socket.socket, cut: Cut) -> None:
    """Client to server packet by packet; server to client as it comes."""
    is_dead = threading.Event()
    back = threading.Thread(target=_answer, args=(server, client, is_dead), daemon=True)
    back.start()
    with client, server:
        while packet := _packet(client):
            if cut.is_due(packet):
                is_dead.set()
                server.sendall(packet)
                back.join(10)  # the answer has come, so the statement is executed
                break
            server.sendall(packet)
        for end in (client, server):
            _close(end)
    back.join(10)


def _answer(server: socket.socket, client: socket.socket, is_dead: threading.Event) -> None:
    try:
        while data := server.recv(65536):
            if is_dead.is_set():
                return
            client.sendall(data)
    except OSError:
        return
    _close(client)


def _packet(client: socket.socket) -> bytes:
    try:
        head = _exactly(client, 4)
        return head + _exactly(client, int.from_bytes(head[:3], "little"))
    except (OSError, EOFError):
        return b""


def _exactly(client: socket.socket, length: int) -> bytes:
    data = b""
    while len(data) < length:
        more = client.recv(length - len(data))
        if not more:
            raise EOFError
        data += more
    return data


def _close(end: socket.socket) -> None:
    try:
        end.shutdown(socket.SHUT_RDWR)
    except OSError:
        return
