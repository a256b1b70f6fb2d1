"""What a demo consists of: its settings, its ports, and the programs that run, as plain data."""

from __future__ import annotations

import json
import os
import secrets
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sync.clock import BusinessClock
from sync.local.broker import Broker, free_port
from sync.local.carriers import NAMES, Carriers
from sync.local.erps import GENERIC, ChosenErp
from sync.local.supervisor import Child
from sync.sandbox.erps import STOCKED

ROOT = Path(__file__).resolve().parents[2]
SHOP = "sandbox_demo"
"""The demo's shop; a database whose orders are all of this shop is a demo's own."""

SAFETY = 5
"""Pieces of each SKU that the shop does not offer."""
STOCK_EVERY_S = "5"

_CARRIER = {
    "latency_ms": 20, "latency_jitter_ms": 60, "reset_before": 0.03, "server_error": 0.03, "too_many": 0.02,
    "reset_after": 0.03, "hang_after": 0.01, "hang_s": 2, "truncated": 0.02, "garbage": 0.01, "html_200": 0.02,
    "html_502": 0.02, "gbk": 0.01, "half_json": 0.02,
}  # fmt: skip
FAULTS = {
    "carrier": _CARRIER,
    "erp": {
        "latency_ms": 20, "latency_jitter_ms": 120, "reset_before": 0.03, "server_error": 0.03, "too_many": 0.02,
        "reset_after": 0.04, "truncated": 0.02, "html_502": 0.03, "half_json": 0.02, "drip": 0.01, "drip_s": 1,
    },
    "kuaidi100": _CARRIER,
    "sf": _CARRIER,
    "push": {"duplicate": 0.15, "reorder": 0.08, "late": 0.1, "forged": 0.05, "batch": 3, "batch_every_s": 0.2},
}  # fmt: skip
"""About one call in five goes wrong, an order at most once at each peer; and pushes come twice, late and forged."""


@dataclass(frozen=True, slots=True)
class Ports:
    """All ports of a demo on 127.0.0.1."""

    web: int
    flower: int = field(default_factory=free_port)
    kdniao: int = field(default_factory=free_port)
    kuaidi100: int = field(default_factory=free_port)
    sf: int = field(default_factory=free_port)
    erp: int = field(default_factory=free_port)
    notices: int = field(default_factory=free_port)


