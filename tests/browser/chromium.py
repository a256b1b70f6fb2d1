"""A headless browser, and the live server of this process that it looks at."""

from __future__ import annotations

import re
import subprocess
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flask import Flask
from werkzeug.serving import make_server

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-logging=stderr",
)


class Seen:
    """What the browser made of an address: the document after `seconds`, and what it complained of."""

    def __init__(self, dom: str, log: str) -> None:
        self.dom = dom
        self.text = re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", dom))
        self.complaints = [line for line in log.splitlines() if "CONSOLE" in line]


@dataclass(frozen=True)
class Chromium:
    """Opens addresses, each in a process of its own; what it remembers is in the folder."""

    program: str
    folder: Path

    def look(self, address: str, *, seconds: float, language: str) -> Seen:
        """The document after so many (virtual) seconds."""
        ended = self.run(address, "--dump-dom", seconds=seconds, language=language)
        return Seen(ended.stdout, ended.stderr)

    def run(self, address: str, *flags: str, seconds: float, language: str) -> subprocess.CompletedProcess[str]:
        words = [
            self.program,
            *FLAGS,
            f"--user-data-dir={self.folder}/browser",
            f"--accept-lang={language}",
            f"--virtual-time-budget={seconds * 1000:.0f}",
            *flags,
            address,
        ]
        return subprocess.run(words, capture_output=True, text=True, timeout=120, check=True)


class Site:
    """A live server that remembers what was asked of it; `deaf` makes refreshes come to nothing."""

    def __init__(self, app: Flask) -> None:
        self.inner = app.wsgi_app
        self.paths: list[str] = []
        self.deaf = False

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        self.paths.append(environ["PATH_INFO"])
        if self.deaf and environ["PATH_INFO"] == "/board":
            start_response("502 Bad Gateway", [("Content-Type", "text/html")])
            return [b"<h1>a proxy's own page</h1>"]
        return self.inner(environ, start_response)


@contextmanager
def serving(site: Site) -> Iterator[str]:
    """The address at which the site answers."""
    server = make_server("127.0.0.1", 0, site, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
