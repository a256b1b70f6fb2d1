"""A shop's folder under PHP's own web server: the plug-in as a merchant uploads it, and a signed caller."""

from __future__ import annotations

import base64
import json
import os
import shutil
import socket
import subprocess
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
from sqlalchemy import make_url

from mappings.connector import ParcelToWrite
from mappings.shops.ecshop.rows import OrderRows, ReadRules
from mappings.shops.ecshop.writeback import waybill_number
from mappings.shops.ecshop_api.answers import read_page
from mappings.shops.ecshop_api.parcel import parcel_fields
from mappings.shops.ecshop_api.signing import Stamp, query_string, signed_headers
from tests.service.plugin.openapi import answer_schema, conforms, request_schema
from tests.service.shop.yard import NOW, STORED_NOW
from tests.services import need_php

PLUGIN = Path(__file__).parents[3] / "shop-plugin" / "ecsync.php"
KEY = "0123456789abcdef0123456789abcdef-test"
RULES = ReadRules(shop="main")
Answer = tuple[int, Any]


@dataclass
class PhpShop:
    """A shop's root folder and the server before it. Settings apply from the next request on."""

    root: Path
    port: int
    log: Path
    caller: Caller = field(init=False)

    def __post_init__(self) -> None:
        self.caller = Caller(f"http://127.0.0.1:{self.port}/ecsync.php")
        (self.root / "data").mkdir()
        (self.root / "temp").mkdir()
        shutil.copy(PLUGIN, self.root / "ecsync.php")

    def serves(
        self, url: str, *, port: int = 0, timezone: str = "Asia/Shanghai", prefix: str = "ecs_", forgets: bool = True
    ) -> None:
        """Write data/config.php as ECShop's installer does; `port` stands for another way to the same database.

        `forgets`: what the plug-in remembers of a shop for some minutes.
        """
        for path in (self.root / "temp").glob("ecsync/*.ids") if forgets else ():
            path.unlink()
        parts = make_url(url)
        text = (
            f'<?php\n// database host\n$db_host = "{parts.host}:{port or parts.port or 3306}";\n'
            f'$db_name = "{parts.database}";\n$db_user = "{parts.username}";\n$db_pass = "{parts.password or ""}";\n'
            f'$prefix = "{prefix}";\n$timezone = "{timezone}";\n'
            '$cookie_path = "/";\n$session = "1440";\n'
            "define('EC_CHARSET', 'utf-8');\ndefine('AUTH_KEY', 'x');\n?>\n"
        )
        (self.root / "data/config.php").write_text(text)

    def is_set(self, **settings: Any) -> None:
        """Write data/ecsync-config.php: a test's trials come from this machine and without HTTPS."""
        values = {"key": KEY, "allow_http": True} | settings
        packed = base64.b64encode(json.dumps(values).encode()).decode()
        text = f"<?php return json_decode(base64_decode('{packed}'), true);"
        (self.root / "data/ecsync-config.php").write_text(text)

    def forget_complaints(self) -> None:
        os.truncate(self.log, 0)

    def complaints(self) -> list[str]:
        """What PHP logged besides requests."""
        return [
            line for line in self.log.read_text().splitlines() if "PHP " in line and "Development Server" not in line
        ]


@dataclass(frozen=True)
class Caller:
    """Asks the plug-in, signed unless told otherwise."""

    url: str
    key: str = KEY

    def get(self, route: str, **parameters: Any) -> Answer:
        query = {"r": route, **{name: str(value) for name, value in parameters.items()}}
        return _answer("get", route, self.send("GET", query))

    def post(self, route: str, body: Mapping[str, Any]) -> Answer:
        answer = _answer("post", route, self.send("POST", {"r": route}, json.dumps(body, default=str).encode()))
        if answer[0] == 200:
            conforms(request_schema("post", route), body)
        return answer

    def send(
        self,
        method: str,
        query: Mapping[str, str],
        body: bytes = b"",
        *,
        stamp: Stamp | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """`headers` are added; they may replace a part of the signature."""
        text = query_string(query)
        signed = signed_headers(self.key, method, text, stamp or fresh_stamp(), body)
        url = f"{self.url}?{text}"
        return requests.request(method, url, data=body, headers={**signed, **(headers or {})}, timeout=60)

    def rows(self, order_id: str) -> OrderRows:
        status, document = self.get("order", id=order_id)
        assert status == 200, document
        return read_page(document).orders[0]

    def stage(self, order_id: str, stage: str, **fields: Any) -> Answer:
        common = {"order_id": int(order_id), "stage": stage, "action_user": "ecsync", "now_stored": STORED_NOW}
        return self.post("ship", common | fields)

    def planned(self, parcel: ParcelToWrite) -> dict[str, Any]:
        """The fields of the stages note and shipped, planned from the order as the plug-in gives it now."""
        number = waybill_number(parcel.waybill_no)
        fields = parcel_fields(self.rows(parcel.shop_order_id), parcel, number, RULES)
        shipped_at = int((parcel.shipped_at or NOW).timestamp())
        return fields | {"shipped_at": shipped_at}

    def ship(self, parcel: ParcelToWrite, *, times: int = 1, **fields: Any) -> None:
        """The three writes, as a worker makes them; each must be taken."""
        for _ in range(times):
            assert self.stage(parcel.shop_order_id, "claim")[0] == 200
            for stage in ("note", "shipped"):
                answer = self.stage(parcel.shop_order_id, stage, **self.planned(parcel), **fields)
                assert answer[0] == 200, answer


def fresh_stamp(ahead_s: int = 0) -> Stamp:
    return Stamp(int(time.time()) + ahead_s, uuid.uuid4().hex)


def _answer(method: str, route: str, response: requests.Response) -> Answer:
    """Every answer in every test is held against the plug-in's own document."""
    document = response.json()
    conforms(answer_schema(method, route, response.status_code), document)
    return response.status_code, document


@contextmanager
def php_server(root: Path, *options: str) -> Iterator[PhpShop]:
    """PHP's web server on a free port, with some workers so that requests may meet."""
    php = need_php()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = root.with_suffix(".log")
    root.mkdir()
    shop = PhpShop(root, port, log)
    command = [
        php,
        *options,
        "-d",
        "error_reporting=-1",
        "-d",
        "display_errors=1",
        "-d",
        "opcache.enable=0",  # a test's config.php holds from the next request on
        "-S",
        f"127.0.0.1:{port}",
        "-t",
        str(root),
    ]
    with log.open("ab") as sink:
        server = subprocess.Popen(
            command, stdout=sink, stderr=sink, env=os.environ | {"PHP_CLI_SERVER_WORKERS": "4"}, start_new_session=True
        )
    try:
        _wait_for(port)
        yield shop
    finally:
        os.killpg(server.pid, 15)
        server.wait(10)


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
