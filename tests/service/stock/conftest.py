"""A house whose ERP has what the shop shows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.service.house import House, open_house
from tests.service.stock.hands import (
    stock_up,
)


@pytest.fixture
def house(tmp_path: Path, database_url: str) -> Iterator[House]:
    """Parcels count as shipped as soon as they have a number, and the ERP has what the shop shows."""
    with open_house(tmp_path, ECSYNC_DATABASE_URL=database_url, ECSYNC_SHIP_ON="waybill") as opened:
        stock_up(opened)
        yield opened


@pytest.fixture
def small_house(tmp_path: Path) -> Iterator[House]:
    """For what does not depend on our database."""
    with open_house(tmp_path, ECSYNC_SHIP_ON="waybill") as opened:
        stock_up(opened)
        yield opened
