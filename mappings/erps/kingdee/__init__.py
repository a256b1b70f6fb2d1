"""Kingdee K3Cloud (金蝶云星空), beta: sales orders saved, submitted and audited by its web API, stock by its query."""

from mappings.erps.kingdee.erp import KingdeeErp

__all__ = ["KingdeeErp"]
