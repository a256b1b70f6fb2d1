"""ECShop: what its rows mean, and what must be written back. Facts hold for 2.7.3 to 4.0 unless said."""

from mappings.shops.ecshop.orders import (
    Unfit,
    content_hash,
    hash_if_readable,
    possible_standings,
    read_order,
    standing,
)
from mappings.shops.ecshop.rows import Note, OrderRows, ReadRules
from mappings.shops.ecshop.shipping import parse_shipper_map, shipper_code_for

__all__ = [
    "Note",
    "OrderRows",
    "ReadRules",
    "Unfit",
    "content_hash",
    "hash_if_readable",
    "parse_shipper_map",
    "possible_standings",
    "read_order",
    "shipper_code_for",
    "standing",
]
