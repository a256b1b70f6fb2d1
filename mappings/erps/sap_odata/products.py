"""Asking SAP for an order's materials before the order is sent, where the product service is open to us."""

from __future__ import annotations

from collections.abc import Collection

from mappings.erps.sap_odata.access import SapAccess
from mappings.erps.sap_odata.odata import address, any_of, literal
from mappings.erps.sap_odata.order import material_of
from mappings.erps.sap_odata.reply import ORDER_AREA, read_page
from mappings.erps.sap_odata.settings import SapSettings
from mappings.erps.sap_odata.stock import SKUS_AT_ONCE
from mappings.errors import PermanentError
from mappings.fields import text_of
from mappings.wire import Exchange

_SET = "A_ProductSalesDelivery"


def check_materials(access: SapAccess, given: SapSettings, materials: Collection[str]) -> Exchange[None]:
    """Raise PermanentError `sku_unknown` unless every material is extended to our sales area.

    Raises as a read of orders does; never UncertainError.
    """
    wanted, known = sorted(set(materials)), set[str]()
    area = (
        f"ProductSalesOrg eq {literal(given.sales_organization)} and "
        f"ProductDistributionChnl eq {literal(given.distribution_channel)}"
    )
    for start in range(0, len(wanted), SKUS_AT_ONCE):
        some = any_of("Product", wanted[start : start + SKUS_AT_ONCE])
        options = {**given.options, "$filter": f"{some} and {area}", "$select": "Product"}
        url = address(given.base_url + given.product_path, _SET, options)
        rows, _ = read_page((yield from access.read("check_skus", url, is_order=False)), ORDER_AREA)
        known |= {material_of(text_of(row, "Product")) for row in rows}
    if unknown := [material for material in wanted if material not in known]:
        raise PermanentError(
            f"{ORDER_AREA}.sku_unknown",
            f"SAP has no material {', '.join(unknown[:20])} in this sales area; nothing was sent. Create or extend it "
            "there, or correct the goods number in the shop; then retry",
        )
