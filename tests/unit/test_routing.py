"""Routing rules: which one a parcel goes by, what it says of itself, and what a wrong text is told."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings import routing_rules
from mappings.routing import DEFAULT, Choice, Closed, Offer, ParcelFacts, Routing, Rule, When, Zone, choose, find_fee
from mappings.routing_rules import parse_routing

CARRIERS = ("kdniao", "backup")
PARCEL = ParcelFacts(
    shop="main",
    shipping_code="flat",
    shipper_code="STO",
    province="广东省",
    cities=frozenset({"深圳市"}),
    weight_g=2500,
    is_cod=False,
    total_fen=19900,
)
TARIFFS = """
[[tariff.zto]]
provinces = ["广东"]
first_weight_g = 1000
first_fee_fen = 500
step_weight_g = 1000
step_fee_fen = 100

[[tariff.zto]]
first_weight_g = 1000
first_fee_fen = 900
step_weight_g = 1000
step_fee_fen = 300

[[tariff.yto]]
provinces = ["广东", "广西"]
first_weight_g = 1000
first_fee_fen = 400
step_weight_g = 500
step_fee_fen = 200
"""
CHEAPEST = f"""
[[rule]]
name = "cheap"
choose = "cheapest"
offers = [
  {{ carrier = "backup", shipper = "YTO", tariff = "yto" }},
  {{ carrier = "kdniao", shipper = "ZTO", tariff = "zto" }},
]
{TARIFFS}
"""


def rules(text: str) -> Routing:
    return parse_routing(text, CARRIERS)


def one_rule(when: str) -> Routing:
    return rules(f'[[rule]]\nname = "one"\ncarrier = "backup"\nwhen = {{ {when} }}')


def go(routing: Routing, closed: Closed | None = None, /, **changes: Any) -> Choice:
    return choose(routing, replace(PARCEL, **changes), closed or {}, "kdniao")


# --- choosing


def test_without_rules_everything_goes_to_the_default_carrier_by_the_shop_s_courier() -> None:
    choice = go(Routing())

    assert (choice.carrier, choice.shipper_code, choice.account, choice.rule) == ("kdniao", "STO", "", DEFAULT)
    assert choice.reason == "the default carrier: kdniao by STO"


@pytest.mark.parametrize(
    ("when", "fitting", "other"),
    [
        ('provinces = ["广东"]', {}, {"province": "新疆维吾尔自治区"}),
        ('provinces = ["新疆维吾尔自治区", "西藏"]', {"province": "西藏自治区"}, {}),
        ('cities = ["深圳"]', {}, {"cities": frozenset({"广州市"})}),
        ("min_weight_g = 2500", {}, {"weight_g": 2499}),
        ("max_weight_g = 2500", {}, {"weight_g": 2501}),
        ("cod = true", {"is_cod": True}, {}),
        ("cod = false", {}, {"is_cod": True}),
        ('shops = ["main"]', {}, {"shop": "outlet"}),
        ('shipping = ["flat", "ems"]', {}, {"shipping_code": "sto_express"}),
        ("min_total_fen = 19900", {}, {"total_fen": 19899}),
        ("max_total_fen = 19900", {}, {"total_fen": 19901}),
    ],
)
def test_a_condition_lets_through_what_fits_and_says_what_does_not(
    when: str, fitting: dict[str, Any], other: dict[str, Any]
) -> None:
    routing = one_rule(when)

    assert go(routing, **fitting).rule == "one"
    passed = go(routing, **other)
    assert passed.rule == DEFAULT
    assert [skipped.rule for skipped in passed.skipped] == ["one"]
    assert f'rule "one" ({passed.skipped[0].why})' in passed.reason


def test_all_conditions_of_a_rule_must_hold() -> None:
    routing = one_rule('provinces = ["广东"], max_weight_g = 1000')

    assert go(routing, weight_g=900).rule == "one"
    assert go(routing).rule == DEFAULT
    assert go(routing, weight_g=900, province="北京").rule == DEFAULT


def test_the_first_rule_that_fits_wins() -> None:
    routing = rules(
        '[[rule]]\nname = "a"\ncarrier = "backup"\nshipper = "ems"\naccount = "south"\n'
        '[[rule]]\nname = "b"\ncarrier = "kdniao"'
    )

    choice = go(routing)

    assert (choice.carrier, choice.shipper_code, choice.account) == ("backup", "EMS", "south")
    assert choice.reason == 'rule "a": backup by EMS, account south'


@pytest.mark.parametrize("target", ["backup", "backup/EMS", "backup/south"])
def test_a_closed_carrier_courier_or_account_leaves_the_parcel_to_the_next_rule(target: str) -> None:
    routing = rules('[[rule]]\nname = "a"\ncarrier = "backup"\nshipper = "EMS"\naccount = "south"')

    choice = go(routing, {target: "it is paused (strike)"})

    assert (choice.carrier, choice.is_open, choice.passed_over) == ("kdniao", True, frozenset({target}))
    assert choice.reason == 'the default carrier: kdniao by STO; passed over: rule "a" (it is paused (strike))'
    assert go(routing, {"backup/STO": "", "backup/north": "", "kdniao/EMS": ""}).rule == "a", "others are no matter"


def test_a_parcel_waits_for_the_first_rule_that_fits_when_all_that_fits_is_closed() -> None:
    routing = rules(
        '[[rule]]\nname = "far"\ncarrier = "backup"\nwhen = { provinces = ["西藏"] }\n'
        '[[rule]]\nname = "near"\ncarrier = "backup"\nshipper = "ZTO"'
    )

    choice = go(routing, {"backup": "backup is away", "kdniao": "kdniao is paused"})

    assert (choice.rule, choice.carrier, choice.shipper_code, choice.is_open) == ("near", "backup", "ZTO", False)
    assert choice.reason.startswith('waits for rule "near": backup by ZTO, because all that fits is closed')


def test_the_cheapest_offer_wins_by_first_and_step_weight() -> None:
    assert go(rules(CHEAPEST), weight_g=1000).carrier == "backup"  # 4.00 against 5.00
    choice = go(rules(CHEAPEST), weight_g=2500)  # 4.00 + 3 × 2.00 against 5.00 + 2 × 1.00

    assert (choice.carrier, choice.shipper_code) == ("kdniao", "ZTO")
    assert "at 7.00 CNY of 2 priced" in choice.reason


def test_an_offer_whose_tariff_does_not_reach_the_province_does_not_compete() -> None:
    assert go(rules(CHEAPEST), province="北京", weight_g=1000).shipper_code == "ZTO"

    only_south = rules(CHEAPEST.replace("[[tariff.zto]]\nfirst", "[[tariff.other]]\nfirst"))
    choice = go(only_south, province="北京")
    assert choice.rule == DEFAULT
    assert "no tariff of it reaches 北京" in choice.reason


def test_a_closed_offer_leaves_the_parcel_to_the_next_cheapest_and_the_reason_says_so() -> None:
    choice = go(rules(CHEAPEST), {"kdniao": "kdniao is paused (strike)"})

    assert (choice.rule, choice.carrier, choice.passed_over) == ("cheap", "backup", frozenset({"kdniao"}))
    assert 'a better offer of rule "cheap" (kdniao is paused (strike))' in choice.reason


@pytest.mark.parametrize(
    ("weight_g", "fee_fen"), [(0, 500), (1000, 500), (1001, 600), (2000, 600), (2001, 700), (10_000, 1400)]
)
def test_every_begun_step_is_paid(weight_g: int, fee_fen: int) -> None:
    tariff = (Zone(frozenset({"广东省"}), 1000, 500, 1000, 100),)

    assert find_fee(tariff, "广东省", weight_g) == fee_fen
    assert find_fee(tariff, "北京", weight_g) is None


TARGETS = [f"{carrier}{part}" for carrier in ("a", "b", "c") for part in ("", "/EMS", "/STO", "/south")]
offers = st.builds(
    Offer, carrier=st.sampled_from("abc"), shipper=st.sampled_from(["", "EMS"]), account=st.sampled_from(["", "south"])
)
whens = st.builds(
    When,
    provinces=st.sampled_from([frozenset[str](), frozenset({"广东省"}), frozenset({"北京"})]),
    max_weight_g=st.sampled_from([None, 1000, 5000]),
    cod=st.sampled_from([None, True, False]),
)
rule_sets = st.lists(
    st.builds(Rule, name=st.uuids().map(str), offers=st.lists(offers, min_size=1, max_size=3).map(tuple), when=whens),
    max_size=6,
).map(lambda found: Routing(tuple(found)))
parcels = st.builds(
    replace,
    st.just(PARCEL),
    province=st.sampled_from(["广东省", "北京"]),
    weight_g=st.integers(0, 9000),
    is_cod=st.booleans(),
)


def closing(carrier: str, shipper_code: str, account: str, closed: Closed) -> list[str]:
    return [t for t in (carrier, f"{carrier}/{shipper_code}", f"{carrier}/{account}") if t in closed]


@given(rule_sets, parcels, st.dictionaries(st.sampled_from(TARGETS), st.just("it is closed")))
def test_a_closed_one_is_never_chosen_while_an_open_one_fits_and_every_choice_explains_itself(
    routing: Routing, parcel: ParcelFacts, closed: dict[str, str]
) -> None:
    choice = choose(routing, parcel, closed, "c")
    fitting = [rule for rule in routing.rules if not rule.when.why_not(parcel)]
    candidates = [(offer.carrier, offer.shipper or "STO", offer.account) for rule in fitting for offer in rule.offers]
    candidates.append(("c", "STO", ""))
    is_any_open = any(not closing(*candidate, closed) for candidate in candidates)

    assert choice == choose(routing, parcel, dict(reversed(closed.items())), "c"), "the same every time"
    assert choice.is_open is is_any_open
    assert bool(closing(choice.carrier, choice.shipper_code, choice.account, closed)) is not is_any_open
    assert (choice.carrier, choice.shipper_code, choice.account) in candidates
    names = [rule.name for rule in routing.rules]
    before = names[: names.index(choice.rule)] if choice.rule in names else names
    assert set(before) <= {skipped.rule for skipped in choice.skipped}
    assert all(skipped.why and skipped.why in choice.reason for skipped in choice.skipped)
    assert choice.passed_over <= set(closed)


# --- reading a text


def test_a_text_that_is_no_toml_says_where() -> None:
    with pytest.raises(ValueError, match=r"is no TOML: .*line 2"):
        rules("[[rule]]\nname = here\n")


def test_every_problem_of_a_text_is_told_at_once_by_rule_and_field() -> None:
    with pytest.raises(ValueError, match="rule") as caught:
        rules(
            """
            colour = 1
            [[rule]]
            name = "far"
            carrier = "pigeon"
            shipper = "a/b"
            when = { provinces = ["广洞"], cities = ["深洲"], cod = 1, weight = 2, min_weight_g = 5, max_weight_g = 1 }
            [[rule]]
            name = "far"
            choose = "dearest"
            carrier = "kdniao"
            [[rule]]
            name = "cheap"
            choose = "cheapest"
            offers = [{ carrier = "kdniao", tariff = "none" }]
            account = "south"
            [[rule]]
            carrier = "kdniao"
            [[tariff.zto]]
            provinces = ["广东", "北京"]
            first_weight_g = -1
            first_fee_fen = 1.5
            step_weight_g = 0
            [[tariff.zto]]
            provinces = ["北京市"]
            first_weight_g = 1
            first_fee_fen = 1
            step_weight_g = 1
            step_fee_fen = 1
            """
        )
    told = str(caught.value)
    for part in (
        "the text: colour: is not known",
        "rule \"far\": carrier: 'pigeon'",
        "rule \"far\": shipper: 'a/b'",
        'rule "far": when.provinces: 广洞',
        'rule "far": when.cities: 深洲',
        'rule "far": when.cod: 1',
        'rule "far": when: weight: is not known',
        'rule "far": when.min_weight_g: is more than',
        'rule "far": name: is used twice',
        'rule "far": choose: is "first"',
        "rule \"cheap\": offers: tariff: 'none'",
        'rule "cheap": account: stands in each of the offers',
        "rule 4: name: is a text",
        "tariff zto: first_weight_g: -1",
        "tariff zto: first_fee_fen: 1.5",
        "tariff zto: step_weight_g: is at least 1",
        "tariff zto: step_fee_fen: is missing",
        "tariff zto: provinces: 北京 stands in two zones",
    ):
        assert part in told, part
    assert len(told.splitlines()) == 18


@pytest.mark.parametrize(
    "text",
    [
        "rule = 3",
        "tariff = 3",
        '[[rule]]\nname = "a"\ncarrier = "kdniao"\nwhen = 3',
        '[[rule]]\nname = "a"\noffers = []',
        '[[rule]]\nname = "a"\noffers = [{ carrier = "kdniao", tariff = "x" }]',
        '[[rule]]\nname = "a"\nchoose = "cheapest"\ncarrier = "kdniao"',
        f'[[rule]]\nname = "{DEFAULT}"\ncarrier = "kdniao"',
        '[[rule]]\nname = "a"\ncarrier = "kdniao"\nwhen = { shops = [] }',
        "[[tariff.a]]\nfirst_weight_g=1\nfirst_fee_fen=1\nstep_weight_g=1\nstep_fee_fen=1\n" * 2,
    ],
)
def test_what_would_mean_nothing_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r": \w+"):
        rules(text)


# --- the documentation


PAGES = [Path(__file__).parents[2] / "docs" / name for name in ("routing.md", "routing.zh-CN.md")]


def examples(page: Path) -> list[Routing]:
    blocks = re.findall(r"^```toml\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return [parse_routing(block, ("kdniao", "second")) for block in blocks]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_examples_of_the_page_do_what_the_page_says(page: Path) -> None:
    far, accounts, cheapest = examples(page)

    assert go(far, province="西藏自治区").shipper_code == "EMS"
    assert go(far, province="西藏自治区", weight_g=20_001).shipper_code == "STO"
    assert (go(accounts, is_cod=True).shipper_code, go(accounts, is_cod=True).account) == ("SF", "sf-cod")
    assert (go(accounts, weight_g=15_000).shipper_code, go(accounts, weight_g=15_000).account) == ("DBL", "freight")
    assert go(accounts).carrier == go(accounts, {"kdniao": "it is paused"}, is_cod=True).carrier == "second"
    assert "at 7.00 CNY" in go(cheapest).reason
    assert "at 10.50 CNY" in go(cheapest, {"kdniao": "it is paused"}).reason
    assert "a better offer" in go(cheapest, {"kdniao": "it is paused"}).reason


def test_both_pages_have_the_same_examples_but_for_the_names() -> None:
    english, chinese = (
        [[replace(rule, name="") for rule in routing.rules] for routing in examples(page)] for page in PAGES
    )

    assert english == chinese
    assert [routing.tariffs for routing in examples(PAGES[0])] == [routing.tariffs for routing in examples(PAGES[1])]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_page_names_every_field(page: Path) -> None:
    named = set(re.findall(r"`([a-z_]+)`", page.read_text(encoding="utf-8")))

    fields = {*routing_rules._RULE, *routing_rules._CONDITIONS, *routing_rules._ZONE, "tariff"}
    assert fields - named == set()
