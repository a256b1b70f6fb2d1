"""The connector: an order is told once or again by the same call, and read back because the OMS says yes too easily."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, ClassVar

from mappings.bill import whole_lines
from mappings.connector import Config, Spec
from mappings.erps.shopex_oms.calls import LONG_AGO, order_call, question
from mappings.erps.shopex_oms.order import cancel_fields, order_fields, order_values
from mappings.erps.shopex_oms.reply import Said, read_order_answer, read_response, rows_of
from mappings.erps.shopex_oms.settings import SETTINGS, OmsSettings
from mappings.erps.shopex_oms.shipments import read_shipments
from mappings.erps.shopex_oms.stock import find_unknown_skus, read_stock
from mappings.errors import PeerError, PermanentError, UncertainError, UndecidedError
from mappings.explaining import Explained
from mappings.field_sources import explain_fields, read_rows
from mappings.fields import text_of
from mappings.model import ErpDocument, ErpOrder, ErpShipment, StockFigure
from mappings.parsing import fill_in
from mappings.wire import Exchange

FIELDS = read_rows(__package__)
ORDER, CANCEL, FIND = "shopex_oms.order", "shopex_oms.cancel", "shopex_oms.find"
CANCEL_RETRY_S = 60.0
"""A warehouse that the OMS must ask first needs a while."""
_DEAD = {"status": "已作废", "process_status": "取消"}
"""How the open API writes that an order is cancelled."""

Row = Mapping[str, Any]


class ShopexOms:
    """ShopeX ONEX OMS. A repeated order is an update of the first, so nothing doubles; it is looked up all the same."""

    spec: ClassVar[Spec] = Spec(
        name="shopex_oms",
        kind="erp",
        title_en="ShopeX ONEX OMS",
        title_zh="商派 ONEX OMS",
        settings=SETTINGS,
        numbers_later=True,  # where its queue for orders is switched on
        polls_shipments=True,
    )

    def __init__(self, config: Config) -> None:
        self._settings = OmsSettings.of(fill_in(SETTINGS, config))

    def find(self, external_ref: str) -> Exchange[ErpDocument | None]:
        """The order as the OMS shows it, which it does not for one that it cannot process; never UncertainError."""
        row = yield from self._look_up(external_ref)
        return None if row is None else ErpDocument(text_of(row, "order_id"), external_ref, adopted=True)

    def create(self, order: ErpOrder) -> Exchange[ErpDocument]:
        """Push the order once its SKUs are known to the OMS, and see that it can process it. Raises any PeerError.

        It has no number yet where the OMS queues its orders.
        """
        ref, fields = order.external_ref, order_fields(order, self._settings)
        if self._settings.check_skus:
            yield from self._check_skus(order)
        reply = yield order_call(self._settings, "create_order", fields)
        said = read_order_answer(reply, ORDER)
        if said.verdict.cls == "queued":
            return ErpDocument("", ref)
        if said.verdict.cls not in ("ok", "exists", "shipped", "replayed"):
            raise said.error(ORDER)
        is_new = said.verdict.cls == "ok"
        if is_new and said.erp_no and not self._settings.read_back:
            return ErpDocument(said.erp_no, ref)
        row = yield from self._look_after(ref, f"{ORDER}.unverified", "took the order")
        if row is not None:
            return ErpDocument(text_of(row, "order_id"), ref, adopted=not is_new)
        raise _not_shown(ref, said)

    def explain(self, order: ErpOrder) -> tuple[Explained, ...]:
        """Each field that `create` would tell of the order, and where it comes from; nobody is asked."""
        return tuple(explain_fields(order_values(order, self._settings), FIELDS))

    def confirm(self, document: ErpDocument) -> Exchange[ErpDocument]:
        """Nothing to do: staff or the OMS's own rules release an order (审单)."""
        yield from ()
        return document

    def cancel(self, document: ErpDocument) -> Exchange[None]:
        """Void the order, which takes its lines: they are read first. One that is cancelled is a success.

        Raises PermanentError where it is shipped or the OMS does not show it, UndecidedError while it is not void yet.
        """
        ref = document.external_ref
        row = yield from self._look_up(ref)
        if row is None:
            raise _unknown_to_cancel(ref)
        if _is_dead(row):
            return
        reply = yield order_call(self._settings, "cancel_order", cancel_fields(row, ref))
        said = read_order_answer(reply, CANCEL)
        if said.verdict.cls == "gone" or (said.verdict.cls == "cancelled" and not self._settings.read_back):
            return
        if said.verdict.cls == "not_taken":  # so it would be a new one: there is none
            raise _unknown_to_cancel(ref, said)
        if said.verdict.cls not in ("cancelled", "replayed", "exists", "ok"):
            raise said.error(CANCEL)
        row = yield from self._look_after(ref, f"{CANCEL}.unverified", "answered to the cancel")
        if row is None or not _is_dead(row):
            raise UndecidedError(
                "shopex_oms.cancel.not_void_yet",
                f"The OMS took the cancel of order {ref} and still shows it as open: see there whether its warehouse "
                "lets go of it",
                retry_after_s=CANCEL_RETRY_S,
                peer_text=said.text,
            )

    def read_stock(self, since: datetime | None, skus: Collection[str] = ()) -> Exchange[tuple[StockFigure, ...]]:
        """What can be sold, one figure a SKU over all warehouses, always of every SKU; never raises UncertainError."""
        return (yield from read_stock(self._settings, skus))

    def poll_shipments(self, since: datetime) -> Exchange[tuple[ErpShipment, ...]]:
        """What its warehouses sent of our shop's orders; never raises UncertainError."""
        return (yield from read_shipments(self._settings, since))

    def settle_shipments(self, taken: Mapping[str, str]) -> Exchange[None]:
        """Nobody is told: the OMS does not ask what became of its deliveries."""
        yield from ()

    def _check_skus(self, order: ErpOrder) -> Exchange[None]:
        """Raise PermanentError before anything is sent: the OMS would say yes to a SKU that it does not know."""
        unknown = yield from find_unknown_skus(self._settings, (line.sku for line in whole_lines(order.order)))
        if unknown:
            raise PermanentError(
                "shopex_oms.order.sku_unknown",
                f"Order {order.external_ref} was not sent: the OMS does not know the SKU {', '.join(unknown)}. Add it "
                "there as material (基础物料, 销售物料) or correct the goods number in the shop, then retry",
            )

    def _look_up(self, ref: str) -> Exchange[Row | None]:
        """Our shop's order as the open API shows it; raises PermanentError for one that the OMS cannot process."""
        asked = {"start_time": LONG_AGO, "order_bn": ref}
        reply = yield question(self._settings, "find_order", "orders.getList", asked, until="end_time")
        rows = rows_of(read_response(reply, FIND), FIND)
        mine = [
            row
            for row in rows
            if text_of(row, "order_bn") == ref and text_of(row, "shop_code") == self._settings.shop_bn
        ]
        if not mine:
            return None
        if len(mine) > 1:
            raise PermanentError(
                "shopex_oms.find.found_twice", f"The OMS holds order {ref} twice: cancel the surplus there"
            )
        if text_of(mine[0], "is_fail").lower() == "true":
            raise _failed(ref)
        return mine[0]

    def _look_after(self, ref: str, code: str, did: str) -> Exchange[Row | None]:
        """The look-up after a change. A look that fails leaves it open what came of the change."""
        try:
            return (yield from self._look_up(ref))
        except PermanentError:
            raise
        except PeerError as error:
            raise UncertainError(
                code,
                f"The OMS {did} {ref}, and could not be asked what became of it: {error.message}",
                peer_code=error.peer_code,
            ) from error


def _is_dead(row: Row) -> bool:
    return any(text_of(row, name) == word for name, word in _DEAD.items())


def _not_shown(ref: str, said: Said) -> PeerError:
    """It said yes and does not show the order. After a mere replay nothing is known."""
    if said.verdict.cls == "replayed":
        return UncertainError(
            "shopex_oms.order.replayed",
            f"The OMS says that it has dealt with this transmission of order {ref}, and does not show the order",
            peer_text=said.text,
        )
    return _failed(ref, said.text)


def _failed(ref: str, text: str = "") -> PermanentError:
    return PermanentError(
        "shopex_oms.order.failed",
        f"The OMS took order {ref} and cannot process it: it stands among its failed orders (失败订单). Mostly a SKU "
        "is no sales material (销售物料) there, or SHOP_BN is another shop's code. Put it right there, then retry",
        peer_text=text,
    )


def _unknown_to_cancel(ref: str, said: Said | None = None) -> PermanentError:
    return PermanentError(
        "shopex_oms.cancel.not_found",
        f"The OMS shows no order {ref}, so it was not cancelled. Look among its failed orders (失败订单), cancel there "
        "by hand, then resolve this line",
        peer_text=said.text if said else "",
    )