@dataclass(frozen=True, slots=True)
class Plan:
    """One demo. `database_url` is ours, `shop_url` the sandbox shop's; everything else lies in `directory`.

    `on_hand` pieces of each SKU lie in the ERP's warehouses before the first order.
    """

    directory: Path
    broker: Broker
    database_url: str
    clock: BusinessClock
    ports: Ports
    seed: int
    stale_count: int
    has_faults: bool
    carrier: str = "kdniao"
    switch_to: str = ""
    erp: str = GENERIC
    on_hand: int = 0
    app_key: str = field(default_factory=lambda: secrets.token_hex(16), repr=False)
    callback_token: str = field(default_factory=lambda: secrets.token_hex(8), repr=False)
    erp_token: str = field(default_factory=lambda: secrets.token_hex(16), repr=False)

    @property
    def shop_url(self) -> str:
        return f"sqlite:///{self.directory}/shop.db"

    @property
    def carriers(self) -> Carriers:
        return Carriers.chosen(
            self.carrier,
            self.switch_to,
            ports={name: getattr(self.ports, name) for name in NAMES},
            web_port=self.ports.web,
            key=self.app_key,
            token=self.callback_token,
        )

    @property
    def chosen_erp(self) -> ChosenErp:
        return ChosenErp(self.erp, self.ports.erp, self.erp_token)

    @property
    def shows_stock(self) -> bool:
        """Whether the shop's figures follow this ERP's."""
        return self.erp in STOCKED

    @property
    def settings(self) -> dict[str, str]:
        """The ECSYNC_ variables of every process."""
        shop = f"ECSYNC_SHOP_{SHOP.upper()}"
        sink = f"json://127.0.0.1:{self.ports.notices}/notices"
        return {
            "ECSYNC_ENVIRONMENT": "sandbox",
            "ECSYNC_SANDBOX_CLOCK": str(self.clock),
            "ECSYNC_DATABASE_URL": self.database_url,
            "ECSYNC_BROKER_URL": self.broker.url,
            "ECSYNC_METRICS_DIR": f"{self.directory}/metrics",
            "ECSYNC_WEB_BIND": f"127.0.0.1:{self.ports.web}",
            "ECSYNC_SHOPS": SHOP,
            f"{shop}_DSN": self.shop_url,
            f"{shop}_ENVIRONMENT": "sandbox",
            f"{shop}_STOCK_INTERVAL_S": STOCK_EVERY_S if self.shows_stock else "0",
            f"{shop}_STOCK_SAFETY": str(SAFETY),
            **self.carriers.settings,
            **self.chosen_erp.settings,
            # apprise puts `:name=value` into the notice: the sink's ledger then tells the two kinds apart
            "ECSYNC_REVIEW_CHANNEL": f"{sink}?:channel=review",
            "ECSYNC_SERVICE_CHANNEL": f"{sink}?:channel=service",
            "ECSYNC_SENDER_NAME": "示例仓库",
            "ECSYNC_SENDER_PHONE": "10000000000",
            "ECSYNC_SENDER_PROVINCE": "广东省",
            "ECSYNC_SENDER_CITY": "深圳市",
            "ECSYNC_SENDER_DISTRICT": "南山区",
            "ECSYNC_SENDER_ADDRESS": "示例路 1 号",
            "ECSYNC_SENDER_POSTCODE": "518000",
            "ECSYNC_POLL_INTERVAL_S": "2",
            "ECSYNC_PICKUP_SWEEP_INTERVAL_S": "1",
            "ECSYNC_RECONCILE_INTERVAL_S": "5",
            "ECSYNC_REVIEW_DELAY_S": str(6 * 3600),
            "ECSYNC_LEASE_S": "20",
            "ECSYNC_BREAKER_PROBE_S": "2",
        }

    def environment(self, name: str) -> dict[str, str]:
        """The whole environment of a child: ours without any ECSYNC_ variable, and the demo's."""
        return {
            **without_settings(os.environ),
            "TMPDIR": str(self.directory),  # what a killed child leaves goes with the run's directory
            **self.settings,
            "ECSYNC_PROCESS_NAME": name,
            "PYTHONUNBUFFERED": "1",
        }

    def broker_child(self) -> Child:
        return self._child("broker", *self.broker.argv)

    def peers(self) -> Child:
        """The sandbox's carriers, ERP and sink for notices."""
        options = {
            "--notice-port": self.ports.notices,
            "--clock": self.clock,
            "--seed": self.seed,
            "--stale-count": self.stale_count,
            "--on-hand": self.on_hand,
            "--faults": json.dumps(FAULTS if self.has_faults else {}),
        }
        words = [word for name, value in options.items() for word in (name, str(value))]
        words += [*self.carriers.sandbox_words, *self.chosen_erp.sandbox_words]
        return self._python("sandbox", "sync.sandbox", *words)

    def services(self) -> tuple[Child, ...]:
        """The house itself, as it runs in production."""
        return (
            self._web(),
            self._worker("carriers", f"{self.carriers.queues},callbacks"),
            self._worker("orders", f"{self.chosen_erp.queue},shop.{SHOP},notices", concurrency=3),
            # Alone: its ticks expire, so a worker that is busy with other queues would never come to them.
            self._worker("sweeps", "sweeps"),
            self._celery("beat", "beat", "--schedule", f"{self.directory}/beat", "--loglevel", "INFO"),
            self._celery("flower", "flower", "--address=127.0.0.1", f"--port={self.ports.flower}", "--max_tasks=10000"),
        )

    def ping_workers(self) -> Child:
        """A program that ends with 0 when workers already listen on this broker."""
        return self._celery("ping", "inspect", "ping", "--timeout", "2")

    def _web(self) -> Child:
        config = ROOT / "deploy" / "gunicorn.conf.py"
        return self._python("web", "gunicorn", "-c", str(config), "--workers", "1", "sync.web.app:create_app()")

    def _worker(self, name: str, queues: str, *, concurrency: int = 2) -> Child:
        words = f"worker -Q {queues} -n {name}@%h --concurrency {concurrency} --loglevel INFO"
        return self._celery(f"worker-{name}", *words.split(), "--without-mingle", "--without-gossip", "-E")

    def _celery(self, name: str, *words: str) -> Child:
        return self._python(name, "celery", "-A", "tasks.app", *words)

    def _python(self, name: str, module: str, *words: str) -> Child:
        return self._child(name, sys.executable, "-m", module, *words)

    def _child(self, name: str, *argv: str) -> Child:
        return Child(name, argv, self.environment(name))


def without_settings(environ: Mapping[str, str]) -> dict[str, str]:
    """An environment without ours: a demo must never read a setting that was meant for production."""
    return {name: value for name, value in environ.items() if not name.startswith("ECSYNC_")}
