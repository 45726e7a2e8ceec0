"""The name of a temp says what its content must be."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.statefile.temp import TempName, parse_temp_name, temp_name

stems = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1)


@settings(deadline=None)
@given(stem=stems, size=st.integers(0, 2**63), content=st.binary(min_size=32, max_size=32))
def test_the_parser_reads_what_the_writer_writes(stem: str, size: int, content: bytes) -> None:
    name = temp_name(stem, size, content.hex(), "0123456789abcdef")

    assert parse_temp_name(name) == TempName(stem, size, content.hex()[:32])


GOOD = ".state.json.5." + "a" * 32 + "." + "b" * 16 + ".tmp"


def test_the_pattern_is_what_foreign_names_are_held_against() -> None:
    assert parse_temp_name(GOOD) == TempName("state.json", 5, "a" * 32)


@pytest.mark.parametrize(
    "name",
    [
        "state.json.tmp",
        ".state.json.tmp",
        "state.json.tmp.1234",
        GOOD.removeprefix("."),
        GOOD.replace(".tmp", ".part"),
        GOOD.replace("a" * 32, "a" * 31),
        GOOD.replace("b" * 16, "b" * 15),
        GOOD.replace("a" * 32, "A" * 32),
        GOOD.replace(".5.", ".+5."),
        GOOD.replace(".5.", ".."),
        GOOD.replace("state.json", ""),
        "." + "a" * 32 + "." + "b" * 16 + ".tmp",
    ],
)
def test_foreign_names_are_not_ours(name: str) -> None:
    assert parse_temp_name(name) is None
