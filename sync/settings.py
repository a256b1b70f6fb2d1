"""Settings: read once from the environment into a frozen value; every problem is reported at once, by name.

`ECSYNC_ENV_FILE` names a file of `NAME=value` lines that is read first; the environment wins over it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any

from dotenv import dotenv_values

from mappings.connector import Setting, Spec
from mappings.distance import TravelTimes, parse_travel_times
from mappings.model import Address, Consignor
from mappings.routing import Routing
from mappings.routing_rules import parse_routing
from mappings.wire import parse_base_url
from sync.clock import BusinessClock, parse_clock
from sync.registry import UnknownConnector, load_connector
from sync.settings_erps import ErpSettings, erp_problems, read_erp_settings
from sync.settings_labels import DEFAULT_PAPER, check_papers
from sync.settings_reader import (
    Reader,
    check_broker,
    check_database,
    check_token,
    one_of,
    parse_count,
    parse_names,
    parse_seconds,
    parse_seconds_or_never,
)
from sync.settings_stock import StockSettings, read_stock_settings, stock_problems
from sync.settings_tls import TlsSettings, read_tls_settings

DEFAULT_DATABASE = "sqlite:///var/ecsync.db"
DEFAULT_BROKER = "redis://127.0.0.1:6379/0"


class SettingsError(Exception):
    """One or more settings are wrong; `problems` maps the variable to a sentence."""

    def __init__(self, problems: Mapping[str, str]) -> None:
        self.problems = dict(problems)
        lines = [f"  {name}: {text}" for name, text in sorted(self.problems.items())]
        super().__init__("These settings need your attention; nothing was started:\n" + "\n".join(lines))


@dataclass(frozen=True, slots=True)
class PeerSettings:
    """One configured counterpart. `key` (`carrier.kdniao`) is its name in steps, queues and metrics.

    `stock` and `erps` (names; empty: all) are a shop's, `erp` an ERP's.
    """

    kind: str
    name: str
    connector: str
    spec: Spec
    config: Mapping[str, Any] = field(repr=False)
    rate_per_s: float = 0
    rate_per_minute: int = 0
    read_timeout_s: float = 15
    stock: StockSettings = field(default_factory=StockSettings)
    erps: tuple[str, ...] = ()
    erp: ErpSettings = field(default_factory=ErpSettings)
    tls: TlsSettings = field(default_factory=TlsSettings)

    @property
    def key(self) -> str:
        return f"{self.kind}.{self.name}"

    @property
    def queries_a_day(self) -> int:
        """How many tracking queries the account has a day; 0: no limit known."""
        return self.spec.queries_a_day(self.config)

    @property
    def secrets(self) -> tuple[str, ...]:
        """The values that no record may show."""
        return tuple(str(self.config[s.name]) for s in self.spec.settings if s.secret and self.config.get(s.name))


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that can be set. Durations end in `_s` (seconds)."""

    environment: str
    database_url: str = field(repr=False)
    broker_url: str = field(repr=False)
    limits_url: str = field(repr=False)
    secrets_key: str = field(repr=False)
    shops: tuple[PeerSettings, ...]
    carriers: tuple[PeerSettings, ...]
    erps: tuple[PeerSettings, ...]
    consignor: Consignor = field(repr=False)
    clock: BusinessClock
    ship_on: str
    retry_attempts: int
    retry_delay_s: float
    lease_s: float
    requeue_after_s: float
    poll_interval_s: float
    relay_interval_s: float
    pickup_sweep_interval_s: float
    reconcile_interval_s: float
    stale_pickup_after_s: float
    still_after_s: float
    undelivered_after: TravelTimes
    reconcile_parcels_after_s: float
    review_delay_s: float
    stock_full_interval_s: float
    stock_history_days: int
    receive_after_s: float
    breaker_failures: int
    breaker_probe_s: float
    routing: Routing
    failover_after_s: float
    review_channel: str = field(repr=False)
    service_channel: str = field(repr=False)
    callback_token: str = field(repr=False)
    public_url: str
    api_token: str = field(repr=False)
    labels_keep_days: int
    personal_data_keep_days: int
    labels_paper: str
    callback_max_bytes: int
    metrics_dir: str
    startup_wait_s: float

    @property
    def peers(self) -> tuple[PeerSettings, ...]:
        return (*self.shops, *self.carriers, *self.erps)

    @property
    def default_carrier(self) -> PeerSettings:
        """The carrier that parcels go to when no rule fits, unless the switchboard names another: the first one."""
        return self.carriers[0]

    def erps_of(self, shop: PeerSettings) -> tuple[PeerSettings, ...]:
        """The ERPs that get a shop's orders: those that it names, else all of them."""
        return tuple(erp for erp in self.erps if not shop.erps or erp.name in shop.erps)

    def shipping_erp(self, shop: PeerSettings) -> PeerSettings | None:
        """The ERP whose warehouse sends a shop's parcels, if one does: then we book no waybills for it."""
        return next((erp for erp in self.erps_of(shop) if erp.erp.takes_shipments), None)

    def stock_erp(self, shop: PeerSettings) -> PeerSettings | None:
        """The ERP whose figures a shop shows: the one that it names, else the only one that gets its orders."""
        known = self.erps_of(shop)
        wanted = [erp for erp in known if erp.name == shop.stock.erp] if shop.stock.erp else list(known)
        return wanted[0] if len(wanted) == 1 else None


