"""Every capability the source documents ask for is listed, and each that is claimed names a test that exists."""

import ast
import tomllib
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
ROWS = {0: 15, 1: 19, 2: 34, 3: 14, 4: 23}
OPEN = "open"


def listed() -> dict[str, str]:
    with (TESTS / "promises" / "seeds.toml").open("rb") as source:
        rows: dict[str, str] = tomllib.load(source)["rows"]
    return rows


def test_every_row_is_listed_once_and_nothing_else() -> None:
    expected = [
        f"{document}.{row:02d}" for document, rows in ROWS.items() for row in range(1, rows + 1)
    ]

    assert list(listed()) == expected


@pytest.mark.parametrize(
    ("row", "place"), [(row, place) for row, place in listed().items() if place != OPEN]
)
def test_a_kept_promise_names_a_test_that_exists(row: str, place: str) -> None:
    path, _, name = place.partition("::")
    found = {
        node.name
        for node in ast.walk(ast.parse((TESTS.parent / path).read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }

    assert name in found, f"row {row} names {place}"
