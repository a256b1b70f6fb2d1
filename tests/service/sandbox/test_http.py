from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from sync.sandbox.http import MAX_BODY, Ending, HttpServer, Request, Response


def echo(request: Request) -> Response:
    return Response(body=request.method.encode() + b" " + request.path.encode() + b" " + request.body)


@pytest.fixture
def server() -> Iterator[HttpServer]:
    running = HttpServer(echo)
    running.start()
    yield running
    running.stop()


def exchange(server: HttpServer, *sent: bytes) -> bytes:
    """Send raw bytes and read until the server closes."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        for piece in sent:
            connection.sendall(piece)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def test_two_requests_travel_over_one_connection_and_close_ends_it(server: HttpServer) -> None:
    first = b"POST /a HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc"
    second = b"GET /b?x=1 HTTP/1.1\r\nConnection: close\r\n\r\n"
    answer = exchange(server, first, second)
    assert answer.count(b"HTTP/1.1 200 OK\r\n") == 2
    assert b"POST /a abc" in answer
    assert answer.endswith(b"GET /b ")


def test_a_request_may_arrive_in_small_pieces(server: HttpServer) -> None:
    whole = b"POST /a HTTP/1.1\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc"
    assert exchange(server, *(whole[at : at + 1] for at in range(len(whole)))).endswith(b"POST /a abc")


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"nonsense\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nno colon here\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nContent-Length: many\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", b"411"),
        (b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % (MAX_BODY + 1), b"413"),
        (b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 65, b"431"),
    ],
)
def test_what_is_no_request_is_refused_and_the_connection_closed(
    server: HttpServer, sent: bytes, status: bytes
) -> None:
    assert exchange(server, sent).startswith(b"HTTP/1.1 " + status)


def test_a_body_that_ends_early_is_refused(server: HttpServer) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\nabc")
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(65536).startswith(b"HTTP/1.1 400")


def test_stopping_cuts_idle_and_hanging_connections_and_leaves_no_thread_behind() -> None:
    before = set(threading.enumerate())
    is_asked = threading.Event()

    def hang_on_demand(request: Request) -> Response:
        if request.path == "/hang":
            is_asked.set()
            return Response(ending=Ending.HANG, hold_s=600)
        return Response()

    server = HttpServer(hang_on_demand)
    server.start()
    with (
        socket.create_connection(("127.0.0.1", server.port), timeout=10) as idle,
        socket.create_connection(("127.0.0.1", server.port), timeout=10) as hanging,
    ):
        idle.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert idle.recv(65536).startswith(b"HTTP/1.1 200")
        hanging.sendall(b"GET /hang HTTP/1.1\r\n\r\n")
        assert is_asked.wait(10)
        started = time.monotonic()
        server.stop()
        assert time.monotonic() - started < 4
        assert (idle.recv(1), hanging.recv(1)) == (b"", b"")
    assert set(threading.enumerate()) == before


def test_a_port_in_use_is_reported_when_starting(server: HttpServer) -> None:
    with pytest.raises(OSError, match="in use"):
        HttpServer(echo, server.port).start()
