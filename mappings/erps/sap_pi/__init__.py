"""SAP behind its middleware, PI or PO: an ORDERS05 IDoc (or JSON) by the SOAP, the plain HTTP or the REST adapter."""

from mappings.erps.sap_pi.erp import SapPiErp

__all__ = ["SapPiErp"]
