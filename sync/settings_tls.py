"""The certificates of one peer: `…_CLIENT_CERT`, `…_CLIENT_KEY` where it demands one of us, `…_CA_FILE` for its own."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

from mappings.connector import Spec
from sync.settings_reader import Reader


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """Paths of PEM files. Empty: no certificate of ours, and the public authorities. The key may stand with it."""

    client_cert: str = ""
    client_key: str = ""
    ca_file: str = ""

    @property
    def own(self) -> tuple[str, str] | None:
        """Our certificate and its key, where the peer demands one."""
        return (self.client_cert, self.client_key or self.client_cert) if self.client_cert else None

    @property
    def trusted(self) -> str | bool:
        """Whose certificates are believed: those of a file, else the public authorities'."""
        return self.ca_file or True

    @property
    def missing(self) -> str:
        """The first file that is not there (any more); empty when all are."""
        named = (self.client_cert, self.client_key, self.ca_file)
        return next((path for path in named if path and not Path(path).is_file()), "")


def read_tls_settings(reader: Reader, prefix: str, spec: Spec) -> TlsSettings:
    """Those of one peer, tried out: what does not fit together goes to the reader's problems."""
    if spec.by_hand or (spec.kind == "shop" and not spec.over_http):
        return TlsSettings()
    cert, key, ca_file = (
        reader.get(f"{prefix}{name}", parse_pem_path, "") for name in ("CLIENT_CERT", "CLIENT_KEY", "CA_FILE")
    )
    tls = TlsSettings(cert, key, ca_file)
    for name, sentence in _problems(tls).items():
        reader.problems.setdefault(f"{prefix}{name}", sentence)
    return tls


def parse_pem_path(text: str) -> str:
    """The path of a file that can be read. Raises ValueError; the message never shows what stands in the file."""
    if "-----BEGIN" in text:
        raise ValueError("is the path of a PEM file, not what stands in it: give the path, without _FILE")
    try:
        with Path(text).open("rb"):
            return text
    except OSError as problem:
        raise ValueError(f"{text} cannot be read: {problem.strerror}") from None


def _problems(tls: TlsSettings) -> dict[str, str]:
    problems = {}
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if tls.own:
        try:
            context.load_cert_chain(*tls.own, password=str)  # an empty one: who is asked for it would wait for a person
        except (OSError, ValueError):
            problems["CLIENT_CERT"] = "does not fit its key in CLIENT_KEY, is no PEM, or the key has a passphrase"
    elif tls.client_key:
        problems["CLIENT_KEY"] = "is a key without certificate: set CLIENT_CERT too"
    if tls.ca_file:
        try:
            context.load_verify_locations(tls.ca_file)
        except OSError:
            problems["CA_FILE"] = "holds no certificate of an authority in PEM"
    return problems
