"""The JSON Schema that editors complete from."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

from holdfast.config.schema import json_schema

DESIGN = Path(__file__).with_name("design.toml")
SCHEMA: Any = json_schema()


def resolve(node: Any) -> Any:
    while "$ref" in node:
        node = SCHEMA["$defs"][node["$ref"].removeprefix("#/$defs/")]
    return node


def accepts(node: Any, value: Any) -> bool:
    """Tell whether the words of JSON Schema used here accept a value."""
    node = resolve(node)
    if "anyOf" in node:
        return any(accepts(option, value) for option in node["anyOf"])
    if "enum" in node:
        return value in node["enum"]
    match node["type"]:
        case "object":
            return isinstance(value, dict) and accepts_table(node, value)
        case "array":
            return (
                isinstance(value, list)
                and len(value) >= node.get("minItems", 0)
                and all(accepts(node["items"], item) for item in value)
            )
        case "string":
            return isinstance(value, str) and bool(re.search(node.get("pattern", ""), value))
        case "integer":
            return type(value) is int and value >= node["minimum"]
        case kind:
            assert kind == "boolean", kind
            return isinstance(value, bool)


def accepts_table(node: Any, table: dict[str, Any]) -> bool:
    known = node.get("properties", {})
    other = node["additionalProperties"]
    return set(node.get("required", ())) <= set(table) and all(
        accepts(known.get(key, other), value) if known.get(key, other) else False
        for key, value in table.items()
    )


def test_the_schema_accepts_the_example_of_the_design() -> None:
    assert accepts(SCHEMA, tomllib.loads(DESIGN.read_text(encoding="utf-8")))


def test_the_schema_refuses_what_the_reader_refuses() -> None:
    assert not accepts(SCHEMA, {"service": {"a": {}}})
    assert not accepts(SCHEMA, {"service": {"a": {"command": "x", "comand": "y"}}})
    assert not accepts(SCHEMA, {"watchdog": {"check_every": "3 weeks"}})
    assert accepts(SCHEMA, {"watchdog": {"check_every": "${EVERY}"}})


def test_every_key_is_described_and_every_default_is_one_the_schema_accepts() -> None:
    for name, section in SCHEMA["$defs"].items():
        assert section["description"], name
        for key, told in section["properties"].items():
            assert told["description"].endswith("."), f"{name}.{key}"
            if "default" in told:
                assert accepts(told, told["default"]), f"{name}.{key}"


def test_the_schema_is_plain_json() -> None:
    assert json.loads(json.dumps(SCHEMA)) == SCHEMA