def _read_setting(reader: Reader, prefix: str, setting: Setting) -> Any:
    name = f"{prefix}{setting.name.upper()}"
    return reader.get(name, setting.parse, setting.default, required=setting.required)


def _read_peer(reader: Reader, kind: str, name: str) -> PeerSettings | None:
    prefix = f"ECSYNC_{kind.upper()}_{name.upper()}_"
    fallback = "ecshop_sql" if kind == "shop" else name
    connector = reader.get(f"{prefix}CONNECTOR", default=fallback)
    try:
        offered = load_connector(kind, connector)
    except UnknownConnector as problem:
        reader.problems[f"{prefix}CONNECTOR"] = str(problem)
        return None
    spec: Spec = offered.spec
    config = {setting.name: _read_setting(reader, prefix, setting) for setting in spec.settings}
    if kind != "shop" and not any(known.startswith(prefix) for known in reader.problems):
        try:
            offered(config)
        except ValueError as clash:  # settings that are well one by one and contradict each other
            reader.problems[f"{prefix}*"] = str(clash)
    return PeerSettings(
        kind=kind,
        name=name,
        connector=connector,
        spec=spec,
        config=config,
        rate_per_s=reader.get(f"{prefix}RATE_PER_S", parse_seconds, spec.rate_per_s),
        rate_per_minute=reader.get(f"{prefix}RATE_PER_MINUTE", parse_count, spec.rate_per_minute),
        read_timeout_s=reader.get(f"{prefix}READ_TIMEOUT_S", parse_seconds, spec.read_timeout_s),
        stock=read_stock_settings(reader, prefix) if kind == "shop" else StockSettings(),
        erps=reader.get(f"{prefix}ERPS", parse_names, ()) if kind == "shop" else (),
        erp=read_erp_settings(reader, prefix, spec, config) if kind == "erp" else ErpSettings(),
        tls=read_tls_settings(reader, prefix, spec),
    )


def _read_peers(reader: Reader, kind: str, variable: str) -> tuple[PeerSettings, ...]:
    wanted: tuple[str, ...] = reader.get(variable, parse_names, (), required=True) or ()
    read = (_read_peer(reader, kind, name) for name in wanted)
    return tuple(peer for peer in read if peer is not None)


def _read_consignor(reader: Reader) -> Consignor:
    def text(name: str, *, required: bool = True) -> str:
        return str(reader.get(f"ECSYNC_SENDER_{name}", default="", required=required))

    return Consignor(
        name=text("NAME"),
        phone=text("PHONE"),
        company=text("COMPANY", required=False),
        address=Address(
            province=text("PROVINCE"),
            city=text("CITY"),
            district=text("DISTRICT"),
            street=text("ADDRESS"),
            postcode=text("POSTCODE", required=False),
        ),
    )


def _read_routing(reader: Reader) -> Routing:
    carriers: tuple[str, ...] = reader.get("ECSYNC_CARRIERS", parse_names, (), required=True) or ()
    routing: Routing | None = reader.get("ECSYNC_ROUTING", partial(parse_routing, carriers=carriers))
    return routing or Routing()


def _read_clock(reader: Reader, environment: str) -> BusinessClock:
    clock: BusinessClock = reader.get("ECSYNC_SANDBOX_CLOCK", parse_clock, BusinessClock())
    if clock.speed != 1 and environment != "sandbox":
        reader.problems["ECSYNC_SANDBOX_CLOCK"] = "is for ECSYNC_ENVIRONMENT=sandbox only; remove it"
    return clock


