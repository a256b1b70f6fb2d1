"""What every connector must obey, as tests: a connector's own test subclasses one class and names its case.

    class TestParcelhub(CarrierConformance):
        case = CarrierCase(ParcelhubCarrier, CONFIG, peer=ScriptedParcelhub, push=push, known_code="TRANSIT")

    class TestLedgerline(ErpConformance):
        case = ErpCase(LedgerlineErp, CONFIG, peer=ScriptedLedgerline)

The checks are plain methods that raise AssertionError, so pytest runs them and nothing here needs it. Only tests
import this package. How to write a connector: docs/howto/add-a-carrier.md, docs/howto/add-an-erp.md.
"""

from mappings.conformance.carrier import CarrierConformance
from mappings.conformance.carrier_case import CarrierCase, Scan
from mappings.conformance.erp import ErpConformance
from mappings.conformance.erp_case import ErpCase

__all__ = ["CarrierCase", "CarrierConformance", "ErpCase", "ErpConformance", "Scan"]
