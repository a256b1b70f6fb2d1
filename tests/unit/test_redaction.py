"""Nothing private or secret survives redaction, however it was encoded on the way."""

from __future__ import annotations

import json
from urllib.parse import urlencode
from xml.sax.saxutils import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.address import FULL_WIDTH, clean_text
from sync.redaction import mask, readable, redact

CHINESE = st.characters(min_codepoint=0x4E00, max_codepoint=0x9FFF)


@given(st.text(CHINESE, min_size=2, max_size=30), st.text("0123456789 ,:", max_size=20))
def test_a_private_text_never_survives_in_plain_or_escaped_json(private: str, around: str) -> None:
    escaped, plain = json.dumps({"name": private}), json.dumps({"name": private}, ensure_ascii=False)

    shown = redact(around + escaped + plain + around, private=[private])

    assert private not in shown
    assert json.dumps(private)[1:-1] not in shown
    assert mask(private) in shown


def test_a_private_text_is_masked_as_xml_spells_it() -> None:
    assert redact("<name>M&amp;M &lt;Ltd&gt;</name>", private=["M&M <Ltd>"]) == "<name>M******</name>"


STREET = "示例路１２号　甲单元#3+1 & 五楼五〇一室朝南的那一间"


@pytest.mark.parametrize(
    "sent",
    [
        clean_text(STREET),
        clean_text(STREET).translate(FULL_WIDTH),
        json.dumps(clean_text(STREET)),
        clean_text(STREET)[:20],
        STREET[:20],
        json.dumps(f"{clean_text(STREET)[:18]}|{clean_text(STREET)[18:]}"),
        escape(clean_text(STREET)[18:]),
    ],
    ids=["cleaned", "in full width", "escaped", "cut", "cut as it was", "in two fields", "the end in XML"],
)
def test_an_address_is_masked_as_peers_are_sent_it(sent: str) -> None:
    shown = redact(f'{{"addr": {sent}}}', private=[STREET])

    assert not any(word in shown for word in ("12号", "１２号", "甲单元", "五〇一", "那一间", r"\u90a3"))
    assert "addr" in shown


def test_what_only_resembles_an_address_stays() -> None:
    assert redact("示例路的天气很好，那一间", private=[STREET]) == "示例路的天气很好，那一间"


def test_names_keep_their_first_character_and_phones_their_ends() -> None:
    assert mask("张三丰") == "张**"
    assert mask("13912345678") == "139****5678"
    assert mask("张") == "*"


def test_phone_numbers_are_masked_wherever_they_stand() -> None:
    assert redact("call 13912345678 or 021-55556666 now") == "call 139****5678 or 021****6666 now"


def test_longer_private_texts_are_masked_before_their_parts() -> None:
    assert redact("张三丰 张三", private=["张三", "张三丰"]) == "张** 张*"


def test_secrets_are_hidden_whole() -> None:
    assert "s3cret-key" not in redact("DataSign with s3cret-key", secrets=["s3cret-key"])


def test_a_form_body_is_shown_decoded_so_that_redaction_sees_it() -> None:
    body = urlencode({"RequestData": json.dumps({"Name": "欧阳娜娜"}, ensure_ascii=False)}).encode()
    text = readable(body, "application/x-www-form-urlencoded")
    assert "欧阳娜娜" in text
    assert "欧阳娜娜" not in redact(text, private=["欧阳娜娜"])


def test_a_long_body_is_cut_and_says_so() -> None:
    assert readable(b"x" * 10_000, "").endswith("(10000 bytes)")


def test_a_key_that_a_peer_hands_out_is_hidden_also_in_json_within_json() -> None:
    inner = json.dumps({"files": [{"url": "https://x/1.pdf", "token": "s3cr3t/+="}]})
    shown = redact(inner + json.dumps({"apiResultData": inner}) + '{"accessToken" : "s3cr3t"}')

    assert "s3cr3t" not in shown
    assert shown.count("https://x/1.pdf") == 2
