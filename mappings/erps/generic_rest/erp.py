"""The connector: one POST creates, one GET looks up."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import ClassVar
from urllib.parse import quote

from mappings.bill import whole_lines
from mappings.connector import Config, Spec
from mappings.erps.generic_rest.access import build_access
from mappings.erps.generic_rest.cancel import CancelForm
from mappings.erps.generic_rest.explain import explain_form
from mappings.erps.generic_rest.formats import Format, JsonFormat, XmlFormat
from mappings.erps.generic_rest.order import build_form
from mappings.erps.generic_rest.reply import CODE, AnswerForm
from mappings.erps.generic_rest.settings import SETTINGS, parse_success_rule
from mappings.erps.generic_rest.settings_access import ACCESS_SETTINGS
from mappings.erps.generic_rest.stock import STOCK_SETTINGS, StockForm
from mappings.erps.generic_rest.xml_text import NAME
from mappings.errors import DuplicateError, PermanentError
from mappings.explaining import Explained
from mappings.model import ErpDocument, ErpOrder, StockFigure
from mappings.parsing import fill_in
from mappings.wire import Exchange, HttpCall


class GenericRestErp:
    """An ERP behind `POST /api/orders`. `repeat_is_safe` stays False: not every peer heeds an Idempotency-Key."""

    spec: ClassVar[Spec] = Spec(
        name="generic_rest",
        kind="erp",
        title_en="ERP over REST",
        title_zh="通用 REST ERP",
        settings=(*ACCESS_SETTINGS, *SETTINGS, *STOCK_SETTINGS),
    )

    def __init__(self, config: Config) -> None:
        """Raises ValueError when settings that are right alone do not fit together."""
        values = fill_in(self.spec.settings, config)
        self._access = build_access(values)
        self._form: Format = XmlFormat(values["xml_item"]) if values["format"] == "xml" else JsonFormat()
        self._root = values["xml_root"]
        self._order_url = values["base_url"] + values["order_path"]
        self._find_url = values["base_url"] + values["find_path"]
        self._sku_url = values["base_url"] + values["sku_path"] if values["sku_path"] else ""
        self._order_form = build_form(
            values["field_map"] or {},
            values["extra_fields"] or {},
            amount_format=values["amount_format"],
            date_format=values["date_format"],
        )
        success, is_cancelled = values["failure_field"], parse_success_rule(values["cancelled_field"])
        if isinstance(self._form, XmlFormat):
            _check_names([*self._order_form.names, *(values["cancel_fields"] or ())])
            success, is_cancelled = success and success.in_text(), is_cancelled and is_cancelled.in_text()
        self._answers = AnswerForm.of(values, self._form, success)
        self._cancel = CancelForm.of(values, self._form, success, is_cancelled)
        self._stock = StockForm.of(values, self._form, success)

    def find(self, external_ref: str) -> Exchange[ErpDocument | None]:
        """Look the order up; what is found existed before, so it is `adopted`. Never raises UncertainError."""
        reply = yield from self._access.send(
            HttpCall(
                operation="find_order",
                method="GET",
                url=self._find_url.replace("{external_ref}", quote(external_ref, safe="")),
                headers={"Accept": self._form.media_type},
                changes_peer=False,
            )
        )
        return self._answers.read_found(reply, external_ref)

    def create(self, order: ErpOrder) -> Exchange[ErpDocument]:
        """Push the order, once its SKUs are known to be there (`sku_path`); a 409 is looked up and adopted.

        Raises any PeerError.
        """
        document = self._order_form.write(order)
        if self._sku_url:
            yield from self._check_skus(order)
        reply = yield from self._access.send(
            HttpCall(
                operation="create_order",
                method="POST",
                url=self._order_url,
                headers={
                    "Accept": self._form.media_type,
                    "Content-Type": f"{self._form.media_type}; charset=utf-8",
                    "Idempotency-Key": order.idempotency_key,
                },
                body=self._form.write(self._root, document),
            )
        )
        if reply.status != 409:
            return self._answers.read_created(reply, order.external_ref)
        found = yield from self.find(order.external_ref)
        if found is None:
            raise DuplicateError(
                f"{CODE}.duplicate",
                "The ERP says it holds this order already, but does not find it under our number",
                peer_code="409",
                peer_text=reply.text()[:200],
            )
        return found

    def _check_skus(self, order: ErpOrder) -> Exchange[None]:
        """Raise PermanentError before anything is sent: some ERPs take a SKU that they do not know."""
        unknown: list[str] = []
        for sku in dict.fromkeys(line.sku.strip() for line in whole_lines(order.order)):
            url = self._sku_url.replace("{sku}", quote(sku, safe=""))
            headers = {"Accept": self._form.media_type}
            call = HttpCall("check_skus", "GET", url, headers, changes_peer=False)
            reply = yield from self._access.send(call)
            unknown += [] if self._answers.read_known(reply) else [sku]
        if unknown:
            raise PermanentError(
                f"{CODE}.sku_unknown",
                f"The ERP does not know the SKU {', '.join(unknown)}; nothing was sent. Add it there, or correct the "
                "goods number in the shop, then retry",
            )

    def explain(self, order: ErpOrder) -> tuple[Explained, ...]:
        """Each field that `create` would send, and where it comes from."""
        return tuple(explain_form(self._order_form, order))

    def confirm(self, document: ErpDocument) -> Exchange[ErpDocument]:
        """Nothing to do: an order that it took is released."""
        yield from ()
        return document

    def cancel(self, document: ErpDocument) -> Exchange[None]:
        """Cancel the order, looking its number up first where the path wants one; raises any PeerError."""
        if self._cancel.needs_erp_no and not document.erp_no:
            document = (yield from self.find(document.external_ref)) or document
        reply = yield from self._access.send(self._cancel.call(document))
        self._cancel.read(reply)

    def read_stock(self, since: datetime | None, skus: Collection[str] = ()) -> Exchange[tuple[StockFigure, ...]]:
        """Every SKU's figure, or those that changed since; never raises UncertainError, because it was a read."""
        return (yield from self._stock.read(since, self._access))


def _check_names(names: Iterable[str]) -> None:
    """Raise ValueError for a name that no XML element can have."""
    for name in names:
        if not all(map(NAME.fullmatch, name.split("."))):
            raise ValueError(f"format is xml, and {name!r} is no name of an element: change field_map or the constants")
