"""Wangdiantong 旺店通 flagship edition (旗舰版), by its open platform; the enterprise edition is another product."""

from mappings.erps.wangdiantong.erp import WangdiantongErp

__all__ = ["WangdiantongErp"]
