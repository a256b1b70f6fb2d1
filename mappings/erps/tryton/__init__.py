"""Tryton 8, by its own REST protocol: sales of a web shop, and what its warehouses can still promise."""

from mappings.erps.tryton.erp import TrytonErp

__all__ = ["TrytonErp"]
