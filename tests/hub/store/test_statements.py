import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.hub.store import sqlite_file, statements


@pytest.fixture(scope="module")
def tables() -> Iterator[sqlite3.Connection]:
    connection = sqlite_file.in_memory()
    sqlite_file.bring_up(connection, Path("memory"), 0.0)
    yield connection
    connection.close()


def ask(tables: sqlite3.Connection, how: str, name: str) -> list[str]:
    unset: dict[str, object] = defaultdict(lambda: None)
    rows = tables.execute(f"{how} {statements.text(name)}", unset).fetchall()
    return [str(row.get("detail", "")) for row in rows]


def test_every_statement_is_understood_by_the_database(tables: sqlite3.Connection) -> None:
    for name in statements.known():
        try:
            ask(tables, "EXPLAIN", name)
        except sqlite3.Error as error:
            pytest.fail(f"{name}: {error}")


def test_what_is_due_is_found_by_an_index(tables: sqlite3.Connection) -> None:
    for name in statements.known():
        if "due" in name.partition(".")[2].split("_"):
            plan = ask(tables, "EXPLAIN QUERY PLAN", name)
            assert plan, name
            assert not [step for step in plan if step.startswith("SCAN")], (name, plan)


def test_a_name_that_is_nearly_right_is_answered_with_the_right_one() -> None:
    with pytest.raises(LookupError, match=r"'access\.tokn'.*did you mean 'access\.token'"):
        statements.text("access.tokn")
    with pytest.raises(LookupError, match=r"known: access\.add"):
        statements.text("zzz")


def test_statements_come_without_their_comments_and_without_the_last_semicolon() -> None:
    for name, sql in statements.known().items():
        assert "--" not in sql, name
        assert not sql.endswith(";"), name


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("SELECT 1;\n", "begins without a name"),
        ("-- name: a\n\n-- name: b\nSELECT 1;\n", r"'x\.a' is empty"),
        ("-- name: a\nSELECT 1;\n-- name: a\nSELECT 2;\n", r"'x\.a' stands twice"),
    ],
)
def test_a_file_that_is_written_wrongly_is_refused(content: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        statements.parsed("x.sql", content)


def test_blocks_begin_with_their_names_and_may_have_words_above() -> None:
    content = (
        "-- What this is about.\n\n-- name: a\n-- Why.\nSELECT 1\nFROM b;\n-- name: c\nSELECT 2\n"
    )

    assert statements.parsed("x.sql", content) == {"x.a": "SELECT 1\nFROM b", "x.c": "SELECT 2"}
