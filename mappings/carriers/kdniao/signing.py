"""KDNiao's signature and envelope: one text is built once, signed as it is and sent as it is."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable
from urllib.parse import unquote, urlencode

from mappings.address import FULL_WIDTH

FORBIDDEN = FULL_WIDTH
"""Characters that break KDNiao's signature check inside a value, and the full-width forms sent instead.

KDNiao reports them as 验证数据签名失败, never as a fault of the field.
"""


def sign(text: str, app_key: str) -> str:
    """base64 of the lower-case hex md5 of text and key: 44 ASCII characters (KDNiao's DataSign)."""
    digest = hashlib.md5((text + app_key).encode()).hexdigest()
    return base64.b64encode(digest.encode()).decode()


def is_signed_by(text: str, data_sign: str, app_keys: Iterable[str]) -> bool:
    """Whether one of our keys made this signature; senders that percent-encode it twice are understood."""
    given = unquote(data_sign).encode()
    return any(hmac.compare_digest(sign(text, key).encode(), given) for key in app_keys if key)


def envelope(request_data: str, *, ebusiness_id: str, request_type: str, app_key: str) -> bytes:
    """The form body of a request; the form encoder percent-encodes once, after signing."""
    return urlencode(
        {
            "RequestData": request_data,
            "EBusinessID": ebusiness_id,
            "RequestType": request_type,
            "DataSign": sign(request_data, app_key),
            "DataType": "2",
        }
    ).encode("ascii")
