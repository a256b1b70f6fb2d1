"""Stub, replaced in a later commit."""

from __future__ import annotations

from datetime import datetime

from sync.shops.ecshop_db import ShopDatabase
from sync.shops.ecshop_settings import ShopSettings
from sync.shops.ecshop_tables import EcshopTables
from sync.shops.port import Finding


def check_shop(database: ShopDatabase, tables: EcshopTables, settings: ShopSettings, now: datetime) -> list[Finding]:
    raise NotImplementedError
