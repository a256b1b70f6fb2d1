"""All sandbox peers in one process: three carriers, an ERP and a sink for notices, each on its own port of 127.0.0.1.

Every port also answers `GET /_ledger` (`?brief=1`), `GET` and `POST /_faults`, `POST /_callback`, `POST /_reset`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from types import TracebackType
from typing import Any, TypeVar

from sync.clock import BusinessClock
from sync.sandbox.erps import GENERIC, ErpWish, build_erp
from sync.sandbox.faults import FaultInjector, Faults, PushFaults
from sync.sandbox.http import App, HttpServer, Request, Response
from sync.sandbox.journeys import JourneyMix
from sync.sandbox.kdniao import SandboxKdniao
from sync.sandbox.kuaidi100 import ORDER_PATH, QUERY_PATH, SUBSCRIBE_PATH, SandboxKuaidi100
from sync.sandbox.kuaidi100_pickup import PICKUP_PATH
from sync.sandbox.kuaidi100_pushes import Kuaidi100PushSender
from sync.sandbox.ledger import Ledger
from sync.sandbox.notices import NoticeSink
from sync.sandbox.peer import Peer, json_response
from sync.sandbox.pushes import PushSender
from sync.sandbox.sf import SandboxSf
from sync.sandbox.sf_pushes import SfPushSender
from sync.sandbox.sf_rules import PATH as SF_PATH

S = TypeVar("S", bound=PushSender)
C = TypeVar("C", bound=Peer)

GATEWAY_PATH = "/kdniaosandbox/gateway/exterfaceInvoke.json"


@dataclass(frozen=True, slots=True)
class SandboxSettings:
    """Everything the peers can be told at start; ports 0 are chosen by the system, credentials are sandbox ones.

    `carrier` is KDNiao, `erp` one of `sync.sandbox.erps`, `erp_token` its secret, and `on_hand` how many pieces of each
    SKU lie there. `faults` has the sections
    `carrier`, `sf`, `kuaidi100`, `erp`, `notices` (fields of `Faults`) and `push` (fields of `PushFaults`). Kuaidi100
    is told with every waybill where to push.
    """

    carrier_port: int = 0
    sf_port: int = 0
    kuaidi100_port: int = 0
    erp_port: int = 0
    notice_port: int = 0
    callback_url: str = ""
    clock: BusinessClock = field(default_factory=BusinessClock)
    seed: int = 1
    ebusiness_id: str = "test1617571"
    app_key: str = "sandbox-app-key"
    sf_partner_id: str = "ECSYNCTEST"
    sf_checkword: str = "sandbox-checkword"
    sf_callback_url: str = ""
    kuaidi100_key: str = "sandbox-k100-key"
    kuaidi100_secret: str = "sandbox-k100-secret"  # noqa: S105 - opens nothing but the sandbox
    kuaidi100_customer: str = "SANDBOXK100CUSTOMER"
    kuaidi100_repeat_window_s: float = 48 * 3600
    erp: str = GENERIC
    erp_token: str = "sandbox-erp-token"  # noqa: S105 - opens nothing but the sandbox
    erp_user: str = "ecsync"
    unknown_skus: frozenset[str] = frozenset()
    on_hand: int = 0
    mix: JourneyMix = field(default_factory=JourneyMix)
    push_tries: int = 6
    push_backoff_s: float = 0.5
    push_threads: int = 3
    sends_pickups: bool = False
    faults: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


class SandboxPeers:
    """The running peers, as a context manager; leaving it closes every port, connection and thread."""

    def __init__(self, settings: SandboxSettings | None = None) -> None:
        self.settings = given = settings or SandboxSettings()
        self.book = Ledger()
        self.sender = _build_sender(PushSender, given, self.book, sends_pickups=given.sends_pickups)
        self.sf_sender = _build_sender(SfPushSender, given, self.book)
        self.kuaidi100_sender = _build_sender(Kuaidi100PushSender, given, self.book)
        self._senders = (self.sender, self.sf_sender, self.kuaidi100_sender)
        self.kdniao, self.sf, self.kuaidi100 = self._build_carriers()
        self._peers: dict[str, Peer] = {
            "carrier": self.kdniao,
            "erp": _build_erp(given, self.book),
            "notices": NoticeSink(self.book, FaultInjector(given.seed)),
            "sf": self.sf,
            "kuaidi100": self.kuaidi100,
        }
        ports = {
            "carrier": given.carrier_port,
            "sf": given.sf_port,
            "kuaidi100": given.kuaidi100_port,
            "erp": given.erp_port,
            "notices": given.notice_port,
        }
        self._servers = {name: HttpServer(self._with_control(peer), ports[name]) for name, peer in self._peers.items()}
        self.configure_faults(given.faults)
        self.sender.send_to(given.callback_url)
        self.sf_sender.send_to(given.sf_callback_url)

    def __enter__(self) -> SandboxPeers:
        started: list[HttpServer] = []
        try:
            for server in self._servers.values():
                server.start()
                started.append(server)
        except OSError:
            for server in started:
                server.stop()
            raise
        for sender in self._senders:
            sender.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for sender in self._senders:
            sender.stop()
        for server in self._servers.values():
            server.stop()

    @property
    def carrier_url(self) -> str:
        """KDNiao's gateway, for every RequestType."""
        return self._servers["carrier"].url + GATEWAY_PATH

    @property
    def sf_url(self) -> str:
        """Fengqiao's gateway, for every service."""
        return self._servers["sf"].url + SF_PATH

    def kuaidi100_url(self, service: str) -> str:
        """Kuaidi100's address of a service: order, query, subscribe or pickup."""
        paths = {"order": ORDER_PATH, "query": QUERY_PATH, "subscribe": SUBSCRIBE_PATH, "pickup": PICKUP_PATH}
        return self._servers["kuaidi100"].url + paths[service]

    @property
    def erp_url(self) -> str:
        """The ERP's base address, without `/api/orders`."""
        return self._servers["erp"].url

    @property
    def notice_url(self) -> str:
        """Where notices are posted; apprise writes it `json://127.0.0.1:PORT/notices`."""
        return self._servers["notices"].url + "/notices"

    def ports(self) -> dict[str, int]:
        """Ports by peer: carrier, sf, kuaidi100, erp, notices."""
        return {name: server.port for name, server in self._servers.items()}

    def ledger(self, *, brief: bool = False) -> dict[str, Any]:
        """What `GET /_ledger` shows; `brief` leaves out the lists of single calls and pushes."""
        snapshot = self.book.snapshot(brief=brief)
        snapshot["pushes"]["waiting"] = sum(sender.waiting for sender in self._senders)
        return snapshot

    def wait_until(self, claim: Callable[[dict[str, Any]], object], timeout_s: float = 10) -> bool:
        """Wait until `claim` holds for the brief ledger (without `waiting`); False after `timeout_s` machine time."""
        return self.book.wait_until(claim, timeout_s)

    def send_callbacks_to(self, url: str) -> None:
        """Name the receiver of pushes; those that fell due before go out at once."""
        self.sender.send_to(url)

    def configure_faults(self, sections: Mapping[str, Mapping[str, Any]]) -> None:
        """Replace the faults of the named sections, `{}` clears one. Raises ValueError and then changes nothing."""
        unknown = sorted(set(sections) - {*self._peers, "push"})
        if unknown:
            raise ValueError(f"no section {', '.join(unknown)}; known are {', '.join(self._peers)}, push")
        if not all(isinstance(section, Mapping) for section in sections.values()):
            raise ValueError("each section is a JSON object")
        read = {name: Faults.read(section) for name, section in sections.items() if name != "push"}
        push = PushFaults.read(sections["push"]) if "push" in sections else None
        for name, faults in read.items():
            self._peers[name].injector.configure(faults)
        if push is not None:
            for sender in self._senders:
                sender.faults = push

    def faults(self) -> dict[str, Any]:
        """All sections as they are in force."""
        sections = {name: asdict(peer.injector.faults) for name, peer in self._peers.items()}
        return {**sections, "push": asdict(self.sender.faults)}

    def reset(self) -> None:
        """Forget all orders, waiting pushes and records; settings and faults stay."""
        for sender in self._senders:
            sender.forget()
        for peer in self._peers.values():
            peer.reset()
        self.book.reset()

    def _build_carriers(self) -> tuple[SandboxKdniao, SandboxSf, SandboxKuaidi100]:
        given = self.settings
        return (
            self._build_carrier(
                SandboxKdniao, self.sender, ebusiness_id=given.ebusiness_id, app_key=given.app_key, mix=given.mix
            ),
            self._build_carrier(
                SandboxSf,
                self.sf_sender,
                partner_id=given.sf_partner_id,
                checkword=given.sf_checkword,
                mix=replace(given.mix, returned=0),  # SF has no code for a parcel that came back to its sender
            ),
            self._build_carrier(
                SandboxKuaidi100,
                self.kuaidi100_sender,
                key=given.kuaidi100_key,
                secret=given.kuaidi100_secret,
                customer=given.kuaidi100_customer,
                mix=given.mix,
                repeat_window_s=given.kuaidi100_repeat_window_s,
            ),
        )

    def _build_carrier(self, kind: Callable[..., C], sender: PushSender, **own: object) -> C:
        injector = FaultInjector(self.settings.seed)
        return kind(self.book, injector, clock=self.settings.clock, follow=sender.follow, **own)

    def _name_receivers(self, given: Mapping[str, Any]) -> None:
        if "sf_url" in given:
            self.sf_sender.send_to(str(given["sf_url"]))
        if "url" in given or "sf_url" not in given:
            self.send_callbacks_to(str(given.get("url", "")))

    def _with_control(self, peer: Peer) -> App:
        return lambda request: self._control(request) if request.path.startswith("/_") else peer(request)

    def _control(self, request: Request) -> Response:
        action = f"{request.method} {request.path.rstrip('/')}"
        if action == "GET /_ledger":
            return json_response(self.ledger(brief=request.query.get("brief", "0") != "0"))
        if action == "GET /_faults":
            return json_response(self.faults())
        try:
            if action == "POST /_faults":
                self.configure_faults(_read_json(request))
            elif action == "POST /_callback":
                self._name_receivers(_read_json(request))
            elif action == "POST /_reset":
                self.reset()
            else:
                return json_response({"error": f"no {action}"}, 404)
        except ValueError as error:
            return json_response({"error": str(error)}, 400)
        return json_response({"ok": True})


def _build_sender(kind: type[S], settings: SandboxSettings, ledger: Ledger, *, sends_pickups: bool = False) -> S:
    """KDNiao's credentials are of no use to the others, which sign with what a waybill brings or not at all."""
    return kind(
        clock=settings.clock,
        ledger=ledger,
        ebusiness_id=settings.ebusiness_id,
        app_key=settings.app_key,
        seed=settings.seed,
        threads=settings.push_threads,
        tries=settings.push_tries,
        backoff_s=settings.push_backoff_s,
        sends_pickups=sends_pickups,
    )


def _build_erp(settings: SandboxSettings, ledger: Ledger) -> Peer:
    wish = ErpWish(
        ledger,
        FaultInjector(settings.seed),
        settings.clock,
        secret=settings.erp_token,
        user=settings.erp_user,
        unknown_skus=settings.unknown_skus,
        on_hand=settings.on_hand,
    )
    return build_erp(settings.erp, wish)


def _read_json(request: Request) -> dict[str, Any]:
    try:
        value = json.loads(request.body or b"{}")
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise ValueError("a JSON object is expected")
    return value
