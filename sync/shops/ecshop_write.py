"""Stub, replaced in the next commit."""

from __future__ import annotations

from datetime import datetime

from mappings.connector import ParcelToWrite
from sync.shops.ecshop_db import ShopDatabase
from sync.shops.ecshop_settings import ShopSettings
from sync.shops.ecshop_tables import EcshopTables


class Writer:
    def __init__(self, database: ShopDatabase, tables: EcshopTables, settings: ShopSettings) -> None: ...

    def claim(self, shop_order_id: str, now: datetime) -> None:
        raise NotImplementedError

    def write_note(self, parcel: ParcelToWrite, now: datetime) -> str:
        raise NotImplementedError

    def mark_shipped(self, parcel: ParcelToWrite, now: datetime) -> None:
        raise NotImplementedError
