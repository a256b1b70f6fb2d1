"""Every ERP's connector obeys what each must; the ERPs are played by the sandbox's, which were written without them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from http.cookies import SimpleCookie
from types import ModuleType
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest

from mappings.conformance import ErpCase, ErpConformance
from mappings.conformance.case import NOW, Answer
from mappings.wire import HttpCall, HttpReply
from sync import clock
from sync.clock import BusinessClock
from sync.local.erps import ChosenErp
from sync.registry import load_connector
from sync.sandbox import erp_stock, erp_tokens, erps, jushuitan, kingdee, ledger, shopex_oms, wangdiantong
from sync.sandbox.erps import ErpWish, build_erp
from sync.sandbox.faults import FaultInjector
from sync.sandbox.http import Ending, Request
from sync.sandbox.ledger import Ledger
from sync.sandbox.peer import Peer
from sync.sandbox.sap import SandboxSap

SECRET = "opens+the/sandbox=only"
UNKNOWN = "NO-SUCH-SKU"
WITH_CLOCKS: tuple[ModuleType, ...] = (clock, erp_stock, erp_tokens, jushuitan, kingdee, ledger, shopex_oms)
WITH_CLOCKS += (wangdiantong,)


@pytest.fixture(autouse=True)
def one_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The ERPs that look at a call's timestamp live at the moment that the suite signs."""

    def now() -> datetime:
        return NOW

    for module in WITH_CLOCKS:
        monkeypatch.setattr(module, "utc_now", now)


def played(peer: Peer) -> Answer:
    """A sandbox ERP without its socket."""

    def answer(call: HttpCall) -> HttpReply:
        response = peer(_request(call))
        assert response.ending is Ending.SEND
        headers = {name.lower(): value for name, value in response.headers}
        cookies = SimpleCookie("; ".join(value for name, value in response.headers if name.lower() == "set-cookie"))
        headers["content-type"] = response.content_type
        return HttpReply(
            response.status, headers, response.body, {name: morsel.value for name, morsel in cookies.items()}
        )

    return answer


def _request(call: HttpCall) -> Request:
    url = urlsplit(call.url)
    headers = {name.lower(): value for name, value in call.headers.items()}
    query = dict(parse_qsl(url.query, keep_blank_values=True))
    return Request(call.method, unquote(url.path), query, headers, call.body)


def case_of(name: str, *, silent: tuple[str, ...] = (), **more: str) -> ErpCase:
    """The connector with the settings of a demo or others, and the ERP that fits them."""
    connector = load_connector("erp", name)
    given = {**ChosenErp(name, 8080, SECRET).settings, **{word.upper(): text for word, text in more.items()}}
    texts = {word.removeprefix(f"ECSYNC_ERP_{name.upper()}_").lower(): text for word, text in given.items()}
    config: Mapping[str, Any] = {
        setting.name: setting.parse(texts[setting.name]) for setting in connector.spec.settings if setting.name in texts
    }

    def peer() -> Answer:
        wish = ErpWish(Ledger(), FaultInjector(1), BusinessClock(), SECRET, "ecsync", frozenset({UNKNOWN}))
        erp = build_erp(name, wish)
        if isinstance(erp, SandboxSap):
            erp.shelves.put("TS-1", 5)
        return played(erp)

    return ErpCase(connector, config, peer, unknown_sku=UNKNOWN, silent=frozenset(silent))


class TestGenericRest(ErpConformance):
    case = case_of("generic_rest", silent=("create", "cancel"), cancel_path="/api/orders/{external_ref}/cancel")


class TestSapOdata(ErpConformance):
    """A changed item is answered with nothing; whether it took effect is read."""

    case = case_of("sap_odata", silent=("cancel",))


class TestSapPi(ErpConformance):
    """Middleware that took a message answers with nothing at all."""

    case = case_of("sap_pi", silent=("create", "cancel", "find"))


class TestShopexOms(ErpConformance):
    case = case_of("shopex_oms")


class TestJushuitan(ErpConformance):
    case = case_of("jushuitan")


class TestWangdiantong(ErpConformance):
    case = case_of("wangdiantong")


class TestKingdee(ErpConformance):
    case = case_of("kingdee")


def test_every_erp_that_the_sandbox_can_be_is_held_to_the_rules() -> None:
    tried = {rule.case.spec.name for rule in ErpConformance.__subclasses__() if rule.__module__ == __name__}

    assert tried >= set(erps.NAMES)