def read_settings(environ: Mapping[str, str]) -> Settings:
    """Read and check every setting; raises SettingsError with all problems at once."""
    reader = Reader(_with_env_file(environ))
    settings = _read_all(reader)
    _refuse_unknown(reader)
    reader.problems |= _unguarded(settings) | _unfollowed(settings)
    reader.problems |= _unserved(settings)
    if reader.problems:
        raise SettingsError(reader.problems)
    return settings


def _read_all(reader: Reader) -> Settings:
    """Every setting, one a line; what is wrong with any of them stands in the reader's problems."""
    get = reader.get
    environment = get("ECSYNC_ENVIRONMENT", one_of("production", "sandbox"), "production")
    broker = get("ECSYNC_BROKER_URL", check_broker, DEFAULT_BROKER)
    return Settings(
        environment=environment,
        database_url=get("ECSYNC_DATABASE_URL", check_database, DEFAULT_DATABASE),
        broker_url=broker,
        limits_url=get("ECSYNC_LIMITS_URL", default=broker if broker.startswith("redis") else "memory://"),
        secrets_key=reader.keys,
        shops=_read_peers(reader, "shop", "ECSYNC_SHOPS"),
        carriers=_read_peers(reader, "carrier", "ECSYNC_CARRIERS"),
        erps=_read_peers(reader, "erp", "ECSYNC_ERPS"),
        consignor=_read_consignor(reader),
        clock=_read_clock(reader, environment),
        ship_on=get("ECSYNC_SHIP_ON", one_of("picked_up", "waybill"), "picked_up"),
        retry_attempts=get("ECSYNC_RETRY_ATTEMPTS", parse_count, 3),
        retry_delay_s=get("ECSYNC_RETRY_DELAY_S", parse_seconds, 5.0),
        lease_s=get("ECSYNC_LEASE_S", parse_seconds, 60.0),
        requeue_after_s=get("ECSYNC_REQUEUE_AFTER_S", parse_seconds, 10.0),
        poll_interval_s=get("ECSYNC_POLL_INTERVAL_S", parse_seconds, 60.0),
        relay_interval_s=get("ECSYNC_RELAY_INTERVAL_S", parse_seconds, 1.0),
        pickup_sweep_interval_s=get("ECSYNC_PICKUP_SWEEP_INTERVAL_S", parse_seconds, 300.0),
        reconcile_interval_s=get("ECSYNC_RECONCILE_INTERVAL_S", parse_seconds, 60.0),
        stale_pickup_after_s=get("ECSYNC_STALE_PICKUP_AFTER_S", parse_seconds, 48 * 3600.0),
        still_after_s=get("ECSYNC_STILL_AFTER_S", parse_seconds, 72 * 3600.0),
        undelivered_after=get("ECSYNC_UNDELIVERED_AFTER", parse_travel_times, TravelTimes()),
        reconcile_parcels_after_s=get("ECSYNC_RECONCILE_PARCELS_AFTER_S", parse_seconds, 24 * 3600.0),
        stock_full_interval_s=get("ECSYNC_STOCK_FULL_INTERVAL_S", parse_seconds, 24 * 3600.0),
        stock_history_days=get("ECSYNC_STOCK_HISTORY_DAYS", parse_count, 90),
        review_delay_s=get("ECSYNC_REVIEW_DELAY_S", parse_seconds, 72 * 3600.0),
        receive_after_s=get("ECSYNC_RECEIVE_AFTER_S", parse_seconds_or_never, 0.0),
        breaker_failures=get("ECSYNC_BREAKER_FAILURES", parse_count, 5),
        breaker_probe_s=get("ECSYNC_BREAKER_PROBE_S", parse_seconds, 10.0),
        routing=_read_routing(reader),
        failover_after_s=get("ECSYNC_FAILOVER_AFTER_S", parse_seconds_or_never, 600.0),
        review_channel=get("ECSYNC_REVIEW_CHANNEL", default=""),
        service_channel=get("ECSYNC_SERVICE_CHANNEL", default=""),
        callback_token=get("ECSYNC_CALLBACK_TOKEN", default=""),
        public_url=get("ECSYNC_PUBLIC_URL", parse_base_url, ""),
        api_token=get("ECSYNC_API_TOKEN", check_token, ""),
        labels_keep_days=get("ECSYNC_LABELS_KEEP_DAYS", parse_count, 90),
        personal_data_keep_days=get("ECSYNC_PERSONAL_DATA_KEEP_DAYS", parse_count, 180),
        labels_paper=get("ECSYNC_LABELS_PAPER", check_papers, DEFAULT_PAPER),
        callback_max_bytes=get("ECSYNC_CALLBACK_MAX_BYTES", parse_count, 4_000_000),
        metrics_dir=get("ECSYNC_METRICS_DIR", default=""),
        startup_wait_s=get("ECSYNC_STARTUP_WAIT_S", parse_seconds, 60.0),
    )


