"""Makes a small company in a fresh Tryton database. Run by Tryton's own Python; talks by standard input and output.

In: {"goods": {code: pieces on hand}}. Out: {"keys": {login: key}, "party": code}.
"""

from __future__ import annotations

import json
import sys
from decimal import Decimal
from typing import Any

# These live in an environment of their own: the house does not depend on Tryton.
from proteus import Model, config  # type: ignore[import-not-found]
from trytond.modules.account.tests.tools import create_chart, get_accounts  # type: ignore[import-not-found]
from trytond.modules.company.tests.tools import create_company, get_company  # type: ignore[import-not-found]

WEB_SHOP, WAREHOUSE, CURRENCY = "ECShop", "北京仓", "CNY"
SERVICES = ("FREIGHT", "DISCOUNT")


def main() -> None:
    asked = json.load(sys.stdin)
    config.set_trytond()
    _make_company()
    warehouse = _name_warehouse()
    products = _make_products(asked["goods"])
    _put_on_shelves(warehouse, products, asked["goods"])
    party = _make_party("ECShop 客户")
    guest = _make_party("Guest")
    _make_web_shop(warehouse, guest)
    groups = {"ecsync": ("Sales", "Stock"), "boss": ("Sales", "Sales Administrator", "Stock"), "nobody": ()}
    keys = {login: _make_user(login, *names) for login, names in groups.items()}
    json.dump({"keys": keys, "party": party.code, "guest": guest.code}, sys.stdout)


def _make_company() -> None:
    yuan = Model.get("currency.currency")(name="人民币", code=CURRENCY, symbol="¥", rounding=Decimal("0.01"))
    yuan.save()
    create_company(currency=yuan)
    create_chart()


def _name_warehouse() -> Any:
    [warehouse] = Model.get("stock.location").find([("type", "=", "warehouse")])
    warehouse.name = WAREHOUSE
    warehouse.save()
    return warehouse


def _make_products(goods: dict[str, int]) -> dict[str, Any]:
    accounts = get_accounts()
    category = Model.get("product.category")(name="Goods", accounting=True)
    category.account_revenue, category.account_expense = accounts["revenue"], accounts["expense"]
    category.save()
    [unit] = Model.get("product.uom").find([("name", "=", "Unit")])
    made = {}
    for code in (*goods, *SERVICES, "UNSOLD"):
        template = Model.get("product.template")(name=code, default_uom=unit, list_price=Decimal(1))
        template.type = "service" if code in SERVICES else "goods"
        template.code, template.salable, template.account_category = code, code != "UNSOLD", category
        template.save()
        [made[code]] = template.products
    return made


def _put_on_shelves(warehouse: Any, products: dict[str, Any], goods: dict[str, int]) -> None:
    inventory = Model.get("stock.inventory")(location=warehouse.storage_location)
    for code, pieces in goods.items():
        line = inventory.lines.new(product=products[code])
        line.quantity, line.expected_quantity = float(pieces), 0.0
    inventory.click("confirm")


def _make_party(name: str) -> Any:
    party = Model.get("party.party")(name=name)
    [address] = party.addresses or [party.addresses.new()]
    address.street_unstructured, address.city = "海淀路1号", "北京"
    party.save()
    return party


def _make_web_shop(warehouse: Any, guest: Any) -> None:
    company = get_company()
    shop = Model.get("web.shop")(name=WEB_SHOP, company=company, currency=company.currency, guest_party=guest)
    shop.warehouses.append(warehouse)
    shop.save()


def _make_user(login: str, *groups: str) -> str:
    """The key of a user application for REST; the user may do what these groups may."""
    user = Model.get("res.user")(name=login, login=login)
    company = get_company()
    user.companies.append(company)
    user.company = company
    for name in groups:
        [group] = Model.get("res.group").find([("name", "=", name)])
        user.groups.append(group)
    user.save()
    application = Model.get("res.user.application")(user=user, application="rest")
    application.save()
    return str(application.key)


main()
