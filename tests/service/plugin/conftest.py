"""The plug-in in a shop on MariaDB, with both of ECShop's storage engines."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.service.plugin.php import Caller, PhpShop, php_server
from tests.service.shop.conftest import Kept, innodb_shop, myisam_shop, old_shop
from tests.service.shop.yard import Yard

__all__ = ["innodb_shop", "myisam_shop", "old_shop"]


@pytest.fixture(scope="session")
def running_php(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PhpShop]:
    with php_server(tmp_path_factory.mktemp("php") / "shop") as shop:
        yield shop


@pytest.fixture
def mariadb_yard(myisam_shop: Kept) -> Yard:
    """A shop of the kind that most are."""
    return myisam_shop.emptied()


@pytest.fixture(params=["myisam", "innodb"])
def yard(request: pytest.FixtureRequest) -> Yard:
    """A shop without orders on each kind of storage."""
    kept: Kept = request.getfixturevalue(f"{request.param}_shop")
    return kept.emptied()


@pytest.fixture
def php_shop(running_php: PhpShop, request: pytest.FixtureRequest) -> Iterator[PhpShop]:
    """The shop's folder, serving the test's yard. PHP must not have complained of anything at the end."""
    shop = running_php
    shop.is_set()
    name = next(name for name in ("yard", "mariadb_yard") if name in request.fixturenames)
    served: Yard = request.getfixturevalue(name)
    shop.serves(served.url)
    before = len(shop.complaints())
    yield shop
    assert shop.complaints()[before:] == []


@pytest.fixture
def caller(php_shop: PhpShop) -> Caller:
    return php_shop.caller
