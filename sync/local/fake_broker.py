"""`python -m sync.local.fake_broker --port N`: a Redis in pure Python that keeps nothing, where there is no other."""

from __future__ import annotations

import argparse
import signal
import threading

from fakeredis import TcpFakeServer
from fakeredis._clients._tcp_server import TCPFakeRequestHandler


def serve(port: int) -> None:
    """Serve on 127.0.0.1 until SIGTERM or Ctrl-C."""
    # Small replies wait for the client's delayed acknowledgement otherwise: 45 ms each, 11 tasks a second in all.
    TCPFakeRequestHandler.disable_nagle_algorithm = True
    TcpFakeServer.request_queue_size = 128
    server = TcpFakeServer(("127.0.0.1", port), server_type="redis")
    server.daemon_threads = True
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    threading.Thread(target=server.serve_forever, daemon=True).start()
    stop.wait()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m sync.local.fake_broker", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    serve(parser.parse_args().port)


if __name__ == "__main__":
    main()
