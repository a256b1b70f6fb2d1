"""The plug-in's document says what the file does. That answers are as it says is seen in every other test here."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.service.plugin.openapi import DOCUMENT, conforms, path_of, resolved
from tests.service.plugin.php import PLUGIN, PhpShop
from tests.service.shop.yard import CUP, TEA, Yard

SOURCE = PLUGIN.read_text("utf-8")
REFUSALS = set(re.findall(r"new EcsyncRefusal\((\d+), '(\w+)'", SOURCE))
REFUSALS |= {("409", word) for word in re.findall(r"->refusal\('(\w+)'", SOURCE)}


def _routes() -> dict[str, set[str]]:
    (table,) = re.findall(r"\$routes = array\((.+?)\);", SOURCE, re.DOTALL)
    return {
        route: set(re.findall(r"'(\w+)'", methods))
        for route, methods in re.findall(r"'([\w/]+)' => array\(([^)]+)\)", table)
    }


def test_every_route_and_method_is_described_and_no_other() -> None:
    routes = _routes()
    assert len(routes) == 6
    described = {path: {method.upper() for method in one} for path, one in DOCUMENT["paths"].items()}
    assert described == {path_of(route): methods for route, methods in routes.items()}


def test_every_refusal_is_described_with_its_status_and_no_other() -> None:
    assert len(REFUSALS) > 20
    table = resolved("#/components/responses/Refusal")["description"]
    assert set(re.findall(r"^\| (\d+) \| (\w+) \|", table, re.MULTILINE)) == REFUSALS
    codes = resolved("#/components/schemas/Refusal")["properties"]["error"]["properties"]["code"]["enum"]
    assert sorted(codes) == sorted({word for _, word in REFUSALS})


def test_the_document_is_of_the_files_version() -> None:
    assert f"const VERSION = '{DOCUMENT['info']['version']}';" in SOURCE


def test_the_stages_are_those_of_the_file() -> None:
    (names,) = re.findall(r"function names\(\)\s*\{\s*return array\(([^)]+)\)", SOURCE)
    described = resolved("#/components/schemas/Ship")["properties"]["stage"]["enum"]
    assert re.findall(r"'(\w+)'", names) == described


def _references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        yield from ([part["$ref"]] if "$ref" in part else [])
        part = list(part.values())
    for one in part if isinstance(part, list) else ():
        yield from _references(one)


def test_every_schema_is_there_and_used() -> None:
    used = set(_references(DOCUMENT))
    for reference in used:
        resolved(reference)
    assert used == {
        f"#/components/{kind}/{name}"
        for kind, parts in DOCUMENT["components"].items()
        for name in parts
        if kind != "securitySchemes"
    }


def test_nothing_in_the_document_is_left_blank() -> None:
    """A comma inside an unquoted sentence would end it."""

    def blanks(part: Any) -> list[Any]:
        if isinstance(part, dict):
            return [name for name, one in part.items() if one is None] + [
                blank for one in part.values() for blank in blanks(one)
            ]
        return [blank for one in part for blank in blanks(one)] if isinstance(part, list) else []

    assert blanks(DOCUMENT) == []


@pytest.mark.parametrize(
    "damage",
    [{"next": "1"}, {"orders": {}}, {"more": 1}, {"goods": [{"goods_id": 1}]}, {"cod_pay_ids": [True]}],
    ids=lambda damage: next(iter(damage)),
)
def test_an_answer_of_another_shape_would_be_seen(
    mariadb_yard: Yard, php_shop: PhpShop, damage: dict[str, Any]
) -> None:
    mariadb_yard.order(1, TEA, CUP)
    _, document = php_shop.caller.get("orders")
    with pytest.raises(AssertionError, match=next(iter(damage))):
        conforms({"$ref": "#/components/schemas/Orders"}, document | damage)


def test_the_simple_list_is_as_described(mariadb_yard: Yard, php_shop: PhpShop) -> None:
    php_shop.is_set(api_user="list", api_password="sixteen letters.")
    mariadb_yard.order(1, TEA, CUP)
    mariadb_yard.order(2, pay_time=0, order_status=2)
    url = f"{php_shop.caller.url}/api/orders?status=all"
    document = json.loads(requests.get(url, auth=("list", "sixteen letters."), timeout=20).content)
    assert len(document["orders"]) == 2
    conforms({"$ref": "#/components/schemas/SimpleList"}, document)
