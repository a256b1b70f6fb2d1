"""How a platform's wordings decide, and what a person is told of a code that no table holds."""

from __future__ import annotations

import pytest

from mappings.tables import path_of, read_table
from mappings.verdicts import Verdict, find_reason, read_reasons, unmapped_result

REASONS = read_reasons(
    [
        {"pattern": "余额|欠费", "class": "auth", "code": "balance_used"},
        {"pattern": "费", "class": "permanent", "code": "fee_refused"},
    ]
)


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("账户已欠费", Verdict("auth", "balance_used")),
        ("运费不符", Verdict("permanent", "fee_refused")),
        ("系统繁忙", None),
        ("", None),
    ],
)
def test_the_first_wording_that_fits_decides(text: str, verdict: Verdict | None) -> None:
    assert find_reason(text, REASONS) == verdict


def test_a_code_that_nobody_mapped_comes_with_the_line_to_add() -> None:
    error = unmapped_result("sf.waybill.result_unmapped", "SF", "mappings.carriers.sf", "9999", "说明")
    assert (error.code, error.peer_code, error.peer_text) == ("sf.waybill.result_unmapped", "9999", "说明")
    assert error.hint == 'Add to mappings/carriers/sf/results.toml under [result]: 9999 = { class = "…" }'
    assert error.message == f"SF answered with a code nobody mapped. {error.hint}"


@pytest.mark.parametrize("package", ["mappings.carriers.kdniao", "mappings.carriers.kuaidi100", "mappings.carriers.sf"])
def test_a_table_stands_where_a_person_is_sent_to(package: str) -> None:
    assert path_of(package, "results.toml") == f"{package.replace('.', '/')}/results.toml"
    assert read_table(package, "results.toml")["result"]
