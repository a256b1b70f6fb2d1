"""What an order has to do with ERPs: which of them get a shop's orders, and what is expected of each of them.

`ECSYNC_SHOP_<NAME>_ERPS`, `ECSYNC_ERP_<NAME>_NUMBER_WITHIN_S`, `ECSYNC_ERP_<NAME>_TAKES_SHIPMENTS` and the like.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from mappings.connector import Spec
from sync.settings_reader import Reader, parse_seconds, parse_seconds_or_never


@dataclass(frozen=True, slots=True)
class ErpSettings:
    """`number_within_s` 0: its number is never asked for. `takes_shipments`: its warehouse sends the parcels.

    `ships_within_s` is how long that may take before a person is told; 0: nobody is. `couriers` is what the ERP calls a
    courier -> its code here. `track_by` follows the numbers; empty: the carrier that the parcel was routed to.
    """

    number_within_s: float = 24 * 3600.0
    takes_shipments: bool = False
    shipments_interval_s: float = 300.0
    ships_within_s: float = 72 * 3600.0
    couriers: Mapping[str, str] = field(default_factory=dict)
    track_by: str = ""


def read_erp_settings(reader: Reader, prefix: str, spec: Spec, config: Mapping[str, Any]) -> ErpSettings:
    """Those of one ERP; what its connector cannot do has no setting."""
    get, default = reader.get, ErpSettings()
    within_s, takes, interval_s = default.number_within_s, default.takes_shipments, default.shipments_interval_s
    ships_within_s = default.ships_within_s
    couriers, track_by = default.couriers, default.track_by
    if spec.numbers_later:
        within_s = within_s if spec.tells_numbers(config) else 0
        within_s = get(f"{prefix}NUMBER_WITHIN_S", parse_seconds_or_never, within_s)
    if spec.polls_shipments:
        takes = get(f"{prefix}TAKES_SHIPMENTS", _switch, takes)
        interval_s = get(f"{prefix}SHIPMENTS_INTERVAL_S", parse_seconds, interval_s)
        ships_within_s = get(f"{prefix}SHIPS_WITHIN_S", parse_seconds_or_never, ships_within_s)
        couriers = get(f"{prefix}COURIERS", parse_couriers, couriers)
        track_by = get(f"{prefix}TRACK_BY", default=track_by)
    return ErpSettings(within_s, takes, interval_s, ships_within_s, couriers, track_by)


def parse_couriers(text: str) -> dict[str, str]:
    """Read `顺丰速运=SF,YTO01=YTO`: the ERP's word, then our code. Raises ValueError."""
    couriers: dict[str, str] = {}
    for item in filter(None, (item.strip() for item in text.split(","))):
        theirs, equals, ours = (part.strip() for part in item.rpartition("="))
        if not (equals and theirs and ours.isascii() and ours.isalnum()):
            raise ValueError(f"{item!r} is not the ERP's word for a courier, = and its code such as SF")
        if couriers.setdefault(theirs, ours.upper()) != ours.upper():
            raise ValueError(f"{theirs!r} stands there for two couriers")
    return couriers


def erp_problems(
    shops: Mapping[str, tuple[str, ...]], erps: Mapping[str, ErpSettings], followers: Collection[str]
) -> dict[str, str]:
    """Shops whose orders would go to an ERP that is not there or be sent by two warehouses, and unknown followers.

    `followers` are the carriers that can be asked about a number.
    """
    problems = {}
    for name, wanted in shops.items():
        variable = f"ECSYNC_SHOP_{name.upper()}_ERPS"
        shipping = [erp for erp in wanted or erps if erp in erps and erps[erp].takes_shipments]
        if missing := [erp for erp in wanted if erp not in erps]:
            problems[variable] = f"{', '.join(missing)}: no ERP of ECSYNC_ERPS"
        elif len(shipping) > 1:
            problems[variable] = (
                f"{', '.join(shipping)} would both send this shop's parcels; leave TAKES_SHIPMENTS to one"
            )
    for name, erp in erps.items():
        if erp.track_by and erp.track_by not in followers:
            known = ", ".join(followers) or "there is none"
            problems[f"ECSYNC_ERP_{name.upper()}_TRACK_BY"] = (
                f"{erp.track_by!r} is no carrier that follows numbers: {known}"
            )
    return problems


def _switch(text: str) -> bool:
    if text not in ("0", "1"):
        raise ValueError(f"{text!r} is neither 0 nor 1")
    return text == "1"
