"""What a process needs to work, made once: settings, database, gateway, connectors, shops, clock."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import cast

from mappings.connector import CarrierConnector, ErpConnector, NumberingErp
from sync import exceptions as desk
from sync.clock import BusinessClock
from sync.db.session import Database, make_engine
from sync.gateway import Gateway
from sync.keeper import Keeper
from sync.metrics import Counters, share_counters
from sync.notify import Notifier
from sync.peers import PeerDoor
from sync.registry import load_connector
from sync.settings import PeerSettings, Settings
from sync.shops.port import Shop
from sync.switchboard import Switchboard


class Runtime:
    """The rooms of one process, wired. Services take it as their first argument."""

    def __init__(self, settings: Settings, *, counters: Counters | None = None) -> None:
        self.settings = settings
        self.database = Database(make_engine(settings.database_url))
        if counters is None and settings.metrics_dir:
            share_counters(settings.metrics_dir)
        self.counters = counters or Counters()
        self.switchboard = Switchboard(self.database, failover_after_s=settings.failover_after_s)
        self.door = PeerDoor(
            self.database,
            failures=settings.breaker_failures,
            probe_s=settings.breaker_probe_s,
            on_recovered=desk.resume_after_outage,
            on_refused=desk.report_refused_peer,
            pauses=self.switchboard,
        )
        keeper = Keeper(self.database, settings.secrets_key)
        self.gateway = Gateway(settings.peers, self.door, self.counters, settings.limits_url, keeper)
        self.notifier = Notifier(settings)

    @property
    def clock(self) -> BusinessClock:
        return self.settings.clock

    @cached_property
    def carriers(self) -> dict[str, CarrierConnector]:
        return {peer.key: load_connector("carrier", peer.connector)(peer.config) for peer in self.settings.carriers}

    @cached_property
    def erps(self) -> dict[str, ErpConnector]:
        return {peer.key: load_connector("erp", peer.connector)(peer.config) for peer in self.settings.erps}

    def pusher(self, key: str) -> CarrierConnector | NumberingErp:
        """Who reads the pushes of a peer. Raises KeyError where it makes none."""
        if key in self.erps and self.peer(key).spec.pushes_numbers(self.peer(key).config):
            return cast(NumberingErp, self.erps[key])
        return self.carriers[key]

    @cached_property
    def shops(self) -> dict[str, Shop]:
        return {peer.key: self._open_shop(peer) for peer in self.settings.shops}

    def _open_shop(self, peer: PeerSettings) -> Shop:
        make: Callable[..., Shop] = load_connector("shop", peer.connector)
        if peer.spec.over_http:
            return make(peer.name, peer.config, self.gateway.line(peer.key))
        return make(peer.name, peer.config)

    def peer(self, key: str) -> PeerSettings:
        return next(peer for peer in self.settings.peers if peer.key == key)

    def close(self) -> None:
        """Give back connections; the runtime must not be used afterwards."""
        self.gateway.close()
        self.database.close()
