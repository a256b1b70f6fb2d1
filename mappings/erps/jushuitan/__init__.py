"""Jushuitan 聚水潭, by its open platform: the largest ERP in the cloud for small merchants."""

from mappings.erps.jushuitan.erp import JushuitanErp

__all__ = ["JushuitanErp"]
