"""Any ERP, or middleware before one, that takes an order as JSON: `POST /api/orders`."""

from mappings.erps.generic_rest.erp import GenericRestErp

__all__ = ["GenericRestErp"]
