"""ECShop reached by our plug-in in the shop (`ecsync.php`): signed requests, and the same rows as its database."""

from mappings.shops.ecshop_api.answers import Page, Ping, StockPage
from mappings.shops.ecshop_api.parcel import bare_fields, parcel_fields
from mappings.shops.ecshop_api.plugin import Plugin
from mappings.shops.ecshop_api.settings import SPEC, ApiSettings, read_settings
from mappings.shops.ecshop_api.signing import Stamp

__all__ = [
    "SPEC",
    "ApiSettings",
    "Page",
    "Ping",
    "Plugin",
    "Stamp",
    "StockPage",
    "bare_fields",
    "parcel_fields",
    "read_settings",
]
