"""What every connector must obey, as tests: a connector's own test subclasses one class and names its case.

    class TestParcelhub(CarrierConformance):
        case = Case(ParcelhubCarrier, CONFIG, peer=ScriptedParcelhub, push=push, known_code="TRANSIT")

The checks are plain methods that raise AssertionError, so pytest runs them and nothing here needs it. Only tests
import this package. How to write a connector: docs/howto/add-a-carrier.md.
"""

from mappings.conformance.carrier import CarrierConformance
from mappings.conformance.case import Case, Scan

__all__ = ["CarrierConformance", "Case", "Scan"]
