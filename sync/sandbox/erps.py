"""The ERPs that the sandbox can be, one at a time, all under the name `erp` in its ledger. One secret opens each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sync.clock import BusinessClock
from sync.sandbox.erp import SandboxErp
from sync.sandbox.faults import FaultInjector
from sync.sandbox.jushuitan import SandboxJushuitan
from sync.sandbox.kingdee import SandboxKingdee
from sync.sandbox.ledger import Ledger
from sync.sandbox.peer import Peer
from sync.sandbox.sap import SandboxSap
from sync.sandbox.sap_pi import SandboxSapPi
from sync.sandbox.shop_data import sold_skus
from sync.sandbox.shopex_oms import SandboxShopexOms
from sync.sandbox.wangdiantong import SandboxWangdiantong

GENERIC = "generic_rest"


KINGDEE_APP_ID = "123456_aW52ZW50ZWQtc2VjcmV0LWJ5dGVzLTI0"
"""Of the shape that Kingdee hands out: a number, and an obscured secret that the public gateway is signed with."""


@dataclass(frozen=True, slots=True)
class ErpWish:
    """What every ERP is told at start; `user` is for those that know users. SKUs in `unknown_skus` are refused.

    `on_hand` pieces of all that the sandbox shop sells lie in the ERP's warehouses; 0: what it has by itself.
    """

    ledger: Ledger
    injector: FaultInjector
    clock: BusinessClock
    secret: str
    user: str
    unknown_skus: frozenset[str]
    on_hand: int = 0


def _generic(wish: ErpWish) -> Peer:
    return SandboxErp(wish.ledger, wish.injector, token=wish.secret, user=wish.user, unknown_skus=wish.unknown_skus)


def _sap_odata(wish: ErpWish) -> Peer:
    return SandboxSap(wish.ledger, wish.injector, password=wish.secret, unknown_skus=wish.unknown_skus)


def _sap_pi(wish: ErpWish) -> Peer:
    """One that numbers an order at the second look only."""
    return SandboxSapPi(wish.ledger, wish.injector, password=wish.secret, posts_after=1, unknown_skus=wish.unknown_skus)


def _shopex_oms(wish: ErpWish) -> Peer:
    return SandboxShopexOms(
        wish.ledger, wish.injector, token=wish.secret, key=wish.secret, unknown_skus=wish.unknown_skus
    )


def _jushuitan(wish: ErpWish) -> Peer:
    return SandboxJushuitan(wish.ledger, wish.injector, app_secret=wish.secret, unknown_skus=wish.unknown_skus)


def _wangdiantong(wish: ErpWish) -> Peer:
    secret = f"{wish.secret}:salt"  # the product hands out both in one
    return SandboxWangdiantong(
        wish.ledger, wish.injector, clock=wish.clock, app_secret=secret, unknown_skus=wish.unknown_skus
    )


def _kingdee(wish: ErpWish) -> Peer:
    return SandboxKingdee(
        wish.ledger,
        wish.injector,
        app_id=KINGDEE_APP_ID,
        app_secret=wish.secret,
        acct_id="acct",
        unknown_skus=wish.unknown_skus,
    )


_ERPS: Mapping[str, Callable[[ErpWish], Peer]] = {
    GENERIC: _generic,
    "sap_odata": _sap_odata,
    "sap_pi": _sap_pi,
    "shopex_oms": _shopex_oms,
    "jushuitan": _jushuitan,
    "wangdiantong": _wangdiantong,
    "kingdee": _kingdee,
}
NAMES = tuple(_ERPS)


def _put_in_two_warehouses(erp: Any, sku: str, pieces: int) -> None:
    erp.stock.put(sku, pieces - pieces // 4, "N1")
    erp.stock.put(sku, pieces // 4, "S1")


_PUTTING: Mapping[str, Callable[[Any, str, int], None]] = {
    GENERIC: _put_in_two_warehouses,
    "shopex_oms": lambda erp, sku, pieces: erp.put(sku, pieces),
    "jushuitan": lambda erp, sku, pieces: erp.shelves.put(sku, pieces),
    "wangdiantong": lambda erp, sku, pieces: erp.shelves.put(sku, pieces),
}
STOCKED = tuple(_PUTTING)
"""Those that tell what can be sold of all that lies there; the others tell no stock, or what was never posted out."""


def build_erp(name: str, wish: ErpWish) -> Peer:
    """The ERP that goes by its connector's name; raises ValueError for one that is not imitated."""
    if name not in _ERPS:
        raise ValueError(f"no ERP is called {name!r}; known are {', '.join(NAMES)}")
    erp = _ERPS[name](wish)
    if wish.on_hand and name in _PUTTING:
        for sku in sold_skus():
            _PUTTING[name](erp, sku, wish.on_hand)
    return erp
