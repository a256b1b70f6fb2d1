"""Shops behind the plug-in, on MariaDB with both of ECShop's storage engines."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.service.plugin.conftest import running_php
from tests.service.plugin.php import PhpShop
from tests.service.shop.conftest import Kept, innodb_shop, myisam_shop
from tests.service.shop.test_spoiled_rows import altered
from tests.service.shop_api.way import PluginYard, over_plugin

__all__ = ["altered", "innodb_shop", "myisam_shop", "running_php"]


@pytest.fixture(params=["myisam", "innodb"])
def yard(request: pytest.FixtureRequest, running_php: PhpShop) -> Iterator[PluginYard]:
    """A shop without orders on each kind of storage; the plug-in knows no SQLite."""
    engine = "myisam" if request.param == "sqlite" else request.param
    yield from _served(request.getfixturevalue(f"{engine}_shop"), running_php)


@pytest.fixture
def mariadb_yard(myisam_shop: Kept, running_php: PhpShop) -> Iterator[PluginYard]:
    """A shop of the kind that most are."""
    yield from _served(myisam_shop, running_php)


@pytest.fixture
def sqlite_yard(mariadb_yard: PluginYard) -> PluginYard:
    """For what does not depend on the storage."""
    return mariadb_yard


@pytest.fixture
def spoiled(altered: Kept, running_php: PhpShop) -> Iterator[PluginYard]:
    """A shop whose columns hold what ECShop never writes."""
    yield from _served(altered, running_php)


def _served(kept: Kept, php: PhpShop) -> Iterator[PluginYard]:
    """PHP must not have complained of anything at the end."""
    yard = over_plugin(kept.emptied(), php)
    before = len(php.complaints())
    yield yard
    yard.gateway.close()
    assert php.complaints()[before:] == []
