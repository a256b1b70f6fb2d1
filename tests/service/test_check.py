"""`ecsync check` asks each carrier a harmless question, and tells a key that is refused from a number nobody knows."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from sync.services.check import check
from sync.shops.port import Finding
from tests.service.house import House, open_house
from tests.service.kuaidi100_house import open_kuaidi100_house
from tests.service.sf_house import open_sf_house

Open = Callable[..., AbstractContextManager[House]]

CARRIERS: dict[str, tuple[Open, str]] = {
    "kdniao": (open_house, "APP_KEY"),
    "kuaidi100": (open_kuaidi100_house, "KEY"),
    "sf": (open_sf_house, "CHECKWORD"),
}


def look(house: House, name: str) -> Finding:
    return next(found for found in check(house.rt) if found.subject == f"carrier.{name}")


@pytest.mark.parametrize("name", CARRIERS)
def test_a_carrier_that_takes_our_key_is_well(name: str, tmp_path: Path) -> None:
    opened, _ = CARRIERS[name]
    with opened(tmp_path) as house:
        assert look(house, name).is_ok


@pytest.mark.parametrize("name", CARRIERS)
def test_a_key_that_a_carrier_refuses_is_found_before_any_order(name: str, tmp_path: Path) -> None:
    opened, setting = CARRIERS[name]
    with opened(tmp_path, **{f"ECSYNC_CARRIER_{name.upper()}_{setting}": "a-key-of-somebody-else"}) as house:
        found = look(house, name)

        assert (found.is_ok, found.remedy) == (False, "correct its credentials")
        assert "signature_refused" in found.detail or "account" in found.detail
