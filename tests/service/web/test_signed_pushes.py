"""Bad input from platforms that sign: the right answer, soon, and what is good of a push is applied."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from mappings.carriers.kdniao.signing import sign
from sync.db.models import InboxRow, TrackingEventRow
from sync.runtime import Runtime
from sync.services.apply_callback import apply_callback
from tests.service.web.conftest import APP_KEY, EBUSINESS_ID, MakeApp, on_both_databases

SALT = "a-salt-of-tests"
FORM = "application/x-www-form-urlencoded"
KUAIDI100 = {
    "ECSYNC_CARRIERS": "kdniao,kuaidi100",
    "ECSYNC_CARRIER_KUAIDI100_ENVIRONMENT": "production",
    "ECSYNC_CARRIER_KUAIDI100_KEY": "a-key-of-tests",
    "ECSYNC_CARRIER_KUAIDI100_SECRET": "a-secret-of-tests",
    "ECSYNC_CARRIER_KUAIDI100_CUSTOMER": "a-customer-of-tests",
    "ECSYNC_CARRIER_KUAIDI100_SALT": SALT,
    "ECSYNC_CARRIER_KUAIDI100_CALLBACK_URL": "https://hooks.example.test/callbacks/kuaidi100",
}


@dataclass(frozen=True)
class Platform:
    """How a platform signs a text, where its word of success stands, and a push of it that is good."""

    name: str
    body: Callable[[str], bytes]
    flag: str
    good: dict[str, Any]


def kdniao_body(text: str) -> bytes:
    return urlencode({"RequestData": text, "RequestType": "102", "DataSign": sign(text, APP_KEY)}).encode()


def kuaidi100_body(text: str) -> bytes:
    signed = hashlib.md5((text + SALT).encode()).hexdigest().upper()
    return urlencode({"param": text, "sign": signed}).encode()


TRACE = {"AcceptTime": "2026-11-21 18:01:00", "AcceptStation": "【深圳市】已揽收", "Action": "1"}
ITEM = {"OrderCode": "", "ShipperCode": "ZTO", "LogisticCode": "731", "Success": True, "State": "1", "Traces": [TRACE]}
SCAN = {"time": "2026-11-21 18:01:00", "context": "【深圳市】已揽收", "statusCode": "103"}

KDNIAO_PUSH = {"PushTime": "2026-11-21 20:15:03", "EBusinessID": EBUSINESS_ID, "Count": "1", "Data": [ITEM]}
KUAIDI100_PUSH: dict[str, Any] = {
    "status": "polling",
    "lastResult": {"state": "103", "com": "zhongtong", "nu": "731", "data": [SCAN]},
}

PLATFORMS = {
    "kdniao": Platform("kdniao", kdniao_body, "Success", KDNIAO_PUSH),
    "kuaidi100": Platform("kuaidi100", kuaidi100_body, "result", KUAIDI100_PUSH),
}

BOMB = (
    '<!DOCTYPE b [<!ENTITY a "aaaaaaaaaaaaaaaaaaaa">'
    + "".join(f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 20}">' for n in range(9))
    + "]><b>&j;</b>"
)


@pytest.fixture
def app(make_app: MakeApp) -> Flask:
    return make_app(**KUAIDI100)


def send(client: FlaskClient, platform: Platform, body: bytes) -> tuple[int, bool]:
    answer = client.post(f"/callbacks/{platform.name}", data=body, content_type=FORM)
    words = json.loads(answer.data)
    return answer.status_code, words[platform.flag]


def bad_of(platform: Platform) -> dict[str, tuple[bytes, int]]:
    text = json.dumps(platform.good, ensure_ascii=False)
    good = platform.body(text).decode()
    field = good.partition("=")[0]
    return {
        "nothing": (b"", 400),
        "a billion laughs": (BOMB.encode(), 400),
        "a billion laughs, signed": (platform.body(BOMB), 400),
        "GBK": (urlencode({field: text}, encoding="gbk").encode(), 400),
        "GBK as it is": (f"{field}={text}".encode("gbk"), 400),
        "half a form": (good[: len(good) // 2].encode(), 401),
        "half JSON, signed": (platform.body(text[: len(text) // 2]), 400),
        "deep JSON, signed": (platform.body("[" * 200_000), 400),
        "unsigned": (urlencode({field: text}).encode(), 401),
        "five megabytes": (f"{field}=".encode() + b"x" * 5_000_000, 413),
    }


@pytest.mark.parametrize("name", PLATFORMS)
def test_bad_input_gets_the_right_answer_soon_and_the_next_push_is_taken(client: FlaskClient, name: str) -> None:
    platform = PLATFORMS[name]
    for number, (what, (body, status)) in enumerate(bad_of(platform).items()):
        began = time.monotonic()
        assert send(client, platform, body) == (status, False), what
        assert time.monotonic() - began < 5, what
        good = platform.body(json.dumps(platform.good) + " " * number)
        assert send(client, platform, good) == (200, True), what


def test_a_push_for_another_user_of_kdniao_is_refused_in_its_words(client: FlaskClient) -> None:
    other = kdniao_body(json.dumps(KDNIAO_PUSH | {"EBusinessID": "4711"}))
    assert send(client, PLATFORMS["kdniao"], other) == (403, False)


@pytest.mark.parametrize("name", PLATFORMS)
def test_who_is_on_no_list_is_refused_however_well_the_push_is_signed(make_app: MakeApp, name: str) -> None:
    listed = {f"ECSYNC_CARRIER_{name.upper()}_CALLBACK_ALLOW": "203.0.113.0/24"}
    client, platform = make_app(**KUAIDI100, **listed).test_client(), PLATFORMS[name]
    assert send(client, platform, platform.body(json.dumps(platform.good))) == (403, False)


# --- what is good of a push


def applied(rt: Runtime) -> tuple[str, set[tuple[str, str]]]:
    """The verdict on the only push, and which facts of which numbers came of it."""
    with rt.database.reading() as session:
        (inbox_id,) = session.execute(select(InboxRow.id)).scalars()
    apply_callback(rt, inbox_id)
    with rt.database.reading() as session:
        rows = session.execute(select(TrackingEventRow)).scalars().all()
        facts = {(row.waybill_no, row.fields["text"]) for row in rows if row.fields["kind"] == "trace"}
        return session.get_one(InboxRow, inbox_id).verdict, facts


STRANGE: list[object] = [
    None,
    [],
    "text",
    dict.fromkeys(ITEM),
    ITEM | {"LogisticCode": "9" * 400},
    ITEM | {"EBusinessID": "4711"},
    ITEM | {"Traces": [TRACE | {"AcceptTime": None}, None, [], 7]},
    ITEM | {"LogisticCode": "bad-1", "Traces": [TRACE | {"AcceptStation": "\0\ud800é\udfff", "Action": "9" * 400}]},
    ITEM | {"LogisticCode": "bad-2", "Traces": [TRACE | {"AcceptTime": "9999-12-31 23:59:59"}]},
    ITEM | {"LogisticCode": "bad-3", "Traces": [TRACE | {"AcceptTime": "0001-01-02 00:00:00"}]},
]


@on_both_databases
def test_of_a_hundred_parcels_ten_that_are_strange_cost_the_others_nothing(client: FlaskClient, rt: Runtime) -> None:
    good = [ITEM | {"LogisticCode": f"7310000000{number:04d}"} for number in range(90)]
    items = [*good[:40], *STRANGE, *good[40:]]
    assert len(items) == 100

    text = json.dumps(KDNIAO_PUSH | {"Count": "100", "Data": items})
    assert send(client, PLATFORMS["kdniao"], kdniao_body(text)) == (200, True)

    _, facts = applied(rt)
    assert {(item["LogisticCode"], "【深圳市】已揽收") for item in good} <= facts
    assert ("bad-1", "é") in facts


def test_a_push_of_a_hundred_parcels_with_their_whole_histories_is_taken(client: FlaskClient) -> None:
    station = TRACE | {"AcceptStation": "【深圳市】快件已到达 深圳南山科技园营业部,正在等待发往下一站,请耐心等候" * 2}
    parcel = ITEM | {"Traces": [station] * 25}
    items = [parcel | {"LogisticCode": f"731{number:011d}"} for number in range(100)]
    body = kdniao_body(json.dumps(KDNIAO_PUSH | {"Count": "100", "Data": items}, ensure_ascii=False))

    assert send(client, PLATFORMS["kdniao"], body) == (200, True)
    assert 1_500_000 < len(body) < 4_000_000


@on_both_databases
def test_strange_scans_cost_the_others_of_their_parcel_nothing(client: FlaskClient, rt: Runtime) -> None:
    strange: list[object] = [
        None,
        [],
        "text",
        dict.fromkeys(SCAN),
        SCAN | {"time": "soon"},
        SCAN | {"context": "\0\ud800é", "statusCode": "9" * 400},
        SCAN | {"time": "9999-12-31 23:59:59"},
        SCAN | {"time": "0001-01-02 00:00:00"},
    ]
    scans = [SCAN | {"context": f"第{number}站"} for number in range(92)]
    result = KUAIDI100_PUSH["lastResult"] | {"state": None, "com": None, "data": [*scans[:50], *strange, *scans[50:]]}

    body = kuaidi100_body(json.dumps(KUAIDI100_PUSH | {"lastResult": result, "comNew": {}, "status": None}))
    assert send(client, PLATFORMS["kuaidi100"], body) == (200, True)

    _, facts = applied(rt)
    assert {("731", f"第{number}站") for number in range(92)} <= facts
    assert ("731", "é") in facts
