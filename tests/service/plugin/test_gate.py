"""Who is let in: over HTTPS, from an allowed address, signed with the key, now, and once."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping
from threading import Thread
from typing import Any

import pytest
import requests

from mappings.shops.ecshop_api.signing import Stamp, signed_headers
from tests.service.plugin.php import KEY, Caller, PhpShop, fresh_stamp
from tests.service.shop.yard import Yard

PING = {"r": "ping"}
PROXY = {"trusted_proxies": ["127.0.0.1"]}
OVER_HTTPS = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.7"}


@pytest.fixture(autouse=True)
def _served(mariadb_yard: Yard, php_shop: PhpShop) -> None:
    """Every test asks the plug-in of a real shop."""


def verdict(response: requests.Response) -> tuple[int, str]:
    document = response.json()
    return response.status_code, document["error"]["code"] if "error" in document else ""


def test_a_signed_request_is_served(caller: Caller) -> None:
    assert verdict(caller.send("GET", PING)) == (200, "")


@pytest.mark.parametrize(
    "query",
    [
        {"r": "orders", "after": "0", "limit": "5"},
        {"r": "order", "sn": "a b+c&d=é/中?"},
        {"z": "", "r": "ping", "a-b": "~"},
    ],
    ids=["several", "odd characters", "unsorted and empty"],
)
def test_the_signature_covers_the_query_whatever_it_holds(caller: Caller, query: Mapping[str, str]) -> None:
    assert verdict(caller.send("GET", query))[1] in ("", "order_gone")


def test_a_query_that_was_changed_under_way_is_refused(caller: Caller) -> None:
    signed = caller.send("GET", PING).request.headers
    answer = requests.get(f"{caller.url}?r=orders", headers=dict(signed), timeout=10)
    assert verdict(answer) == (401, "signature")


def test_the_order_of_parameters_does_not_matter_to_the_signature(caller: Caller) -> None:
    headers = signed_headers(KEY, "GET", "a=1&r=ping", fresh_stamp(), b"")
    assert verdict(requests.get(f"{caller.url}?r=ping&a=1", headers=headers, timeout=10)) == (200, "")


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Ecsync-Sign": ""},
        {"X-Ecsync-Sign": "0" * 64},
        {"X-Ecsync-Nonce": "b" * 20},
        {"X-Ecsync-Time": "1"},
        {"X-Ecsync-Time": "-1"},
        {"X-Ecsync-Time": "1e9"},
    ],
)
def test_a_part_of_the_signature_that_does_not_fit_is_refused(caller: Caller, headers: dict[str, str]) -> None:
    assert verdict(caller.send("GET", PING, headers=headers)) == (401, "signature")


@pytest.mark.parametrize("nonce", ["", "short", "a" * 65, "../../../data/config", "with a space in it"])
def test_a_nonce_of_another_form_is_refused_though_it_is_signed(caller: Caller, nonce: str) -> None:
    assert verdict(caller.send("GET", PING, stamp=Stamp(int(time.time()), nonce))) == (401, "signature")


def test_another_key_is_refused(caller: Caller) -> None:
    assert verdict(Caller(caller.url, KEY + "x").send("GET", PING)) == (401, "signature")


def test_a_body_that_was_changed_under_way_is_refused(caller: Caller) -> None:
    assert verdict(caller.send("POST", {"r": "stock"}, b'{"changes": []}')) == (200, "")
    headers = signed_headers(KEY, "POST", "r=stock", fresh_stamp(), b'{"changes": []}')
    changed = requests.post(f"{caller.url}?r=stock", b'{"changes": [1]}', headers=headers, timeout=10)
    assert verdict(changed) == (401, "signature")


def test_the_method_is_signed_too(caller: Caller) -> None:
    headers = signed_headers(KEY, "GET", "r=stock", fresh_stamp(), b"")
    assert verdict(requests.post(f"{caller.url}?r=stock", headers=headers, timeout=10)) == (401, "signature")


@pytest.mark.parametrize(("ahead_s", "expected"), [(-310, "clock"), (310, "clock"), (-280, ""), (280, "")])
def test_a_request_counts_for_five_minutes_either_way(caller: Caller, ahead_s: int, expected: str) -> None:
    answer = caller.send("GET", PING, stamp=fresh_stamp(ahead_s))
    assert verdict(answer)[1] == expected
    if expected:
        assert abs(answer.json()["now"] - time.time()) < 20


def test_a_request_is_served_once(caller: Caller) -> None:
    stamp = fresh_stamp()
    assert verdict(caller.send("GET", PING, stamp=stamp)) == (200, "")
    assert verdict(caller.send("GET", PING, stamp=stamp)) == (401, "replayed")
    assert verdict(caller.send("GET", {"r": "stock"}, stamp=stamp)) == (401, "replayed")


def test_of_the_same_request_made_many_times_at_once_one_is_served(caller: Caller) -> None:
    stamp, answers = fresh_stamp(), list[tuple[int, str]]()
    workers = [Thread(target=lambda: answers.append(verdict(caller.send("GET", PING, stamp=stamp)))) for _ in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sorted(answers) == [(200, ""), *[(401, "replayed")] * 7]


def test_a_refused_request_uses_no_nonce_up(caller: Caller) -> None:
    stamp = fresh_stamp()
    assert verdict(caller.send("GET", PING, stamp=stamp, headers={"X-Ecsync-Sign": "0" * 64})) == (401, "signature")
    assert verdict(caller.send("GET", PING, stamp=stamp)) == (200, "")


def test_nonces_are_forgotten_when_they_are_out_of_the_window(caller: Caller, php_shop: PhpShop) -> None:
    folder = php_shop.root / "temp/ecsync"
    caller.send("GET", PING)
    made = {path.name for path in folder.glob("*.nonce")}
    assert made
    for path in folder.iterdir():
        os.utime(path, (time.time() - 1000, time.time() - 1000))
    caller.send("GET", PING)
    assert len({path.name for path in folder.glob("*.nonce")} & made) == 0


def test_http_is_refused_unless_it_is_allowed_to_this_machine(caller: Caller, php_shop: PhpShop) -> None:
    php_shop.is_set(allow_http=False)
    assert verdict(caller.send("GET", PING)) == (403, "https_required")
    php_shop.is_set(allow_http=True)
    assert verdict(caller.send("GET", PING, headers={"X-Forwarded-For": "203.0.113.7"})) == (403, "https_required")
    assert verdict(caller.send("GET", PING, headers=OVER_HTTPS | {"X-Forwarded-For": "127.0.0.1"})) == (
        403,
        "https_required",
    )


def test_a_proxys_word_for_https_counts_if_the_proxy_is_trusted(caller: Caller, php_shop: PhpShop) -> None:
    php_shop.is_set(allow_http=False)
    assert verdict(caller.send("GET", PING, headers=OVER_HTTPS)) == (403, "https_required")
    php_shop.is_set(allow_http=False, **PROXY)
    assert verdict(caller.send("GET", PING, headers=OVER_HTTPS)) == (200, "")
    assert verdict(caller.send("GET", PING, headers={"X-Forwarded-Proto": "http"})) == (403, "https_required")


@pytest.mark.parametrize(
    ("allow", "client", "is_in"),
    [
        (["203.0.113.7"], "203.0.113.7", True),
        (["203.0.113.7"], "203.0.113.8", False),
        (["203.0.113.0/29"], "203.0.113.7", True),
        (["203.0.113.0/29"], "203.0.113.8", False),
        (["198.51.100.1", "2001:db8::/33"], "2001:db8:7fff::1", True),
        (["2001:db8::/33"], "2001:db8:8000::1", False),
        (["203.0.113.7"], "::ffff:203.0.113.7", True),
        (["203.0.113.7/x"], "198.51.100.9", False),
        (["0.0.0.0/0"], "2001:db8::1", False),
        (["::/0"], "203.0.113.7", False),
        (["not an address"], "203.0.113.7", False),
        (["203.0.113.7"], "198.51.100.9, 203.0.113.7", True),
        (["198.51.100.9"], "198.51.100.9, 203.0.113.7", False),
        (["203.0.113.7"], "203.0.113.7, 127.0.0.1", True),
        (["203.0.113.7"], "nonsense", False),
    ],
)
def test_the_address_that_called_must_be_on_the_list(
    caller: Caller, php_shop: PhpShop, allow: list[str], client: str, is_in: bool
) -> None:
    php_shop.is_set(allow_http=False, allow=allow, **PROXY)
    answer = caller.send("GET", PING, headers=OVER_HTTPS | {"X-Forwarded-For": client})
    assert verdict(answer) == ((200, "") if is_in else (403, "address"))


def test_an_address_that_is_not_on_the_list_cannot_name_another(caller: Caller, php_shop: PhpShop) -> None:
    php_shop.is_set(allow=["203.0.113.7"])
    assert verdict(caller.send("GET", PING)) == (403, "address")


@pytest.mark.parametrize("key", ["", "x" * 31])
def test_without_a_long_key_nothing_is_answered(caller: Caller, php_shop: PhpShop, key: str) -> None:
    php_shop.is_set(key=key)
    assert verdict(Caller(caller.url, key).send("GET", PING)) == (503, "not_configured")


def test_the_settings_in_the_file_itself_are_none(caller: Caller, php_shop: PhpShop) -> None:
    (php_shop.root / "data/ecsync-config.php").unlink()
    assert verdict(caller.send("GET", PING)) == (403, "https_required")


def test_a_folder_that_is_no_shop_is_said_to_be_none(caller: Caller, php_shop: PhpShop) -> None:
    (php_shop.root / "data/config.php").unlink()
    assert verdict(caller.send("GET", PING)) == (503, "not_configured")


@pytest.mark.parametrize(
    ("method", "route", "expected"),
    [
        ("GET", "nowhere", (404, "route_unknown")),
        ("GET", "", (404, "route_unknown")),
        ("GET", "ship", (405, "method_not_allowed")),
        ("POST", "orders", (405, "method_not_allowed")),
        ("PUT", "stock", (405, "method_not_allowed")),
    ],
)
def test_what_is_no_route_or_called_otherwise_is_said(
    caller: Caller, method: str, route: str, expected: tuple[int, str]
) -> None:
    assert verdict(caller.send(method, {"r": route})) == expected


def test_the_path_which_is_not_signed_cannot_change_the_route(caller: Caller) -> None:
    headers = signed_headers(KEY, "GET", "r=ping", fresh_stamp(), b"")
    answer = requests.get(f"{caller.url}/stock?r=ping", headers=headers, timeout=10)
    assert answer.status_code == 200
    assert "plugin" in answer.json()


def test_a_stranger_learns_nothing_of_the_routes(caller: Caller) -> None:
    answers = {requests.get(caller.url, params={"r": route}, timeout=10).text for route in ("ping", "nowhere", "")}
    assert len(answers) == 1


def test_a_body_over_the_limit_is_not_read(caller: Caller) -> None:
    assert verdict(caller.send("POST", {"r": "stock"}, b" " * (2 * 1024 * 1024 + 1))) == (413, "too_large")


def test_a_bom_in_the_shops_files_stays_out_of_the_answer(caller: Caller, php_shop: PhpShop) -> None:
    for name in ("config.php", "ecsync-config.php"):
        path = php_shop.root / "data" / name
        path.write_bytes(b"\xef\xbb\xbf\n" + path.read_bytes() + b"\n\n")
    assert caller.send("GET", PING).text.startswith("{")


def test_an_answer_is_never_kept_by_anyone(caller: Caller) -> None:
    headers = caller.send("GET", PING).headers
    assert headers["Cache-Control"] == "no-store"
    assert headers["Content-Type"] == "application/json; charset=utf-8"


def test_no_refusal_names_a_path_a_version_or_a_secret(caller: Caller, php_shop: PhpShop) -> None:
    answers: list[Any] = [caller.get("orders", limit="x"), caller.get("nowhere"), caller.post("ship", {})]
    php_shop.serves("mysql://root:hunter2@127.0.0.1:9/nowhere")
    answers.append(caller.get("ping"))
    assert answers[-1][1]["error"]["code"] == "database_away"
    for status, document in answers:
        assert status >= 400
        said = document["error"]["message"]
        assert not re.search(rf"hunter2|{KEY}|SELECT|mysqli|/tmp|\.php:\d|8\.\d", said), said
