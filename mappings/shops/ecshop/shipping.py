"""Which courier carries an ECShop shipping method."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from importlib.resources import files

from mappings.errors import UnmappedError

_TABLE = tomllib.loads(files(__package__).joinpath("shipping.toml").read_text("utf-8"))
_SHIPPERS: Mapping[str, str] = _TABLE["modules"] | _TABLE["plugins"]
_PAIR = re.compile(r"\s*(?P<module>[^=\s]+)\s*=\s*(?P<shipper>[A-Za-z0-9_]+)\s*")


def shipper_code_for(shipping_code: str, overrides: Mapping[str, str], default: str) -> str:
    """KDNiao's code of the courier for a shipping module.

    The shop's own `overrides` come first, then shipping.toml, then `default`; raises UnmappedError
    `ecshop.order.carrier_unmapped` with the line to add.
    """
    shipper = overrides.get(shipping_code) or _SHIPPERS.get(shipping_code) or default
    if not shipper:
        word = shipping_code or "(method no longer installed)"
        raise UnmappedError(
            "ecshop.order.carrier_unmapped",
            f"no courier is mapped to the shipping module {word}",
            hint=f"Add to the shop's setting shipper_map: {shipping_code or 'CODE'}=COURIER, or set default_shipper.",
            peer_code=shipping_code,
        )
    return shipper


def parse_shipper_map(text: str) -> dict[str, str]:
    """Read `flat=YTO,fpd=ZTO`; raises ValueError with a sentence."""
    pairs: dict[str, str] = {}
    for part in filter(str.strip, text.split(",")):
        match = _PAIR.fullmatch(part)
        if match is None:
            raise ValueError(f"{part.strip()!r} is not MODULE=COURIER, for example flat=YTO")
        pairs[match["module"]] = match["shipper"].upper()
    return pairs
