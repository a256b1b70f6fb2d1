"""What a sale refers to, looked up by the names that people know: the web shop, the customer, the products.

Tryton runs no on_change for a call by REST, so a sale must name company, currency, addresses and units itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from mappings.erps.tryton.protocol import RestDoor, Row, read_rows, said_no
from mappings.erps.tryton.settings import TrytonSettings
from mappings.errors import PermanentError
from mappings.fields import objects_in, text_of
from mappings.wire import Exchange, HttpCall

NAMED_AT_MOST = 20
AT_ONCE = 20
"""Codes that one question names: it is an address, and servers in front of Tryton take one of some 4000 characters."""


@dataclass(frozen=True, slots=True)
class Warehouse:
    """A warehouse of the web shop; `id` is the location's."""

    id: int
    name: str


@dataclass(frozen=True, slots=True)
class WebShop:
    """The web shop's own record: whose company sells, in which currency, out of which warehouses."""

    id: int
    company: int
    currency: int
    currency_code: str
    guest_party: int | None
    warehouses: tuple[Warehouse, ...]


@dataclass(frozen=True, slots=True)
class Customer:
    """The party that the sales are made out to, with the addresses Tryton would choose itself."""

    id: int
    invoice_address: int
    shipment_address: int


@dataclass(frozen=True, slots=True)
class Product:
    """A product as a line names it; `unit` is the unit that its stock is counted in."""

    id: int
    unit: int


def find_web_shop(door: RestDoor, settings: TrytonSettings, area: str) -> Exchange[WebShop]:
    """The web shop of the settings. Raises PermanentError `<area>.shop_unknown` or `<area>.shop_incomplete`."""
    fields = ("company", "currency.code", "guest_party", "warehouses.name")
    domain = [["name", "=", settings.web_shop]]
    row = yield from _find_one(door.search("find_web_shop", "web.shop", domain, fields), area, "shop_unknown",
                               f"Tryton has no web shop called {settings.web_shop}, or our user may not see it: "
                               "correct WEB_SHOP, or the user's company there")  # fmt: skip
    currency = row.get("currency") or {}
    company, currency_id = row.get("company"), currency.get("id") if isinstance(currency, dict) else None
    if not isinstance(company, int) or not isinstance(currency_id, int):
        raise PermanentError(
            f"{area}.shop_incomplete",
            "Tryton does not show company and currency of the web shop: give our user the right to read them there",
        )
    warehouses = tuple(Warehouse(one["id"], text_of(one, "name")) for one in objects_in(row.get("warehouses")))
    return WebShop(row["id"], company, currency_id, text_of(currency, "code"), row.get("guest_party"), warehouses)


def find_customer(door: RestDoor, settings: TrytonSettings, area: str) -> Exchange[Customer]:
    """The party of the settings. Raises PermanentError `<area>.party_unknown` or `<area>.address_missing`."""
    fields = ("addresses.invoice", "addresses.delivery")
    domain = [["code", "=", settings.party]]
    row = yield from _find_one(door.search("find_party", "party.party", domain, fields), area, "party_unknown",
                               f"Tryton has no party with the code {settings.party}: correct PARTY")  # fmt: skip
    addresses = objects_in(row.get("addresses"))
    if not addresses:
        raise PermanentError(
            f"{area}.address_missing",
            f"The party {settings.party} has no address in Tryton, and no sale can be quoted without one: add it there",
        )
    return Customer(row["id"], _address(addresses, "invoice"), _address(addresses, "delivery"))


def find_products(door: RestDoor, skus: Iterable[str], area: str) -> Exchange[Mapping[str, Product]]:
    """The products of these codes, each of which is there and for sale; an active code is unique in Tryton.

    Raises PermanentError `<area>.sku_unknown` or `<area>.sku_not_salable`, which names the codes.
    """
    wanted, fields = sorted(set(skus)), ("code", "default_uom", "salable")
    found: dict[str, Row] = {}
    for start in range(0, len(wanted), AT_ONCE):
        domain = [["code", "in", wanted[start : start + AT_ONCE]]]
        rows = yield from _search(door.search("find_products", "product.product", domain, fields), area)
        found |= {str(row.get("code")): row for row in rows}
    if unknown := [sku for sku in wanted if sku not in found]:
        raise PermanentError(
            f"{area}.sku_unknown",
            f"Tryton has no product with the code {_listed(unknown)}. Nothing was sent. Enter it there as the "
            "product's code, or correct the goods number in the shop; then retry",
        )
    if unsold := [sku for sku in wanted if not _is_for_sale(found[sku])]:
        raise PermanentError(
            f"{area}.sku_not_salable",
            f"Tryton does not sell the product {_listed(unsold)}. Nothing was sent. Tick Salable there, then retry",
        )
    return {sku: Product(found[sku]["id"], found[sku]["default_uom"]) for sku in wanted}


def choose_warehouse(shop: WebShop, settings: TrytonSettings, area: str) -> Warehouse:
    """The named warehouse, else the only one. Raises PermanentError `<area>.warehouse_unclear`."""
    wanted = [one for one in shop.warehouses if settings.warehouse in ("", one.name)]
    if len(wanted) == 1:
        return wanted[0]
    known = ", ".join(one.name for one in shop.warehouses) or "none"
    raise PermanentError(
        f"{area}.warehouse_unclear",
        f"It is not clear which warehouse the web shop {settings.web_shop} sells from. It has in Tryton: {known}. "
        "Name one of them in WAREHOUSE, or enter it with the web shop there",
    )


def _find_one(call: HttpCall, area: str, word: str, message: str) -> Exchange[Row]:
    rows = yield from _search(call, area)
    if len(rows) != 1:
        raise PermanentError(f"{area}.{word}", message)
    return rows[0]


def _search(call: HttpCall, area: str) -> Exchange[list[Row]]:
    reply = yield call
    if why := said_no(reply):
        raise PermanentError(
            f"{area}.rejected",
            "Tryton does not let our user look: give it the groups that the message names",
            peer_code="400",
            peer_text=why[:200],
        )
    return read_rows(reply, area)


def _address(addresses: list[Mapping[str, Any]], kind: str) -> int:
    """As Tryton's own `address_get`: the first that is meant for this, else the first."""
    chosen = next((one for one in addresses if one.get(kind) is True), addresses[0])
    return int(chosen["id"])


def _is_for_sale(row: Row) -> bool:
    return row.get("salable") is True and isinstance(row.get("default_uom"), int)


def _listed(skus: list[str]) -> str:
    more = f" and {len(skus) - NAMED_AT_MOST} more" if len(skus) > NAMED_AT_MOST else ""
    return ", ".join(skus[:NAMED_AT_MOST]) + more
