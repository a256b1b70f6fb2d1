"""The carrier platforms of a demo: their settings, and the rules that share the orders among several."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

NAMES = ("kdniao", "kuaidi100", "sf")
MIXED = "mixed"

RULES = """
[[rule]]
name = "SF for those who chose it"
carrier = "sf"
when = { shipping = ["sf_express"] }

[[rule]]
name = "the west and the north by Kuaidi100"
carrier = "kuaidi100"
when = { provinces = ["四川", "重庆", "西藏", "新疆", "宁夏", "内蒙古", "吉林", "北京", "天津", "山东"] }
"""
"""What is left goes to KDNiao, the first configured."""


@dataclass(frozen=True, slots=True)
class Carriers:
    """Which platforms take part, the default first; `ports` are their sandboxes', `web_port` takes their pushes."""

    names: tuple[str, ...]
    has_rules: bool
    ports: Mapping[str, int]
    web_port: int
    key: str
    token: str

    @classmethod
    def chosen(
        cls, choice: str, switch_to: str, *, ports: Mapping[str, int], web_port: int, key: str, token: str
    ) -> Carriers:
        names = NAMES if choice == MIXED else (choice,)
        if switch_to and switch_to not in names:
            names = (*names, switch_to)
        return cls(names, choice == MIXED, ports, web_port, key, token)

    def callback_url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.web_port}/callbacks/{name}/{self.token}"

    @property
    def queues(self) -> str:
        return ",".join(f"carrier.{name}" for name in self.names)

    @property
    def settings(self) -> dict[str, str]:
        """The ECSYNC_ variables of these platforms."""
        made = {"ECSYNC_CARRIERS": ",".join(self.names), "ECSYNC_CALLBACK_TOKEN": self.token}
        if self.has_rules:
            made["ECSYNC_ROUTING"] = RULES
        for name in self.names:
            prefix = f"ECSYNC_CARRIER_{name.upper()}_"
            made |= {prefix + key: value for key, value in self._of(name).items()}
            made[f"{prefix}READ_TIMEOUT_S"] = "5"
        return made

    def _of(self, name: str) -> dict[str, str]:
        place = f"http://127.0.0.1:{self.ports[name]}"
        if name == "kdniao":
            gateway = f"{place}/kdniaosandbox/gateway/exterfaceInvoke.json"
            return {
                "EBUSINESS_ID": "sandbox",
                "APP_KEY": self.key,
                "ORDER_URL": gateway,
                "QUERY_URL": gateway,
            }
        if name == "sf":
            # The sandbox orders were placed for many couriers: here all of them are SF's.
            return {
                "URL": f"{place}/std/service",
                "PARTNER_ID": "sandbox",
                "CHECKWORD": self.key,
                "COD_CARD": "SANDBOX",
                "PRINT_TEMPLATE": "fm_150_standard_SANDBOX",
                "TAKE_ALL": "0" if self.has_rules else "1",
            }
        return {
            "ORDER_URL": f"{place}/label/order",
            "QUERY_URL": f"{place}/poll/query.do",
            "SUBSCRIBE_URL": f"{place}/poll",
            "KEY": self.key,
            "SECRET": self.key,
            "CUSTOMER": "SANDBOX",
            "SALT": self.token,
            "CALLBACK_URL": self.callback_url(name),
        }

    @property
    def sandbox_words(self) -> list[str]:
        """The command line of `sync.sandbox` that makes its carriers fit these settings."""
        options = {
            "--carrier-port": self.ports["kdniao"],
            "--sf-port": self.ports["sf"],
            "--kuaidi100-port": self.ports["kuaidi100"],
            "--callback-url": self.callback_url("kdniao"),
            "--sf-callback-url": self.callback_url("sf"),
            "--ebusiness-id": "sandbox",
            "--app-key": self.key,
            "--sf-partner-id": "sandbox",
            "--sf-checkword": self.key,
            "--kuaidi100-key": self.key,
            "--kuaidi100-secret": self.key,
            "--kuaidi100-customer": "SANDBOX",
        }
        return [word for name, value in options.items() for word in (name, str(value))]