def _unfollowed(settings: Settings) -> dict[str, str]:
    """Whoever follows numbers that staff enter must be a carrier that is called."""
    called = [carrier.name for carrier in settings.carriers if not carrier.spec.by_hand]
    return {
        f"ECSYNC_CARRIER_{carrier.name.upper()}_TRACK_BY": f"{name!r} is no carrier that follows numbers: "
        f"{', '.join(called) or 'there is none'}"
        for carrier in settings.carriers
        if carrier.spec.by_hand and (name := carrier.config["track_by"]) and name not in called
    }


def _unserved(settings: Settings) -> dict[str, str]:
    """Shops that no ERP can serve as they want it."""
    sources = {
        shop.name: (shop.stock, {erp.name: erp.spec.reads_stock for erp in settings.erps_of(shop)})
        for shop in settings.shops
    }
    erps = {erp.name: erp.erp for erp in settings.erps}
    followers = [carrier.name for carrier in settings.carriers if not carrier.spec.by_hand]
    return stock_problems(sources, tuple(erps)) | erp_problems(
        {shop.name: shop.erps for shop in settings.shops}, erps, followers
    )


SECRET_LENGTH = 16


def _unguarded(settings: Settings) -> dict[str, str]:
    """Where pushes prove nothing of themselves, the receiver's path is the only proof."""
    unsigned = [carrier.name for carrier in settings.carriers if not carrier.spec.signs_pushes]
    unsigned += [erp.name for erp in settings.erps if erp.spec.pushes_numbers(erp.config)]
    if not unsigned or len(settings.callback_token) >= SECRET_LENGTH:
        return {}
    sentence = (
        f"pushes of {', '.join(unsigned)} carry no signature: set a random word of at least {SECRET_LENGTH} "
        "characters, and give it to them as the last part of the push address"
    )
    return {"ECSYNC_CALLBACK_TOKEN": sentence}


OUTSIDE = (
    "ECSYNC_ENV_FILE",
    "ECSYNC_PROCESS_NAME",
    "ECSYNC_WEB_BIND",
    "ECSYNC_REQUIRE_SERVICES",
    "ECSYNC_BENCH_DATABASE_URL",
    "ECSYNC_BENCH_SHOP_URL",
)
"""Variables that other rooms read: the supervisor, gunicorn, the tests, the benchmark."""


def _refuse_unknown(reader: Reader) -> None:
    for name in reader.unknown():
        if name in OUTSIDE or name.startswith("ECSYNC_TEST_"):
            continue
        reader.problems[name] = "is not a setting we know; check the spelling, or remove it"


def read_secrets_key(environ: Mapping[str, str]) -> str:
    """`ECSYNC_SECRETS_KEY` alone, wherever it is given; empty when it is not. Raises SettingsError."""
    return str(Reader(_with_env_file(environ)).keys)


def _with_env_file(environ: Mapping[str, str]) -> dict[str, str]:
    path = environ.get("ECSYNC_ENV_FILE")
    if not path:
        return dict(environ)
    if not Path(path).is_file():
        raise SettingsError({"ECSYNC_ENV_FILE": f"{path} is not a readable file"})
    from_file = {name: value or "" for name, value in dotenv_values(path).items()}
    return {**from_file, **environ}


@cache
def load_settings() -> Settings:
    """The settings of this process, read once."""
    return read_settings(os.environ)


def load_settings_or_exit() -> Settings:
    """The settings for a program's entry: what is wrong is said in words, without a traceback.

    Exits with 3, which gunicorn takes for "do not try again".
    """
    try:
        return load_settings()
    except SettingsError as problem:
        sys.stderr.write(f"{problem}\n")
        raise SystemExit(3) from None
