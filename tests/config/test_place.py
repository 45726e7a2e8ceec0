"""On which line each key stands."""

import tomllib

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from holdfast.config.place import KeyPath, key_lines, line_of, syntax_fault
from holdfast.config.toml import write_toml

TEXT = '''# a comment with [brackets] and key = 1
top = """
[not.a.table]
x = 1
"""
[service.api]  # comment
command = ["a", # first
  "b",
]
env = { PORT = "8000", "odd key" = 'it''s' }
restart.limit = "3/1h"

[service."quoted.name".stop]
signal = "TERM"
[[startup.steps]]
name = "one"
[[startup.steps]]
name = "two"
at.x = [{ a = 1 }, { a = [1,
2] }]
[startup.steps.inner]
z = 1
'''.replace("it''s", "its")


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("top",), 2),
        (("service",), 6),
        (("service", "api"), 6),
        (("service", "api", "command"), 7),
        (("service", "api", "command", 1), 8),
        (("service", "api", "env", "PORT"), 10),
        (("service", "api", "env", "odd key"), 10),
        (("service", "api", "restart"), 11),
        (("service", "api", "restart", "limit"), 11),
        (("service", "quoted.name", "stop", "signal"), 14),
        (("startup", "steps"), 15),
        (("startup", "steps", 0, "name"), 16),
        (("startup", "steps", 1), 17),
        (("startup", "steps", 1, "name"), 18),
        (("startup", "steps", 1, "at", "x", 1, "a", 1), 20),
        (("startup", "steps", 1, "inner", "z"), 22),
    ],
)
def test_every_form_of_key_is_found_on_its_line(path: KeyPath, line: int) -> None:
    tomllib.loads(TEXT)

    assert key_lines(TEXT)[path] == line


def test_a_key_that_stands_nowhere_is_placed_at_the_table_around_it() -> None:
    lines = key_lines(TEXT)

    assert line_of(lines, ("service", "api", "missing", "deep")) == 6
    assert line_of(lines, ("hub",)) is None


KEYS = st.text(st.characters(codec="utf-8"), max_size=6)
SCALARS = st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(max_size=8)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=12,
)
TABLES = st.dictionaries(KEYS, VALUES, max_size=4)


@given(TABLES)
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_a_table_written_is_read_back_and_every_key_of_it_has_a_line(
    table: dict[str, object],
) -> None:
    text = write_toml(table)

    assert tomllib.loads(text) == table
    lines = key_lines(text)
    for path in paths(table):
        # A key may hold a line feed only escaped, so its line shows at least how it begins.
        assert path in lines
        assert 1 <= lines[path] <= text.count("\n") + 1


def paths(table: dict[str, object]) -> list[KeyPath]:
    found: list[KeyPath] = []
    for key, value in table.items():
        found.append((key,))
        if isinstance(value, dict):
            found += [(key, *rest) for rest in paths(value)]
    return found


@example('"\x1f"')
@given(st.text(max_size=60))
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_any_text_at_all_is_scanned_to_an_end(text: str) -> None:
    key_lines(text)


def test_what_tomllib_says_becomes_a_line_and_a_reason() -> None:
    text = "a = 1\nb = = 2\n"
    with pytest.raises(tomllib.TOMLDecodeError) as caught:
        tomllib.loads(text)

    assert syntax_fault(text, caught.value) == (2, "Invalid value at column 5")
    assert syntax_fault(text, ValueError("too many digits")) == (1, "too many digits")
