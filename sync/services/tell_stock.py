"""What a person must look at after a run of stock; what is well again closes by itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from sqlalchemy.orm import Session

from mappings.shops.ecshop.stock import StockPlan
from sync import exceptions as desk
from sync.settings import PeerSettings

NAMED_AT_MOST = 20


def stock_subject(peer: PeerSettings) -> str:
    """What the desk calls a shop's runs."""
    return f"stock:{peer.key}"


def tell_stock(session: Session, peer: PeerSettings, erp: str, plan: StockPlan, *, is_guarded: bool) -> None:
    """Open and close the shop's lines on the desk; `erp` is whose figures these are."""
    if is_guarded:
        desk.open_exception(session, desk.Cause("stock.guarded", peer.key, stock_subject(peer), _held(peer, plan)))
    else:
        desk.close_exceptions(session, stock_subject(peer), "a later run went well")
    for what, message in _findings(peer, erp, plan):
        cause = desk.Cause(f"stock.{what}", peer.key, f"{stock_subject(peer)}:{what}", message)
        if message:
            desk.open_exception(session, cause)
        else:
            desk.close_exceptions(session, cause.subject, "a later run found none")


def _held(peer: PeerSettings, plan: StockPlan) -> str:
    return (
        f"Stock of {peer.key}: {plan.guard}. One run may not take away so much by itself, so nothing was "
        f"written. Look at it: ecsync stock diff --shop {peer.name}. If it is right: ecsync stock sync --shop "
        f"{peer.name} --approve. If it is not, correct the ERP; this line closes by itself at the next run."
    )


def _findings(peer: PeerSettings, erp: str, plan: StockPlan) -> Iterator[tuple[str, str]]:
    """What may be wrong with single SKUs, and a sentence where something is."""
    yield "sku_unclear", _unclear(peer, plan) if plan.unclear else ""
    yield "too_large", _too_large(peer, plan) if plan.too_large else ""
    yield "oversold", _oversold(peer, erp, plan) if plan.short else ""


def _unclear(peer: PeerSettings, plan: StockPlan) -> str:
    return (
        f"In {peer.key} one goods number stands for several goods, or is blank: {_listed(plan.unclear)}. Their "
        "stock is left alone. Give each its own number in the shop; this line then closes by itself."
    )


def _too_large(peer: PeerSettings, plan: StockPlan) -> str:
    return (
        f"The figures of these SKUs, or their goods' sums, are larger than {peer.key} can hold: "
        f"{_listed(plan.too_large)}. They are left as they were. Keep less of them for this shop "
        "(STOCK_WAREHOUSES), or widen goods_number and product_number in its database."
    )


def _oversold(peer: PeerSettings, erp: str, plan: StockPlan) -> str:
    return (
        f"Open orders of {peer.key} were promised more than there is: {_listed(_shortages(plan.short))}. No more of it "
        f"is for sale. If {erp} is right, get the goods in, or cancel orders in the shop; if it is not, correct it "
        "there. This line closes by itself."
    )


def _shortages(short: Mapping[str, int]) -> list[str]:
    return [f"{sku} ({pieces} too few)" for sku, pieces in sorted(short.items())]


def _listed(skus: Sequence[str]) -> str:
    more = f" and {len(skus) - NAMED_AT_MOST} more" if len(skus) > NAMED_AT_MOST else ""
    return ", ".join(sku or "(blank)" for sku in skus[:NAMED_AT_MOST]) + more
