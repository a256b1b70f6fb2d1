"""Notices: the review reminder to the buyer; overdue, still and late parcels and withdrawals to customer service.

Each is sent once. A notice whose sending may have worked is not sent again: a missing reminder harms less than a
second one, and what customer service must see stands on the desk as well.
"""

from __future__ import annotations

from dataclasses import dataclass

from mappings.errors import TransientError
from sync.clock import utc_now
from sync.db.steps import StepBook
from sync.gateway import Attempt
from sync.notify import NoticeFailed
from sync.runtime import Runtime
from sync.services.work import Work


@dataclass(frozen=True, slots=True)
class _Notice:
    channel: str
    title: str
    body: str

    def perform(self, rt: Runtime, work: Work) -> None:
        """Send it; raises TransientError when the channel did not take it."""
        if work.may_have_happened:
            return
        waybill_no = work.shipment.waybill_no if work.shipment else ""
        body = self.body.format(order_sn=work.order_sn, waybill_no=waybill_no)
        started = utc_now()
        try:
            rt.notifier.send(self.channel, self.title.format(order_sn=work.order_sn), body)
        except NoticeFailed as failure:
            raise TransientError(f"notice.{self.channel}.failed", str(failure)) from failure
        finally:
            seconds = (utc_now() - started).total_seconds()
            rt.counters.seconds.labels("notices", self.channel).observe(seconds)
        work.calls.attempts.append(
            Attempt("notices", self.channel, started, round(seconds * 1000), "ok", "", 0, body, "")
        )

    def record(self, rt: Runtime, book: StepBook, work: Work, result: None) -> None:
        return


REVIEW = _Notice(
    "review",
    "订单 {order_sn} 已签收，欢迎评价 / Order {order_sn} has arrived: how was it?",
    "您的订单 {order_sn}（运单 {waybill_no}）已签收，欢迎评价。\n"
    "Your order {order_sn} (waybill {waybill_no}) has been delivered. We would like to hear how it was.",
)
SERVICE = _Notice(
    "service",
    "物流异常：订单 {order_sn} 超时未揽收 / Order {order_sn}: pickup overdue",
    "订单 {order_sn}，运单 {waybill_no} 超时未揽收，已向承运商查询，仍无揽收记录。请联系网点。\n"
    "Order {order_sn}, waybill {waybill_no} was not picked up in time; the carrier was asked and knows of no pickup. "
    "Please call the branch.",
)
STILL = _Notice(
    "service",
    "物流停滞：订单 {order_sn} 长时间无新轨迹 / Order {order_sn}: its parcel does not move",
    "订单 {order_sn}，运单 {waybill_no} 长时间没有新的物流轨迹，已向承运商查询，仍无更新。请联系网点查件。\n"
    "Order {order_sn}, waybill {waybill_no} has had no scan for days; the carrier was asked and knows no more. "
    "Please ask the branch where the parcel is.",
)
UNDELIVERED = _Notice(
    "service",
    "超时未签收：订单 {order_sn} / Order {order_sn}: its parcel is late",
    "订单 {order_sn}，运单 {waybill_no} 揽收后超过应有时效仍未签收，已向承运商查询。请联系网点催派。\n"
    "Order {order_sn}, waybill {waybill_no} is not delivered although its usual travel time is over; the carrier was "
    "asked. Please ask the branch when it will arrive.",
)
WITHDRAWN = _Notice(
    "service",
    "订单 {order_sn} 已撤回，请拦下包裹 / Order {order_sn} was withdrawn: keep its parcel here",
    "订单 {order_sn} 在取运单号或推送 ERP 之后被店铺撤回（取消、退款、合并或删除）。系统会自动作废运单、取消 ERP 单据；"
    "请让仓库取出包裹，已揽收的请联系快递拦截。进度见异常台。\n"
    "Order {order_sn} was withdrawn in the shop (cancelled, refunded, merged or deleted) after it had gone out. Its "
    "waybill and ERP document are being cancelled by themselves. Keep the parcel here; one that was picked up must be "
    "intercepted by the carrier. The desk shows how far it is.",
)
