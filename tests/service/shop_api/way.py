"""The shop of a yard, reached as in production: our connector, our gateway, the plug-in under PHP."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from prometheus_client import CollectorRegistry

from sync.db.session import Database, make_engine
from sync.gateway import Gateway
from sync.metrics import Counters
from sync.peers import PeerDoor
from sync.settings import PeerSettings
from sync.shops.ecshop_api import EcshopApiShop
from sync.shops.port import Shop
from tests.service.plugin.php import KEY, PhpShop
from tests.service.shop.yard import Yard


@dataclass(frozen=True)
class PluginYard(Yard):
    """A shop that is looked at in its database and reached by the plug-in."""

    gateway: Gateway = field(kw_only=True, repr=False)
    plugin_url: str = field(kw_only=True)

    def opened(self, config: Mapping[str, Any]) -> Shop:
        return EcshopApiShop("main", {"url": self.plugin_url, "key": KEY, **config}, self.gateway.line("shop.main"))


def over_plugin(yard: Yard, php: PhpShop) -> PluginYard:
    """The same shop behind the plug-in, which from now on serves it."""
    php.is_set()
    php.serves(yard.url)
    url = php.caller.url
    return PluginYard(yard.url, yard.engine, yard.tables, gateway=gateway_to(url), plugin_url=url)


def gateway_to(url: str, *, key: str = KEY, read_timeout_s: float = 30) -> Gateway:
    """A gateway with this one peer; its door is never asked by a shop."""
    config = {"url": url, "key": key}
    peer = PeerSettings("shop", "main", "ecshop_api", EcshopApiShop.spec, config, read_timeout_s=read_timeout_s)
    return Gateway([peer], PeerDoor(Database(make_engine("sqlite://"))), Counters(CollectorRegistry()))
