"""A whole house in one process: sandbox shop and peers, our runtime, and a worker loop that the test drives."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

from alembic.runtime.migration import MigrationContext
from prometheus_client import CollectorRegistry
from sqlalchemy import Engine, select, update

from mappings.errors import PeerError
from sync import exceptions as desk
from sync.clock import BusinessClock, utc_now
from sync.db.migrate import migrate
from sync.db.models import InboxRow, OrderRow, PeerRow, ShipmentRow, StepRow
from sync.db.session import Database, make_engine
from sync.db.steps import Wake
from sync.metrics import Counters
from sync.runtime import Runtime
from sync.sandbox.kdniao import SandboxKdniao
from sync.sandbox.server import SandboxPeers, SandboxSettings
from sync.sandbox.shop import cancel_order, create_shop, open_shop, read_ledger, seed_orders
from sync.services.apply_callback import apply_callback
from sync.services.parcels import AFTER_DELIVERY
from sync.services.poll_shop import poll_shop
from sync.services.relay import relay
from sync.services.run_steps import StepParked, run_steps
from sync.services.take_in import Polled
from sync.settings import Settings, read_settings

SHOP = "shop.main"
ANSWERS_LOST = ("reset_after", "truncated", "garbage", "html_200", "html_502", "half_json")
"""Faults of a peer that did what it was asked and whose answer does not say so."""


def environment(tmp_path: Path, peers: SandboxPeers, **more: str | None) -> dict[str, str]:
    """The variables of a sandbox installation; None takes one away."""
    given = peers.settings
    variables = {
        "ECSYNC_ENVIRONMENT": "sandbox",
        "ECSYNC_DATABASE_URL": f"sqlite:///{tmp_path}/ecsync.db",
        "ECSYNC_BROKER_URL": "memory://",
        "ECSYNC_SHOPS": "main",
        "ECSYNC_SHOP_MAIN_DSN": f"sqlite:///{tmp_path}/shop.db",
        "ECSYNC_SHOP_MAIN_ENVIRONMENT": "sandbox",
        "ECSYNC_CARRIERS": "kdniao",
        "ECSYNC_CARRIER_KDNIAO_ORDER_URL": peers.carrier_url,
        "ECSYNC_CARRIER_KDNIAO_QUERY_URL": peers.carrier_url,
        "ECSYNC_CARRIER_KDNIAO_EBUSINESS_ID": given.ebusiness_id,
        "ECSYNC_CARRIER_KDNIAO_APP_KEY": given.app_key,
        "ECSYNC_CARRIER_KDNIAO_RATE_PER_S": "1000",
        "ECSYNC_ERPS": "generic_rest",
        "ECSYNC_ERP_GENERIC_REST_BASE_URL": peers.erp_url,
        "ECSYNC_ERP_GENERIC_REST_TOKEN": given.erp_token,
        "ECSYNC_SENDER_NAME": "测试仓",
        "ECSYNC_SENDER_PHONE": "13800000000",
        "ECSYNC_SENDER_PROVINCE": "广东",
        "ECSYNC_SENDER_CITY": "深圳",
        "ECSYNC_SENDER_DISTRICT": "南山区",
        "ECSYNC_SENDER_ADDRESS": "科技园路1号",
        "ECSYNC_SENDER_POSTCODE": "518057",
        "ECSYNC_RETRY_DELAY_S": "0.01",
        "ECSYNC_SERVICE_CHANNEL": peers.notice_url.replace("http://", "json://"),
        "ECSYNC_REVIEW_CHANNEL": peers.notice_url.replace("http://", "json://"),
        **more,
    }
    return {name: value for name, value in variables.items() if value is not None}


@dataclass
class House:
    """What a test holds: the runtime, the shop's database, the peers' ledger, and the worker's hands."""

    rt: Runtime
    shop: Engine
    peers: SandboxPeers

    def poll(self) -> Polled:
        """Poll the shop and serve what it found."""
        found = poll_shop(self.rt, SHOP)
        self.serve(found.wakes)
        return found

    def serve(self, wakes: list[Wake], *, follow: bool = True) -> None:
        """Do what these wakes ask for and what follows from it; failures are recorded, as in a worker."""
        waiting = list(wakes)
        while waiting:
            wake = waiting.pop(0)
            try:
                next_wakes = run_steps(self.rt, wake.order_id, wake.peer)
                waiting += next_wakes if follow else []
            except (PeerError, StepParked):
                continue

    def settle(self, rounds: int = 40) -> None:
        """Let the relay find all that is left until a round changes nothing, as if time passed quickly."""
        for _ in range(rounds):
            before = self._progress()
            self.forget_messages()
            found = relay(self.rt, {})
            self.serve(found.wakes)
            for inbox_id in found.inbox_ids:
                self.serve(apply_callback(self.rt, inbox_id))
            if self._progress() == before:
                return
        raise AssertionError("work never ended")

    def _progress(self) -> list[tuple[object, ...]]:
        with self.rt.database.reading() as session:
            steps = session.execute(select(StepRow.id, StepRow.state, StepRow.attempts).order_by(StepRow.id)).all()
            pushes = session.execute(select(InboxRow.id, InboxRow.verdict).order_by(InboxRow.id)).all()
        return [*map(tuple, steps), *map(tuple, pushes)]

    def forget_messages(self) -> None:
        """The broker lost everything and every waiting time is over."""
        with self.rt.database.writing() as session:
            now = utc_now()
            session.execute(
                update(StepRow)
                .where(StepRow.state == "owed", StepRow.name.not_in(AFTER_DELIVERY))
                .values(enqueued_at=None, not_before=now)
            )

    def step(self, name: str, order_sn: str) -> StepRow:
        with self.rt.database.reading() as session:
            return session.execute(
                select(StepRow)
                .join(OrderRow, OrderRow.id == StepRow.order_id)
                .where(StepRow.name == name, OrderRow.order_sn == order_sn)
            ).scalar_one()

    def order(self, order_sn: str) -> OrderRow:
        with self.rt.database.reading() as session:
            return session.execute(select(OrderRow).where(OrderRow.order_sn == order_sn)).scalar_one()

    def shipment(self, order_sn: str) -> ShipmentRow:
        with self.rt.database.reading() as session:
            return session.execute(
                select(ShipmentRow)
                .join(OrderRow, OrderRow.id == ShipmentRow.order_id)
                .where(OrderRow.order_sn == order_sn)
            ).scalar_one()

    def shop_order(self, order_sn: str) -> Any:
        return read_ledger(self.shop)[self.order(order_sn).shop_order_id]

    def orders(self) -> list[OrderRow]:
        with self.rt.database.reading() as session:
            return list(session.execute(select(OrderRow)).scalars())

    def problems(self) -> dict[str, str]:
        """What lies on the desk: code -> message."""
        with self.rt.database.reading() as session:
            return {one.code: one.message for one in desk.list_open(session)}

    def calls(self, operation: str) -> int:
        """How often the sandbox's KDNiao was asked for this."""
        return int(self.peers.ledger()["counts"].get(f"carrier.{operation}", 0))

    def open_doors(self) -> None:
        """The time for a probe has come at every peer."""
        with self.rt.database.writing() as session:
            session.execute(update(PeerRow).values(probe_at=utc_now()))
        self.rt.door.forget()

    def cancel(self, order_sn: str) -> None:
        """An admin cancels the order in the shop."""
        cancel_order(self.shop, self.order(order_sn).shop_order_id, self.rt.clock.now())

    def carrier_scanned(self, order_sn: str, at: datetime) -> None:
        """The courier picked the parcel up, and the push about it was lost."""
        carrier = cast(SandboxKdniao, self.peers._peers["carrier"])
        parcel = carrier._by_order[self.shipment(order_sn).order_code]
        parcel.scans = (replace(parcel.scans[0], at=at),)

    def seed(self, count: int = 1, *, bad: int = 0, seed: int = 7) -> list[str]:
        """Paid orders in the shop; returns their numbers."""
        placed = seed_orders(self.shop, count, seed, self.rt.clock.now(), bad=bad, cod_share=0)
        return [order.order_sn for order in placed]


