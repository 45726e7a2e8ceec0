"""Captured bytes as JSON lines."""

import json

from hypothesis import given
from hypothesis import strategies as st

from holdfast.machine.output.jsonlog import (
    OPENING,
    encode_lines,
    encode_part,
    whole_characters,
)

AT = "2026-01-31T08:00:00.000Z"


def test_a_line_becomes_an_object_with_time_stream_and_text() -> None:
    (line,) = encode_lines("schön\n".encode(), "stderr", AT)

    assert json.loads(line) == {"at": AT, "stream": "stderr", "line": "schön"}
    assert line.startswith(OPENING)


def test_a_part_says_so() -> None:
    assert json.loads(encode_part(b"half a li", "stdout", AT)) == {
        "at": AT,
        "stream": "stdout",
        "line": "half a li",
        "partial": True,
    }


def test_what_is_no_utf8_is_shown_and_nuls_pass() -> None:
    (line,) = encode_lines(b"a\xff\x00b\n", "stdout", AT)

    assert json.loads(line)["line"] == "a\\xff\x00b"


@given(st.lists(st.binary().map(lambda line: line.replace(b"\n", b""))))
def test_any_bytes_give_one_object_on_one_line_each(lines: list[bytes]) -> None:
    encoded = encode_lines(b"".join(line + b"\n" for line in lines), "stdout", AT)

    assert len(encoded) == len(lines)
    for line, source in zip(encoded, lines, strict=True):
        assert line.index(b"\n") == len(line) - 1
        assert json.loads(line)["line"] == source.decode(errors="backslashreplace")


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), st.integers(min_value=0))
def test_a_piece_is_never_cut_inside_a_character(text: str, cut: int) -> None:
    content = text.encode()
    piece = content[: cut % (len(content) + 1)]

    whole = piece[: whole_characters(piece)]

    assert text.startswith(whole.decode())
    assert len(piece) - len(whole) < 4


@given(st.binary(min_size=4))
def test_at_most_three_bytes_wait_for_the_rest_of_a_character(piece: bytes) -> None:
    assert len(piece) - 3 <= whole_characters(piece) <= len(piece)
