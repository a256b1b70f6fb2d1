"""The ERP of a demo: its settings, fit for the sandbox's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sync.sandbox.erps import GENERIC, KINGDEE_APP_ID, NAMES
from sync.sandbox.sap_pi import CANCEL_PATH, REST_PATH
from sync.sandbox.wangdiantong import PATH as WANGDIANTONG_PATH

__all__ = ["GENERIC", "NAMES", "ChosenErp"]


@dataclass(frozen=True, slots=True)
class ChosenErp:
    """One of `NAMES`, at a port of this machine; `secret` opens it."""

    name: str
    port: int
    secret: str

    @property
    def queue(self) -> str:
        return f"erp.{self.name}"

    @property
    def settings(self) -> dict[str, str]:
        """The ECSYNC_ variables of this ERP."""
        prefix = f"ECSYNC_ERP_{self.name.upper()}_"
        own = {**_SETTINGS[self.name](f"http://127.0.0.1:{self.port}", self.secret), "READ_TIMEOUT_S": "5"}
        return {"ECSYNC_ERPS": self.name, **{prefix + name: value for name, value in own.items()}}

    @property
    def sandbox_words(self) -> list[str]:
        """The command line of `sync.sandbox` that makes its ERP fit these settings."""
        return ["--erp", self.name, "--erp-port", str(self.port), "--erp-token", self.secret]


def _sap_odata(url: str, secret: str) -> dict[str, str]:
    return {
        "BASE_URL": url,
        "SAP_CLIENT": "100",
        "USERNAME": "ecsync",
        "PASSWORD": secret,
        **_SAP_AREA,
        "SALES_ORGANIZATION": "1010",
        "SHIP_TO": "10100001",
        "PLANT": "1010",
        "DISCOUNT_CONDITION": "HB00",
        "FEE_CONDITION": "HZ00",
        "NOTE_TEXT_ID": "TX01",
        "ADDRESS_TEXT_ID": "TX02",
        "REJECTION_REASON": "50",
        "SETTLE_S": "1",  # this one is never at work for longer
    }


def _sap_pi(url: str, secret: str) -> dict[str, str]:
    return {
        "BASE_URL": url,
        "USERNAME": "ecsync",
        "PASSWORD": secret,
        **_SAP_AREA,
        "SALES_ORG": "1010",
        "SENDER": "http",
        "SENDER_SERVICE": "BC_ECSHOP",
        "INTERFACE": "SI_Orders_Out",
        "INTERFACE_NAMESPACE": "urn:shop:orders",
        "SENDER_PORT": "ECSHOP",
        "SENDER_PARTNER": "ECSHOP",
        "RECEIVER_PORT": "SAPS4H",
        "RECEIVER_PARTNER": "S4HCLNT100",
        "DISCOUNT_CONDITION": "HB00",
        "FEE_CONDITION": "HZ00",
        "FIND_URL": f"{url}{REST_PATH}/{{external_ref}}",
        "CANCEL_URL": url + CANCEL_PATH,
    }


def _shopex_oms(url: str, secret: str) -> dict[str, str]:
    return {
        "BASE_URL": url,
        "NODE_ID": "2000000001",
        "TOKEN": secret,
        "SHOP_BN": "ecshop01",
        "FLAG": "ecsync",
        "KEY": secret,
    }


def _jushuitan(url: str, secret: str) -> dict[str, str]:
    return {
        "BASE_URL": url,
        "APP_KEY": "sandbox-jst-key",
        "APP_SECRET": secret,
        "ACCESS_TOKEN": "sandbox-jst-token",
        "SHOP_ID": "10406394",
        "COD": "send",
    }


def _wangdiantong(url: str, secret: str) -> dict[str, str]:
    return {
        "URL": url + WANGDIANTONG_PATH,
        "SID": "sandbox",
        "APP_KEY": "sandbox-wdt-key",
        "APP_SECRET": f"{secret}:salt",
        "SHOP_NO": "ecshop",
        "COD": "send",
    }


def _kingdee(url: str, secret: str) -> dict[str, str]:
    return {
        "BASE_URL": f"{url}/k3cloud",
        "APP_ID": KINGDEE_APP_ID,
        "APP_SECRET": secret,
        "ACCT_ID": "acct",
        "USER": "ecsync",
        "CUSTOMER": "C-ECSHOP",
        "FREIGHT_SKU": "FREIGHT",
        "CANCEL": "void",
    }


_SAP_AREA = {"DISTRIBUTION_CHANNEL": "10", "DIVISION": "00", "SOLD_TO": "10100001"}
_SETTINGS: Mapping[str, Callable[[str, str], dict[str, str]]] = {
    GENERIC: lambda url, secret: {"BASE_URL": url, "TOKEN": secret},
    "sap_odata": _sap_odata,
    "sap_pi": _sap_pi,
    "shopex_oms": _shopex_oms,
    "jushuitan": _jushuitan,
    "wangdiantong": _wangdiantong,
    "kingdee": _kingdee,
}
