"""The documents: every setting stands in them with its default, no link is dead, both languages say the same."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from ecsync_parcelhub import SPEC as EXAMPLE

from mappings.connector import Spec
from sync import settings as settings_module
from sync.cli import main
from sync.registry import KINDS, load_connector, names
from sync.settings import OUTSIDE, read_settings
from sync.settings_reader import Reader

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
TRANSLATED = [path for path in DOCUMENTS if path.name.endswith(".zh-CN.md")]
SETTINGS = [ROOT / "docs/settings.md", ROOT / "docs/settings.zh-CN.md"]
OPERATIONS = [ROOT / "docs/operations.md", ROOT / "docs/operations.zh-CN.md"]

REQUIRED = {"**required**", "**必填**"}
COMPUTED = {"ECSYNC_LIMITS_URL", "ECSYNC_SANDBOX_CLOCK"}
"""Settings whose default is not one value: it follows from another setting, or is the real time."""
PEERS = {"shop": "MAIN", "carrier": "KDNIAO", "erp": "GENERIC_REST"}
"""The peers that the settings page shows; their names make the prefix."""

LEAST = {
    "ECSYNC_SHOPS": "main",
    "ECSYNC_CARRIERS": "kdniao",
    "ECSYNC_ERPS": "generic_rest",
    "ECSYNC_SHOP_MAIN_DSN": "sqlite:///shop.db",
    "ECSYNC_CARRIER_KDNIAO_EBUSINESS_ID": "1",
    "ECSYNC_CARRIER_KDNIAO_APP_KEY": "x",
    "ECSYNC_ERP_GENERIC_REST_BASE_URL": "https://erp.example.com",
    "ECSYNC_ERP_GENERIC_REST_TOKEN": "x",
    **{f"ECSYNC_SENDER_{name}": "x" for name in ("NAME", "PHONE", "PROVINCE", "CITY", "DISTRICT", "ADDRESS")},
}
"""The least that an installation must set."""
BY_PLUGIN = {name: value for name, value in LEAST.items() if not name.endswith("_DSN")} | {
    "ECSYNC_SHOP_MAIN_CONNECTOR": "ecshop_api",
    "ECSYNC_SHOP_MAIN_URL": "https://shop.example.com",
    "ECSYNC_SHOP_MAIN_KEY": "x" * 32,
}
"""The same with a shop behind the plug-in, whose own settings stand on the same page."""
BY_SF = LEAST | {
    "ECSYNC_CARRIERS": "kdniao,sf",
    "ECSYNC_CARRIER_SF_PARTNER_ID": "x",
    "ECSYNC_CARRIER_SF_CHECKWORD": "x",
    "ECSYNC_CALLBACK_TOKEN": "x" * 32,
}
"""The same with a second carrier, whose settings stand on the same page."""
BY_KUAIDI100 = LEAST | {
    "ECSYNC_CARRIERS": "kdniao,kuaidi100",
    "ECSYNC_CARRIER_KUAIDI100_ENVIRONMENT": "production",
    **{f"ECSYNC_CARRIER_KUAIDI100_{name}": "x" for name in ("KEY", "SECRET", "CUSTOMER", "SALT")},
    "ECSYNC_CARRIER_KUAIDI100_CALLBACK_URL": "https://hooks.example.com/callbacks/kuaidi100",
}
"""And with a third."""
BY_HAND = LEAST | {"ECSYNC_CARRIERS": "kdniao,manual"}
"""And with the one that nobody is called for."""
BY_SHOPEX_OMS = LEAST | {
    "ECSYNC_ERPS": "generic_rest,shopex_oms",
    "ECSYNC_ERP_SHOPEX_OMS_BASE_URL": "https://oms.example.com",
    **{f"ECSYNC_ERP_SHOPEX_OMS_{name}": "x" for name in ("NODE_ID", "TOKEN", "SHOP_BN", "FLAG", "KEY")},
}
"""And with an OMS beside the first ERP."""
BY_TRYTON = LEAST | {
    "ECSYNC_ERPS": "generic_rest,tryton",
    "ECSYNC_ERP_TRYTON_BASE_URL": "https://erp.example.com",
    **{f"ECSYNC_ERP_TRYTON_{name}": "x" for name in ("DATABASE", "KEY", "WEB_SHOP", "PARTY")},
}
"""And with Tryton."""
BY_KINGDEE = LEAST | {
    "ECSYNC_ERPS": "generic_rest,kingdee",
    "ECSYNC_ERP_KINGDEE_APP_ID": "1_eHg=",
    **{f"ECSYNC_ERP_KINGDEE_{name}": "x" for name in ("APP_SECRET", "ACCT_ID", "USER", "CUSTOMER")},
}
"""And with Kingdee."""
BY_SAP_PI = LEAST | {
    "ECSYNC_ERPS": "generic_rest,sap_pi",
    "ECSYNC_ERP_SAP_PI_BASE_URL": "https://pi.example.com",
    "ECSYNC_ERP_SAP_PI_SENDER": "rest",
    "ECSYNC_ERP_SAP_PI_PAYLOAD": "json",
    **{f"ECSYNC_ERP_SAP_PI_{name}": "x" for name in ("USERNAME", "PASSWORD")},
}
"""And with SAP by PI."""

BY_JUSHUITAN = LEAST | {
    "ECSYNC_ERPS": "generic_rest,jushuitan",
    **{f"ECSYNC_ERP_JUSHUITAN_{name}": "x" for name in ("APP_KEY", "APP_SECRET", "ACCESS_TOKEN")},
    "ECSYNC_ERP_JUSHUITAN_SHOP_ID": "1",
}
"""And with Jushuitan."""
BY_WANGDIANTONG = LEAST | {
    "ECSYNC_ERPS": "generic_rest,wangdiantong",
    **{f"ECSYNC_ERP_WANGDIANTONG_{name}": "x:y" for name in ("SID", "APP_KEY", "APP_SECRET", "SHOP_NO")},
}
"""And with Wangdiantong."""
BY_SAP_ODATA = LEAST | {
    "ECSYNC_ERPS": "generic_rest,sap_odata",
    "ECSYNC_ERP_SAP_ODATA_BASE_URL": "https://s4.example.com",
    **{f"ECSYNC_ERP_SAP_ODATA_{name}": "x" for name in ("USERNAME", "PASSWORD", "SALES_ORGANIZATION")},
    **{f"ECSYNC_ERP_SAP_ODATA_{name}": "1" for name in ("DISTRIBUTION_CHANNEL", "DIVISION", "SOLD_TO")},
}
"""And with SAP by OData."""


@cache
def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def counterpart(path: Path) -> Path:
    """The English document of a Chinese one."""
    return path.with_name(path.name.replace(".zh-CN.md", ".md"))


def label(path: Path) -> str:
    return str(path.relative_to(ROOT))


def headings(path: Path) -> list[str]:
    """The levels of the headings in order; what stands in code blocks is none."""
    return re.findall(
        r"^(#+) ", re.sub(r"^```.*?^```", "", text_of(path), flags=re.MULTILINE | re.DOTALL), re.MULTILINE
    )


def commands(path: Path) -> list[str]:
    """The lines of shell and SQL blocks without their comments."""
    blocks = re.findall(r"^```(?:sh|sql|text)\n(.*?)^```", text_of(path), re.MULTILINE | re.DOTALL)
    lines = [re.sub(r"(^|\s)(#|--) .*$", "", line).rstrip() for block in blocks for line in block.splitlines()]
    return [re.sub(r'--reason ".*"', '--reason ""', line) for line in lines if line]


def table(path: Path) -> dict[str, str]:
    """First and second column of every row that begins with code."""
    return dict(re.findall(r"^\| `([A-Za-z0-9_]+)` \| (.*?) ?\|", text_of(path), re.MULTILINE))


# --- settings


@cache
def settings_in_code() -> dict[str, tuple[Any, bool]]:
    """Every variable that the settings read, with its default and whether it is required."""
    found: dict[str, tuple[Any, bool]] = {}

    class Remembering(Reader):
        def get(self, name: str, parse: Any = str, default: Any = None, *, required: bool = False) -> Any:
            found.setdefault(name, (default, required))
            return super().get(name, parse, default, required=required)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(settings_module, "Reader", Remembering)
        for least in (
            LEAST,
            BY_PLUGIN,
            BY_SF,
            BY_KUAIDI100,
            BY_HAND,
            BY_SAP_ODATA,
            BY_SAP_PI,
            BY_TRYTON,
            BY_KINGDEE,
            BY_SHOPEX_OMS,
            BY_JUSHUITAN,
            BY_WANGDIANTONG,
        ):
            read_settings(least)
    return found


def as_written(name: str, default: object) -> str:
    """How the settings page shows a default; no rate limit is shown as none."""
    if default in (None, "", {}, ()) or ("_RATE_PER_" in name and not default):
        return ""
    return f"`{default:g}`" if isinstance(default, bool | float) else f"`{default}`"


@pytest.mark.parametrize("page", SETTINGS, ids=label)
def test_every_setting_stands_on_the_settings_page_with_its_default(page: Path) -> None:
    shown = table(page)
    wrong = {
        name: shown.get(name, "is missing")
        for name, (default, required) in settings_in_code().items()
        if name not in COMPUTED and shown.get(name) not in (REQUIRED if required else {as_written(name, default)})
    }

    assert wrong == {}


@pytest.mark.parametrize("page", SETTINGS, ids=label)
def test_every_setting_of_every_connector_stands_on_the_settings_page(page: Path) -> None:
    shown = table(page)
    for kind in KINDS:
        for connector in names(kind):
            spec: Spec = load_connector(kind, connector).spec
            prefix = f"ECSYNC_{kind.upper()}_{PEERS[kind] if kind == 'shop' else connector.upper()}_"
            missing = [setting.name for setting in spec.settings if prefix + setting.name.upper() not in shown]
            assert missing == [], f"{label(page)} lacks settings of {connector}"


@pytest.mark.parametrize("page", SETTINGS, ids=label)
def test_the_settings_page_names_nothing_that_nobody_reads(page: Path) -> None:
    known = {*settings_in_code(), *OUTSIDE, "FLOWER_BASIC_AUTH", "REMAP_SIGTERM"}

    assert set(table(page)) - known == set()


@pytest.mark.parametrize("path", DOCUMENTS, ids=label)
def test_a_document_names_only_settings_that_exist(path: Path) -> None:
    known = {*settings_in_code(), *OUTSIDE, "ECSYNC_CARRIER_SECOND_CONNECTOR"}
    known |= {f"ECSYNC_CARRIER_{EXAMPLE.name.upper()}_{setting.name.upper()}" for setting in EXAMPLE.settings}
    named = set(re.findall(r"\bECSYNC_[A-Z0-9_]*[A-Z0-9]\b(?![_<…])", text_of(path)))
    strange = {name for name in named if not {name, name.removesuffix("_FILE")} & (known | {"ECSYNC_ENV"})}

    assert {name for name in strange if not name.startswith("ECSYNC_TEST_")} == set()


# --- links


@pytest.mark.parametrize("path", DOCUMENTS, ids=label)
def test_no_relative_link_is_dead(path: Path) -> None:
    links = [link.partition("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", text_of(path))]
    dead = [link for link in links if link and "://" not in link and not (path.parent / link).exists()]

    assert dead == []


@pytest.mark.parametrize("path", sorted(ROOT.glob("docs/images/*")), ids=label)
def test_a_picture_is_shown_somewhere_and_is_small(path: Path) -> None:
    assert any(path.name in text_of(document) for document in DOCUMENTS)
    assert path.stat().st_size < 250_000


def test_every_decision_stands_in_the_index() -> None:
    index = text_of(ROOT / "docs/adr/README.md")

    assert [path.name for path in sorted(ROOT.glob("docs/adr/0*.md")) if f"]({path.name})" not in index] == []


# --- both languages


def test_both_languages_have_the_documents_that_operators_need() -> None:
    pairs = {label(counterpart(path)) for path in TRANSLATED}

    assert {"README.md", "docs/connect.md", "docs/operations.md", "docs/settings.md", "docs/metrics.md"} <= pairs


@pytest.mark.parametrize("path", TRANSLATED, ids=label)
def test_both_languages_have_the_same_headings(path: Path) -> None:
    assert headings(path) == headings(counterpart(path))


@pytest.mark.parametrize("path", TRANSLATED, ids=label)
def test_both_languages_have_the_same_commands(path: Path) -> None:
    assert commands(path) == commands(counterpart(path))


@pytest.mark.parametrize("path", TRANSLATED, ids=label)
def test_both_languages_have_the_same_rows(path: Path) -> None:
    chinese, english = (re.findall(r"^\|", text_of(one), re.MULTILINE) for one in (path, counterpart(path)))

    assert len(chinese) == len(english)


# --- what the documents say about the code


@cache
def source() -> str:
    files = [path for room in ("mappings", "sync", "tasks") for path in (ROOT / room).rglob("*")]
    return "\n".join(text_of(path) for path in files if path.suffix in (".py", ".toml"))


def documented_codes(path: Path) -> set[str]:
    rows = re.findall(r"^\| ((?:`[a-z_.…]+`[ 等…]*)+)\|", text_of(path), re.MULTILINE)
    return {code for row in rows for code in re.findall(r"`([a-z_.…]+)`", row)}


@pytest.mark.parametrize("path", OPERATIONS, ids=label)
def test_every_code_on_the_operations_page_exists(path: Path) -> None:
    codes = documented_codes(path)
    words = {code.rpartition(".")[2] for code in codes}

    assert len(codes) > 50
    assert {word for word in words if not re.search(rf'["./}}]{word}\b', source())} == set()


@pytest.mark.parametrize("path", OPERATIONS, ids=label)
def test_every_reason_why_a_shop_s_order_or_write_is_refused_is_explained(path: Path) -> None:
    orders = re.findall(r'Problem\(\s*"([a-z_]+)"', source())
    writes = re.findall(r'refuse\(\s*"([a-z_]+)"', source())
    regions = re.findall(r'"(address\.[a-z_]+)"', source())
    wanted = {f"ecshop.order.{word}" for word in orders} | {f"ecshop.write_back.{word}" for word in writes} | {*regions}

    assert wanted - documented_codes(path) == set()


def typed(path: Path, program: str) -> list[str]:
    """What a document lets its reader type after the name of a program, in blocks and in the text."""
    in_text = re.findall(r"`([^`\n]+)`", text_of(path))
    return [line.removeprefix(f"{program} ") for line in [*commands(path), *in_text] if line.startswith(f"{program} ")]


@pytest.mark.parametrize("path", DOCUMENTS, ids=label)
def test_a_document_names_only_commands_that_exist(path: Path) -> None:
    for line in typed(path, "ecsync"):
        command, *words = line.split()
        assert command in main.commands, line
        nested = getattr(main.commands[command], "commands", None)
        assert nested is None or set(words[0].split("|")) <= set(nested), line


@pytest.mark.parametrize("path", DOCUMENTS, ids=label)
def test_a_document_names_only_make_targets_that_exist(path: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", text_of(ROOT / "Makefile"), re.MULTILINE))

    assert {line.split()[0] for line in typed(path, "make")} - targets == set()
