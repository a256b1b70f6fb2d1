"""A peer with a certificate of the company's own authority that demands one of us, over a real TLS connection."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from mappings.errors import AuthError
from sync.gateway import CallContext
from sync.sandbox.erp import SandboxErp
from sync.sandbox.faults import FaultInjector
from sync.sandbox.http import Request
from sync.sandbox.ledger import Ledger
from sync.settings import SettingsError
from tests.service.certificates import Authority
from tests.service.house import House, open_house

ERP = "erp.generic_rest"
PREFIX = "ECSYNC_ERP_GENERIC_REST_"
TOKEN = "sandbox-erp-token"


class TlsErp(ThreadingHTTPServer):
    """The sandbox ERP behind TLS; whoever shows no certificate of the authority is turned away."""

    def __init__(self, authority: Authority) -> None:
        cert, key = authority.issue("server")
        super().__init__(("127.0.0.1", 0), _Handler)
        self.ledger = Ledger()
        self.app = SandboxErp(self.ledger, FaultInjector(1), token=TOKEN)
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.load_cert_chain(cert, key)
        self.tls.load_verify_locations(authority.path)
        self.tls.verify_mode = ssl.CERT_REQUIRED

    @property
    def url(self) -> str:
        return f"https://localhost:{self.server_port}"

    def finish_request(self, request: Any, client_address: Any) -> None:
        """The handshake, in the connection's own thread."""
        try:
            with self.tls.wrap_socket(request, server_side=True) as connection:
                super().finish_request(connection, client_address)
        except OSError:  # who failed the handshake is gone
            return


class _Handler(BaseHTTPRequestHandler):
    server: TlsErp

    def do_POST(self) -> None:
        url = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = self.rfile.read(int(headers.get("content-length", "0")))
        response = self.server.app(Request(self.command, url.path, dict(parse_qsl(url.query)), headers, body))
        self.send_response(response.status)
        self.send_header("Content-Type", response.content_type)
        self.send_header("Content-Length", str(len(response.body)))
        self.end_headers()
        self.wfile.write(response.body)

    do_GET = do_POST  # noqa: N815 - the standard library's name

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the ledger knows."""


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority.found(tmp_path)


@pytest.fixture
def tls_erp(authority: Authority) -> Iterator[TlsErp]:
    server = TlsErp(authority)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@contextmanager
def connected(tmp_path: Path, erp: TlsErp, **files: Path) -> Iterator[House]:
    """A house before that ERP; `files` are settings like `CA_FILE`."""
    named = {PREFIX + name: str(path) for name, path in files.items()}
    with open_house(
        tmp_path, sandbox=None, **{PREFIX + "BASE_URL": erp.url, PREFIX + "TOKEN": TOKEN, **named}
    ) as house:
        yield house


def refusal(house: House) -> AuthError:
    with pytest.raises(AuthError) as caught:
        house.rt.gateway.run(ERP, house.rt.erps[ERP].find("1"), CallContext())
    return caught.value


def test_an_order_reaches_an_erp_that_demands_our_certificate(
    tmp_path: Path, authority: Authority, tls_erp: TlsErp
) -> None:
    cert, key = authority.issue("client")
    with connected(tmp_path, tls_erp, CA_FILE=authority.path, CLIENT_CERT=cert, CLIENT_KEY=key) as house:
        [order_sn] = house.seed()
        house.poll()
        house.settle()

        assert house.step("push_order", order_sn).state == "done"
    assert tls_erp.ledger.snapshot()["erp"]["documents"] == 1


def test_certificate_and_key_may_stand_in_one_file(tmp_path: Path, authority: Authority, tls_erp: TlsErp) -> None:
    cert, key = authority.issue("client")
    both = tmp_path / "both.pem"
    both.write_bytes(cert.read_bytes() + key.read_bytes())
    with connected(tmp_path, tls_erp, CA_FILE=authority.path, CLIENT_CERT=both) as house:
        assert house.rt.gateway.run(ERP, house.rt.erps[ERP].find("1"), CallContext()) is None


def test_a_server_whose_authority_nobody_trusts_gets_no_order(tmp_path: Path, tls_erp: TlsErp) -> None:
    with connected(tmp_path, tls_erp) as house:
        problem = refusal(house)

    assert problem.code == "generic_rest.find_order.tls"
    assert "certificate" in problem.message


def test_a_server_that_demands_our_certificate_does_not_let_us_in_without(
    tmp_path: Path, authority: Authority, tls_erp: TlsErp
) -> None:
    with connected(tmp_path, tls_erp, CA_FILE=authority.path) as house:
        assert refusal(house).code == "generic_rest.find_order.tls"
    assert tls_erp.ledger.snapshot()["calls"] == []


def test_a_certificate_of_another_authority_is_turned_away(
    tmp_path: Path, authority: Authority, tls_erp: TlsErp
) -> None:
    cert, key = Authority.found(tmp_path, "stranger").issue("client")
    with connected(tmp_path, tls_erp, CA_FILE=authority.path, CLIENT_CERT=cert, CLIENT_KEY=key) as house:
        assert refusal(house).code == "generic_rest.find_order.tls"


def test_a_certificate_that_was_taken_away_while_we_run_is_named(
    tmp_path: Path, authority: Authority, tls_erp: TlsErp
) -> None:
    cert, key = authority.issue("client")
    with connected(tmp_path, tls_erp, CA_FILE=authority.path, CLIENT_CERT=cert, CLIENT_KEY=key) as house:
        cert.unlink()
        problem = refusal(house)

    assert str(cert) in problem.message
    assert "nothing was sent" in problem.message


@pytest.mark.parametrize(
    ("given", "name", "sentence"),
    [
        ({"CLIENT_CERT": "client.crt", "CLIENT_KEY": "other.key"}, "CLIENT_CERT", "does not fit its key"),
        ({"CLIENT_CERT": "sealed.crt", "CLIENT_KEY": "sealed.key"}, "CLIENT_CERT", "passphrase"),
        ({"CLIENT_CERT": "client.crt"}, "CLIENT_CERT", "does not fit its key"),
        ({"CLIENT_KEY": "client.key"}, "CLIENT_KEY", "without certificate"),
        ({"CLIENT_CERT": "nothing.crt"}, "CLIENT_CERT", "cannot be read"),
        ({"CA_FILE": "client.key"}, "CA_FILE", "no certificate of an authority"),
        ({"CLIENT_CERT_FILE": "client.crt"}, "CLIENT_CERT", "without _FILE"),
    ],
)
def test_files_that_do_not_fit_are_said_at_start(
    tmp_path: Path, authority: Authority, tls_erp: TlsErp, given: dict[str, str], name: str, sentence: str
) -> None:
    authority.issue("client")
    authority.issue("other")
    authority.issue("sealed", passphrase=b"secret")
    files = {setting: tmp_path / file for setting, file in given.items()}

    with pytest.raises(SettingsError) as caught, connected(tmp_path, tls_erp, **files):
        pass

    assert sentence in caught.value.problems[PREFIX + name]
    assert "PRIVATE" not in str(caught.value)
