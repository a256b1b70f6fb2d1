"""Kingdee's signature headers, as its own SDK makes them: two of them prove the gateway's secret, two the account's.

Source: headers made by the vendor's Java SDK 8.2.0 with invented credentials. The PHP port that signs a literal
backslash and n, and seconds, is wrong.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64decode, b64encode
from dataclasses import dataclass, field
from datetime import datetime
from itertools import cycle
from urllib.parse import quote, urlsplit

_MASK = b"0054f397c6234378b09ca7d3e5debce7"
"""Stands in the vendor's SDK: an app ID holds its secret behind this."""


@dataclass(frozen=True, slots=True)
class Signer:
    """Who signs; `app_data` is account, user, language and organisation with commas between."""

    app_id: str = field(repr=False)
    app_secret: str = field(repr=False)
    app_data: str

    def headers(self, url: str, at: datetime) -> dict[str, str]:
        """The headers of a POST that leaves now; the moment in ms is both timestamp and nonce."""
        moment = str(int(at.timestamp() * 1000))
        path = quote(urlsplit(url).path, safe="")
        signed = f"POST\n{path}\n\nx-api-nonce:{moment}\nx-api-timestamp:{moment}\n"
        return {
            "X-Api-ClientID": client_of(self.app_id),
            "X-Api-Auth-Version": "2.0",
            "x-api-timestamp": moment,
            "x-api-nonce": moment,
            "x-api-signheaders": "X-Api-TimeStamp,X-Api-Nonce",
            "X-Api-Signature": _sign(client_secret_of(self.app_id), signed),
            "X-Kd-Appkey": self.app_id,
            "X-Kd-Appdata": b64encode(self.app_data.encode()).decode(),
            "X-Kd-Signature": _sign(self.app_secret, self.app_id + self.app_data),
        }


def client_of(app_id: str) -> str:
    """The client ID: what stands before the line in an app ID."""
    return app_id.partition("_")[0]


def client_secret_of(app_id: str) -> str:
    """The client's secret, taken out of the app ID. Raises ValueError where it holds none."""
    hidden = b64decode(app_id.partition("_")[2], validate=True)
    return b64encode(bytes(byte ^ mask for byte, mask in zip(hidden, cycle(_MASK), strict=False))).decode()


def _sign(secret: str, text: str) -> str:
    digest = hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()
    return b64encode(digest.encode()).decode()
