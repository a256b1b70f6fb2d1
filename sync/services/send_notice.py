"""Notices: the review reminder to the buyer, the overdue pickup to customer service. Each is sent once.

A notice whose sending may have worked is not sent again: a missing reminder harms less than a second one, and what
customer service must see stands on the desk as well.
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
