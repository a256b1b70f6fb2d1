"""The plug-in's OpenAPI document, and as much of JSON Schema as it uses."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

DOCUMENT: dict[str, Any] = yaml.safe_load(
    (Path(__file__).parents[3] / "shop-plugin" / "openapi.yaml").read_text("utf-8")
)
_KINDS = {"object": dict, "array": list, "string": str, "boolean": bool, "integer": int, "null": type(None)}
_KNOWN = {
    *("$ref", "type", "enum", "const", "required", "properties", "additionalProperties", "items", "maxItems"),
    *("minimum", "maximum", "minLength", "maxLength", "pattern", "default", "description"),
}


def path_of(route: str) -> str:
    return "/ecsync.php/api/orders" if route == "api/orders" else f"/ecsync.php?r={route}"


def answer_schema(method: str, route: str, status: int) -> Any:
    """Of an answer; a route that is not in the document can only be refused."""
    if status != 200:
        return {"$ref": "#/components/schemas/Refusal"}
    return _content(DOCUMENT["paths"][path_of(route)][method]["responses"]["200"])


def request_schema(method: str, route: str) -> Any:
    return _content(DOCUMENT["paths"][path_of(route)][method]["requestBody"])


def _content(part: Any) -> Any:
    return part["content"]["application/json"]["schema"]


def resolved(reference: str) -> Any:
    part: Any = DOCUMENT
    for name in reference.removeprefix("#/").split("/"):
        part = part[name]
    return part


def conforms(schema: dict[str, Any], value: Any, where: str = "$") -> None:
    """Fails with the place where the value is not as the schema says."""
    unknown = schema.keys() - _KNOWN
    assert not unknown, f"{where}: these tests do not know {unknown}"
    if "$ref" in schema:
        return conforms(resolved(schema["$ref"]), value, where)
    assert "type" not in schema or _is_kind(schema["type"], value), f"{where}: {value!r} is no {schema['type']}"
    assert "const" not in schema or value == schema["const"], f"{where}: {value!r}"
    assert "enum" not in schema or value in schema["enum"], f"{where}: {value!r} is none of {schema['enum']}"
    if isinstance(value, str):
        _conforms_text(schema, value, where)
    elif isinstance(value, dict):
        _conforms_object(schema, value, where)
    elif isinstance(value, list):
        assert len(value) <= schema.get("maxItems", len(value)), where
        for index, one in enumerate(value):
            conforms(schema.get("items", {}), one, f"{where}[{index}]")
    elif isinstance(value, int):
        assert schema.get("minimum", value) <= value <= schema.get("maximum", value), f"{where}: {value}"
    return None


def _is_kind(kinds: str | list[str], value: Any) -> bool:
    named = [kinds] if isinstance(kinds, str) else kinds
    is_bool = isinstance(value, bool)
    return any(isinstance(value, _KINDS[kind]) and is_bool == (kind == "boolean") for kind in named)


def _conforms_text(schema: dict[str, Any], value: str, where: str) -> None:
    assert schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value)), f"{where}: {value!r}"
    assert re.search(schema.get("pattern", ""), value), f"{where}: {value!r} is not as {schema.get('pattern')}"


def _conforms_object(schema: dict[str, Any], value: dict[str, Any], where: str) -> None:
    missing = set(schema.get("required", ())) - value.keys()
    assert not missing, f"{where} lacks {missing}"
    properties = schema.get("properties", {})
    if schema.get("additionalProperties") is False:
        assert value.keys() <= properties.keys(), f"{where} has {value.keys() - properties.keys()} too"
    for name, one in value.items():
        conforms(properties.get(name, {}), one, f"{where}.{name}")