def sandbox_shop(directory: Path) -> Engine:
    """The shop in this folder, made where there is none: a copy, since making its tables takes longest of a house."""
    path = directory / "shop.db"
    if not path.exists():
        path.write_bytes(_furnished_shop())
    return open_shop(f"sqlite:///{path}")


@cache
def _furnished_shop() -> bytes:
    with TemporaryDirectory() as directory:
        create_shop(f"sqlite:///{directory}/shop.db").dispose()
        return Path(directory, "shop.db").read_bytes()


def bring_up_to_date(database: Database) -> None:
    """As `migrate`, and much faster where there is nothing to do or no file yet."""
    newest, contents = _migrated_record()
    if database.is_sqlite and not (path := Path(str(database.engine.url.database))).exists():
        path.write_bytes(contents)
    with database.engine.connect() as connection:
        found = MigrationContext.configure(connection).get_current_revision()
    if found != newest:
        migrate(database)


@cache
def _migrated_record() -> tuple[str, bytes]:
    """The newest revision, and a SQLite file of it."""
    with TemporaryDirectory() as directory:
        path = Path(directory, "ecsync.db")
        database = Database(make_engine(f"sqlite:///{path}"))
        newest = migrate(database)
        database.close()
        return newest, path.read_bytes()


@contextmanager
def open_house(tmp_path: Path, *, sandbox: Mapping[str, Any] | None = None, **more: str | None) -> Iterator[House]:
    """Everything up; closed again at the end."""
    clock = BusinessClock()
    with SandboxPeers(SandboxSettings(clock=clock, **(sandbox or {}))) as peers:
        settings: Settings = read_settings(environment(tmp_path, peers, **more))
        shop = sandbox_shop(tmp_path)
        rt = Runtime(settings, counters=Counters(CollectorRegistry()))
        try:
            bring_up_to_date(rt.database)
            yield House(rt, shop, peers)
        finally:
            rt.close()
            shop.dispose()
