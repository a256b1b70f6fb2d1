"""Pushes that carry no signature: only who knows the path, and who comes from a listed address, is heard."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from sync.db.models import InboxRow
from sync.runtime import Runtime
from sync.settings import SettingsError
from tests.service.web.conftest import MakeApp

TOKEN = "a-path-that-nobody-guesses"
PATH = f"/callbacks/sf/{TOKEN}"
ROUTE = {"id": "1", "mailno": "SF1", "orderid": "1", "acceptTime": "2026-11-21 18:01:00", "opCode": "50"}
PUSH = json.dumps({"Body": {"WaybillRoute": [ROUTE]}}).encode()


def sf(**more: str) -> dict[str, str]:
    return {
        "ECSYNC_CARRIERS": "kdniao,sf",
        "ECSYNC_CARRIER_SF_PARTNER_ID": "TESTPID",
        "ECSYNC_CARRIER_SF_CHECKWORD": "a-check-word-of-tests",
        "ECSYNC_CALLBACK_TOKEN": TOKEN,
        **more,
    }


@pytest.fixture
def app(make_app: MakeApp) -> Flask:
    return make_app(**sf())


def stored(rt: Runtime) -> list[InboxRow]:
    with rt.database.reading() as session:
        return list(session.execute(select(InboxRow)).scalars())


def send(client: FlaskClient, body: bytes = PUSH, path: str = PATH, source: str = "127.0.0.1") -> tuple[int, Any]:
    answer = client.post(path, data=body, content_type="application/json", environ_overrides={"REMOTE_ADDR": source})
    return answer.status_code, json.loads(answer.data)


def test_a_push_by_the_secret_path_is_stored_and_answered_in_sfs_words(client: FlaskClient, rt: Runtime) -> None:
    assert send(client) == (200, {"return_code": "0000", "return_msg": "成功"})
    [row] = stored(rt)
    assert (row.source, row.body, row.verdict) == ("carrier.sf", PUSH, "waiting")


@pytest.mark.parametrize(
    "path", ["/callbacks/sf", "/callbacks/sf/", "/callbacks/sf/another", f"{PATH}/x", f"{PATH[:-1]}"]
)
def test_a_push_by_any_other_path_is_not_found_and_leaves_nothing(client: FlaskClient, rt: Runtime, path: str) -> None:
    assert send(client, path=path)[0] == 404
    assert stored(rt) == []


@pytest.mark.parametrize("token", ["", "short"])
def test_without_a_long_token_nothing_starts(make_app: MakeApp, token: str) -> None:
    with pytest.raises(SettingsError) as caught:
        make_app(**sf(ECSYNC_CALLBACK_TOKEN=token))
    assert list(caught.value.problems) == ["ECSYNC_CALLBACK_TOKEN"]
    assert "pushes of sf carry no signature" in str(caught.value)


class TestWithAList:
    @pytest.fixture
    def app(self, make_app: MakeApp) -> Flask:
        return make_app(**sf(ECSYNC_CARRIER_SF_CALLBACK_ALLOW="203.0.113.0/24,2001:db8::/32"))

    @pytest.mark.parametrize("source", ["203.0.113.7", "::ffff:203.0.113.7", "2001:db8::1"])
    def test_a_listed_address_is_heard(self, client: FlaskClient, rt: Runtime, source: str) -> None:
        assert send(client, source=source)[0] == 200
        assert len(stored(rt)) == 1

    @pytest.mark.parametrize("source", ["198.51.100.1", "2001:db9::1", "::ffff:198.51.100.1", "", "unix:"])
    def test_any_other_is_refused_in_sfs_words_and_nothing_is_read(
        self, client: FlaskClient, rt: Runtime, source: str
    ) -> None:
        assert send(client, source=source) == (403, {"return_code": "1000", "return_msg": "失败"})
        assert send(client, b"\x00", source=source)[0] == 403
        assert stored(rt) == []

    def test_the_list_is_that_carriers_own(self, client: FlaskClient) -> None:
        answer = client.post(f"/callbacks/kdniao/{TOKEN}", data=b"x=1")
        assert answer.status_code == 400  # read by KDNiao's connector, whose list is empty


BOMB = (
    '<!DOCTYPE b [<!ENTITY a "aaaaaaaaaaaaaaaaaaaa">'
    + "".join(f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 20}">' for n in range(9))
    + "]><Request><Body>&j;</Body></Request>"
)

BAD: dict[str, tuple[bytes, int]] = {
    "nothing": (b"", 400),
    "null fields": (json.dumps({"Body": {"WaybillRoute": [dict.fromkeys(ROUTE)]}}).encode(), 200),
    "a hundred nodes": (json.dumps({"Body": {"WaybillRoute": [ROUTE] * 100}}).encode(), 200),
    "GBK": (
        json.dumps({"Body": {"WaybillRoute": [ROUTE | {"remark": "已签收"}]}}, ensure_ascii=False).encode("gbk"),
        200,
    ),
    "a billion laughs": (BOMB.encode(), 400),
    "an external entity": (b'<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]><Request>&x;</Request>', 400),
    "half a document": (PUSH[:40], 400),
    "five megabytes": (b'{"Body":' + b" " * 5_000_000 + b"}", 413),
    "deep": (b"[" * 300_000, 400),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_gets_the_right_answer_soon_and_the_next_push_is_taken(client: FlaskClient, name: str) -> None:
    body, status = BAD[name]
    began = time.monotonic()

    code, said = send(client, body)

    assert (code, said["return_code"]) == (status, "0000" if status == 200 else "1000")
    assert time.monotonic() - began < 5
    assert send(client)[0] == 200
