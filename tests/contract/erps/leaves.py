"""What an explanation is held against: the fields of a document that was sent, read without the connector's help."""

from __future__ import annotations

import json
from typing import Any


def leaves(value: Any, path: str = "") -> dict[str, str]:
    """Each value that holds no others, an empty list too, by its path (`lines[0].sku`), in the order of sending."""
    if isinstance(value, dict) and value:
        parts = [(f"{path}.{name}".removeprefix("."), child) for name, child in value.items()]
    elif isinstance(value, list) and value:
        parts = [(f"{path}[{number}]", child) for number, child in enumerate(value)]
    else:
        return {path: value if isinstance(value, str) else json.dumps(value)}
    return {name: text for at, child in parts for name, text in leaves(child, at).items()}
