"""What comes to the desk from SAP PI is explained there, in both languages."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from sync.web.words import CAUSES, explain

TABLE = tomllib.loads((Path(__file__).parents[3] / "mappings/erps/sap_pi/results.toml").read_text("utf-8"))
CODES = sorted({row["code"] for row in (*TABLE["reason"], *TABLE["result"].values())})


@pytest.mark.parametrize("word", [*CODES, "application_fault", "result_unmapped", "garbled", "server_error", "refused"])
@pytest.mark.parametrize("area", ["order", "find", "sku", "cancel"])
def test_every_verdict_of_pi_s_has_a_cause(area: str, word: str) -> None:
    assert explain(f"sap_pi.{area}.{word}") is not CAUSES[-1]


def test_what_a_retry_does_not_settle_offers_none() -> None:
    cause = explain("sap_pi.order.outcome_unknown")

    assert not cause.retry
    assert "VA05" in cause.todo["en"]
    assert "VA05" in cause.todo["zh"]


def test_a_cancel_that_pi_only_took_is_no_cancel() -> None:
    assert explain("sap_pi.cancel.only_accepted") is explain("sap_pi.cancel.too_late")
