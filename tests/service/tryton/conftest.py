from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from sync.sandbox.shop_data import GOODS
from tests.service.house import House, open_house
from tests.service.tryton.server import Tryton, running_tryton

ON_HAND = 10_000
SKUS = [
    sku
    for goods in GOODS
    if goods.is_real
    for sku in ([f"{goods.sn}-{number}" for number, _ in enumerate(goods.variants, 1)] or [goods.sn])
]


@pytest.fixture(scope="session")
def tryton() -> Iterator[Tryton]:
    """A Tryton with everything that the sandbox shop sells on its shelves. The first run on a machine takes minutes."""
    with running_tryton(dict.fromkeys(SKUS, ON_HAND)) as running:
        yield running


OpenHouse = Callable[..., AbstractContextManager[House]]


@pytest.fixture
def open_tryton_house(tmp_path: Path, tryton: Tryton) -> OpenHouse:
    """Opens a house whose only ERP is this Tryton; settings of the connector may be others."""

    def open_it(**changes: str) -> AbstractContextManager[House]:
        ours: dict[str, str | None] = {"ECSYNC_ERPS": "tryton", **tryton.settings(**changes)}
        others = ("ECSYNC_ERP_GENERIC_REST_BASE_URL", "ECSYNC_ERP_GENERIC_REST_TOKEN")
        return open_house(tmp_path, sandbox=None, **dict.fromkeys(others), **ours)

    return open_it


@pytest.fixture
def house(open_tryton_house: OpenHouse) -> Iterator[House]:
    with open_tryton_house() as opened:
        yield opened
