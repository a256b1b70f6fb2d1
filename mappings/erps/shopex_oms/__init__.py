"""ShopeX ONEX OMS (商派, "ecos.ome"): orders over its matrix RPC, all questions over its open API."""

from mappings.erps.shopex_oms.erp import ShopexOms

__all__ = ["ShopexOms"]
