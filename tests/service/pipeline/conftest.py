"""An ERP whose warehouse sends the parcels: the generic one, made to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from mappings.erps.generic_rest import GenericRestErp
from tests.service.house import open_house
from tests.service.pipeline.yard import Open, Warehouse, Yard


@pytest.fixture
def opened(tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Open:
    warehouse = Warehouse()
    monkeypatch.setattr(GenericRestErp, "spec", replace(GenericRestErp.spec, polls_shipments=True))
    monkeypatch.setattr(GenericRestErp, "poll_shipments", lambda self, since: warehouse.poll(since), raising=False)
    monkeypatch.setattr(GenericRestErp, "settle_shipments", lambda self, taken: warehouse.settle(taken), raising=False)

    @contextmanager
    def open_it(**more: str | None) -> Iterator[Yard]:
        settings: dict[str, str | None] = {
            "ECSYNC_DATABASE_URL": database_url,
            "ECSYNC_ERP_GENERIC_REST_TAKES_SHIPMENTS": "1",
        }
        with open_house(tmp_path, sandbox=None, **(settings | more)) as house:
            yield Yard(house, warehouse)

    return open_it


@pytest.fixture
def yard(opened: Open) -> Iterator[Yard]:
    with opened() as made:
        yield made
