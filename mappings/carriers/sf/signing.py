"""Fengqiao's signature and envelope: one text is built once, signed with the moment of sending, and sent as it is."""

from __future__ import annotations

import base64
import hashlib
from urllib.parse import quote_plus, urlencode

from mappings.wire import Stamp


def digest(msg_data: str, timestamp: str, checkword: str) -> str:
    """base64 of the md5 of text, time and check word as Java's URLEncoder writes them: 24 ASCII characters.

    Java keeps `*` and encodes `~`; a client that does otherwise is refused (A1006) for some addresses only.
    """
    written = quote_plus(msg_data + timestamp + checkword, safe="*").replace("~", "%7E")
    return base64.b64encode(hashlib.md5(written.encode("ascii")).digest()).decode("ascii")


def envelope(msg_data: str, *, partner_id: str, checkword: str, service_code: str, stamp: Stamp) -> bytes:
    """The form body of a request. A requestID serves once, and SF refuses a time that is not its own (A1002, A1007)."""
    timestamp = str(int(stamp.at.timestamp() * 1000))
    return urlencode(
        {
            "partnerID": partner_id,
            "requestID": stamp.nonce,
            "serviceCode": service_code,
            "timestamp": timestamp,
            "msgDigest": digest(msg_data, timestamp, checkword),
            "msgData": msg_data,
        }
    ).encode("ascii")
