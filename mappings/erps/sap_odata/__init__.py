"""SAP S/4HANA by OData V2: orders through API_SALES_ORDER_SRV, stock through API_MATERIAL_STOCK_SRV."""

from mappings.erps.sap_odata.erp import SapOdataErp

__all__ = ["SapOdataErp"]
