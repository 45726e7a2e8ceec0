"""The name of a temp says what its content must be."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.statefile.temp import TempName, checksum, parse_temp_name, temp_name

stems = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1)


@given(stem=stems, size=st.integers(0, 2**63), content=st.binary())
def test_the_parser_reads_what_the_writer_writes(stem: str, size: int, content: bytes) -> None:
    name = temp_name(stem, size, checksum(content), "0123456789abcdef")

    assert parse_temp_name(name) == TempName(stem, size, checksum(content))


@given(content=st.binary(min_size=1), data=st.data())
def test_a_name_is_fulfilled_by_its_whole_content_only(
    content: bytes, data: st.DataObject
) -> None:
    name = TempName("s", len(content), checksum(content))
    cut = data.draw(st.integers(0, len(content) - 1))
    assert name.is_fulfilled_by(content)
    assert not name.is_fulfilled_by(content[:cut])
    assert not name.is_fulfilled_by(content[:cut] + bytes([content[cut] ^ 1]) + content[cut + 1 :])


def test_half_a_sha256_certifies_too_and_no_checksum_certifies_nothing() -> None:
    half = hashlib.sha256(b"12345").hexdigest()[:32]
    assert TempName("s", 5, half).is_fulfilled_by(b"12345")
    assert not TempName("s", 5, half).is_fulfilled_by(b"12346")
    uncertified = parse_temp_name(temp_name("s", 5, None, "b" * 16))
    assert uncertified == TempName("s", 5, "0")
    assert not uncertified.is_fulfilled_by(b"12345")


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
