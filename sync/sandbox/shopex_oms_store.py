"""What the sandbox OMS keeps of an order, and how its open API shows it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mappings.china_time import write_time


@dataclass(slots=True)
class Stored:
    """One order. `status` is active or dead; `logi_no` is set once it is shipped, `shipped_at` in Shanghai."""

    number: int
    order_bn: str
    form: Mapping[str, str]
    objects: list[dict[str, Any]]
    lastmodify: str
    trade_nos: tuple[str, ...]
    is_fail: bool
    status: str = "active"
    logi_no: str = ""
    logi_name: str = ""
    shipped_at: str = ""

    @classmethod
    def of(cls, number: int, form: Mapping[str, str], objects: list[dict[str, Any]], *, is_fail: bool) -> Stored:
        payments = json.loads(form.get("payments") or "[]")
        return cls(
            number=number,
            order_bn=form["order_bn"],
            form=form,
            objects=objects,
            lastmodify=form.get("lastmodify", ""),
            trade_nos=tuple(payment["trade_no"] for payment in payments),
            is_fail=is_fail,
        )

    @property
    def holds_stock(self) -> bool:
        return self.status == "active" and not self.is_fail

    def pieces(self, sku: str) -> int:
        return sum(int(sold["quantity"]) for sold in self.objects if sold["bn"] == sku)

    def ship(self, logi_no: str, logi_name: str, at: datetime) -> None:
        self.logi_no, self.logi_name, self.shipped_at = logi_no, logi_name, write_time(at)

    def row(self, shop_bn: str) -> dict[str, Any]:
        """As `orders.getList` shows it, the consignee encrypted."""
        same = ("total_amount", "cost_item", "payed", "pmt_goods", "pmt_order", "discount", "cost_tax", "currency")
        consignee = json.loads(self.form.get("consignee") or "{}")
        area = "-".join(consignee.get(name, "") for name in ("area_state", "area_city", "area_district"))
        hidden = ("ship_name", "ship_addr", "ship_tel", "ship_mobile")
        return {
            "shop_code": shop_bn,
            "order_id": str(self.number),
            "order_bn": self.order_bn,
            "process_status": "取消" if self.status == "dead" else "未确认",
            "status": "已作废" if self.status == "dead" else "活动订单",
            "pay_status": "已支付",
            "ship_status": "已发货" if self.logi_no else "未发货",
            "pay_bn": "online",
            "ship_area": area,
            "final_amount": self.form.get("cur_amount", ""),
            **{name: self.form.get(name, "") for name in same},
            **{name: f"{name}@local_hash" for name in hidden},
            "last_modified": self.lastmodify,
            "order_createtime": self.form.get("createtime", ""),
            "order_items": {str(place): _item(place, sold) for place, sold in enumerate(self.objects, 1)},
            "order_objects": [_object(place, sold) for place, sold in enumerate(self.objects, 1)],
        }

    def delivery(self, shop_bn: str) -> dict[str, Any]:
        """As `sales.getDeliveryList` shows it."""
        items = [
            {
                "shop_bn": shop_bn,
                "order_bn": self.order_bn,
                "oid": sold["oid"],
                "obj_type": sold["obj_type"],
                "sales_material_bn": sold["bn"],
                "bn": sold["bn"],
                "nums": sold["quantity"],
            }
            for sold in self.objects
        ]
        return {
            "delivery_bn": f"D{self.number:08d}",
            "delivery_time": self.shipped_at,
            "logi_name": self.logi_name,
            "logi_no": self.logi_no,
            "ship_name": "ship_name@local_hash",
            "branch_bn": "stockhouse",
            "items": items,
        }


def _object(place: int, sold: Mapping[str, Any]) -> dict[str, Any]:
    names = ("bn", "name", "price", "quantity", "sale_price", "pmt_price", "oid", "obj_type", "shop_goods_id")
    return {"obj_id": str(place), **{name: sold.get(name, "") for name in names}}


def _item(place: int, sold: Mapping[str, Any]) -> dict[str, Any]:
    names = ("bn", "name", "price", "sale_price", "pmt_price", "shop_goods_id")
    shown = {name: sold.get(name, "") for name in names}
    return {"obj_id": str(place), **shown, "nums": sold["quantity"], "sendnum": "0", "sales_amount": sold["amount"]}
