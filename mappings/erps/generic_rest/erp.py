"""The connector: one POST creates, one GET looks up."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Collection
from datetime import datetime
from typing import ClassVar
from urllib.parse import quote

from mappings.connector import Config, Spec
from mappings.erps.generic_rest.cancel import CancelForm
from mappings.erps.generic_rest.order import build_form
from mappings.erps.generic_rest.reply import CODE, AnswerForm
from mappings.erps.generic_rest.settings import SETTINGS, parse_success_rule
from mappings.erps.generic_rest.stock import STOCK_SETTINGS, StockForm
from mappings.errors import DuplicateError
from mappings.model import ErpDocument, ErpOrder, StockFigure
from mappings.wire import Exchange, HttpCall


class GenericRestErp:
    """An ERP behind `POST /api/orders`. `repeat_is_safe` stays False: not every peer heeds an Idempotency-Key."""

    spec: ClassVar[Spec] = Spec(
        name="generic_rest",
        kind="erp",
        title_en="ERP over REST",
        title_zh="通用 REST ERP",
        settings=(*SETTINGS, *STOCK_SETTINGS),
    )

    def __init__(self, config: Config) -> None:
        """Raises ValueError when settings that are right alone do not fit together."""
        values = {setting.name: setting.default for setting in self.spec.settings} | dict(config)
        self._authorization, self._secrets = _credentials(values)
        self._order_url = values["base_url"] + values["order_path"]
        self._find_url = values["base_url"] + values["find_path"]
        field_map = values["field_map"] or {}
        self._order_form = build_form(
            field_map, values["extra_fields"] or {}, amounts_as_text=values["amount_format"] == "string"
        )
        self._cancel = CancelForm(
            url=values["base_url"] + values["cancel_path"] if values["cancel_path"] else "",
            method=values["cancel_method"].upper(),
            order_id_field=field_map.get("order_id", "order_id"),
            constants=values["cancel_fields"] or {},
            is_cancelled=parse_success_rule(values["cancelled_field"]),
            success=values["failure_field"],
        )
        self._stock = StockForm.of(values)
        self._answers = AnswerForm(
            order_id_field=field_map.get("order_id", "order_id"),
            erp_no_field=values["erp_no_field"],
            find_field=values["find_field"],
            find_erp_no_field=values["find_erp_no_field"] or values["erp_no_field"],
            success=values["failure_field"],
        )

    def find(self, external_ref: str) -> Exchange[ErpDocument | None]:
        """Look the order up; what is found existed before, so it is `adopted`. Never raises UncertainError."""
        reply = yield HttpCall(
            operation="find_order",
            method="GET",
            url=self._find_url.replace("{external_ref}", quote(external_ref, safe="")),
            headers=self._headers(),
            changes_peer=False,
            secrets=self._secrets,
        )
        return self._answers.read_found(reply, external_ref)

    def create(self, order: ErpOrder) -> Exchange[ErpDocument]:
        """Push the order; a 409 is looked up and adopted. Raises any PeerError."""
        reply = yield HttpCall(
            operation="create_order",
            method="POST",
            url=self._order_url,
            headers={
                **self._headers(),
                "Content-Type": "application/json; charset=utf-8",
                "Idempotency-Key": order.idempotency_key,
            },
            body=self._order_form.write(order),
            secrets=self._secrets,
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

    def confirm(self, document: ErpDocument) -> Exchange[ErpDocument]:
        """Nothing to do: an order that it took is released."""
        yield from ()
        return document

    def cancel(self, document: ErpDocument) -> Exchange[None]:
        """Cancel the order, looking its number up first where the path wants one; raises any PeerError."""
        if self._cancel.needs_erp_no and not document.erp_no:
            document = (yield from self.find(document.external_ref)) or document
        reply = yield self._cancel.call(document, self._headers(), self._secrets)
        self._cancel.read(reply)

    def read_stock(self, since: datetime | None, skus: Collection[str] = ()) -> Exchange[tuple[StockFigure, ...]]:
        """Every SKU's figure, or those that changed since; never raises UncertainError, because it was a read."""
        return (yield from self._stock.read(since, self._headers(), self._secrets))

    def _headers(self) -> dict[str, str]:
        return {"Accept": "application/json", "Authorization": self._authorization}


def _credentials(values: Config) -> tuple[str, tuple[str, ...]]:
    """The Authorization header, and the texts in it that no record may show."""
    if values["auth"] == "bearer":
        if not values["token"]:
            raise ValueError("auth is bearer, so token must be set")
        return f"Bearer {values['token']}", (values["token"],)
    if not (values["username"] and values["password"]):
        raise ValueError("auth is basic, so username and password must be set")
    encoded = b64encode(f"{values['username']}:{values['password']}".encode()).decode()
    return f"Basic {encoded}", (values["password"], encoded)
