"""Region names in full, clean text, and no guesses."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.address import Region, clean_text, complete_region
from mappings.errors import PermanentError, UnmappedError
from mappings.model import Address


def complete(province: str, city: str, district: str = "某区") -> tuple[str, str]:
    region = complete_region(Address(province, city, district, "某路1号"))
    return region.province, region.city


@pytest.mark.parametrize(
    ("short", "full"),
    [
        (("广东", "深圳"), ("广东省", "深圳市")),
        (("北京", "北京"), ("北京", "北京市")),
        (("重庆", "重庆"), ("重庆", "重庆市")),
        (("广西", "南宁"), ("广西壮族自治区", "南宁市")),
        (("内蒙古", "锡林郭勒盟"), ("内蒙古自治区", "锡林郭勒盟")),
        (("新疆", "巴音郭楞"), ("新疆维吾尔自治区", "巴音郭楞蒙古自治州")),
        (("吉林", "延边"), ("吉林省", "延边朝鲜族自治州")),
        (("吉林", "吉林"), ("吉林省", "吉林市")),
        (("西藏", "阿里"), ("西藏自治区", "阿里地区")),
        (("湖北", "襄樊"), ("湖北省", "襄阳市")),
        (("海南", "白沙"), ("海南省", "白沙黎族自治县")),
    ],
)
def test_short_names_are_completed(short: tuple[str, str], full: tuple[str, str]) -> None:
    assert complete(*short) == full


@pytest.mark.parametrize(
    "full", [("广东省", "深圳市"), ("北京", "北京市"), ("广西壮族自治区", "南宁市"), ("吉林省", "延边朝鲜族自治州")]
)
def test_full_names_stay(full: tuple[str, str]) -> None:
    assert complete(*full) == full


def test_a_municipality_is_bare_even_when_the_shop_says_shi() -> None:
    assert complete("北京市", "北京市") == ("北京", "北京市")


def test_a_district_stays_as_the_shop_spells_it() -> None:
    region = complete_region(Address("广东", "东莞", "虎门镇", "某路1号"))
    assert region == Region("广东省", "东莞市", "虎门镇")


def test_blanks_in_a_name_do_not_matter() -> None:
    assert complete(" 广 东\u3000", "深圳\n") == ("广东省", "深圳市")


def test_the_same_city_name_in_two_provinces_is_each_its_own() -> None:
    assert complete("海南", "海口") == ("海南省", "海口市")
    assert complete("青海", "海南") == ("青海省", "海南藏族自治州")


@pytest.mark.parametrize(("province", "city"), [("山东", "莱芜"), ("山东省", "莱芜市"), ("安徽", "巢湖")])
def test_a_dissolved_city_goes_to_a_person_with_what_became_of_it(province: str, city: str) -> None:
    with pytest.raises(PermanentError, match=r"merged into|dissolved in") as caught:
        complete(province, city)
    assert caught.value.code == "address.region_dissolved"


@pytest.mark.parametrize("province", ["香港", "澳门", "台湾"])
def test_beyond_the_customs_border_a_person_books(province: str) -> None:
    with pytest.raises(PermanentError) as caught:
        complete(province, province)
    assert caught.value.code == "address.region_customs"


@pytest.mark.parametrize(
    ("province", "city", "line"),
    [
        ("广东", "杭州", '[city."广东"]: "杭州" = "…"'),
        ("广东省", "思茅", '[city."广东"]: "思茅" = "…"'),
        ("中国", "深圳", '[province]: "中国" = "…"'),
    ],
)
def test_an_unknown_region_is_never_guessed_and_the_line_to_add_is_named(province: str, city: str, line: str) -> None:
    with pytest.raises(UnmappedError) as caught:
        complete(province, city)
    assert caught.value.code == "address.region_unknown"
    assert line in caught.value.hint


@pytest.mark.parametrize("address", [("", "深圳", "福田区"), ("广东", " ", "福田区"), ("广东", "深圳", "")])
def test_an_address_that_lacks_a_region_is_refused(address: tuple[str, str, str]) -> None:
    with pytest.raises(PermanentError) as caught:
        complete_region(Address(*address, street="某路1号"))
    assert caught.value.code == "address.region_missing"


@pytest.mark.parametrize(
    ("province", "city"), [("广东", "东莞"), ("广东", "中山市"), ("甘肃", "嘉峪关"), ("海南", "儋州")]
)
def test_a_city_that_has_no_districts_stands_for_its_own(province: str, city: str) -> None:
    region = complete_region(Address(province, city, "", street="某路1号"))
    assert region.district == region.city == f"{city.removesuffix('市')}市"


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("  某路\t1号\r\n 2室 ", "某路 1号 2室"),
        ("a\x00b\x1fc", "a b c"),
        ("张\u200b三\ufeff", "张三"),
        ("１３９ＡＢｃ", "139ABc"),
        ("（北）某路，１号！", "（北）某路，1号！"),
        ("bad \ud800 half", "bad half"),
        ("好\U0001f600", "好\U0001f600"),
        ("\u3000", ""),
    ],
)
def test_text_is_cleaned(text: str, clean: str) -> None:
    assert clean_text(text) == clean


@given(st.text())
def test_clean_text_is_one_encodable_line_and_cleaning_it_again_changes_nothing(text: str) -> None:
    clean = clean_text(text)
    clean.encode()
    assert clean == clean.strip()
    assert clean_text(clean) == clean
    assert len(clean.splitlines()) <= 1
