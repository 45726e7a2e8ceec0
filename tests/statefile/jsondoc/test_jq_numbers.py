"""Numbers that were passed on are written as they were; the others are doubted where doubles end."""

import pytest

from holdfast.statefile.jsondoc.jq_numbers import Doubtful, Numbers
from holdfast.statefile.jsondoc.value import decode


def restored(new: str, old: str, program: str = ".", *, strict: bool = True) -> str:
    before = decode(old)
    return repr(Numbers(before, program).restored(decode(new), before, strict=strict))


@pytest.mark.parametrize(
    ("new", "old", "result"),
    [
        ("1", "1.0", "1.0"),
        ("[1.1]", "[1.10]", "[1.10]"),
        ("[1, 1E+5]", "[1E5]", "[1, 1E5]"),
        ("true", "1", "True"),
        ("[2]", "[true]", "[2]"),
        ("null", "[1]", "None"),
        ("-9007199254740993", "9007199254740993", "-9007199254740993"),
        ("1E+99999999999999999999", "1e99999999999999999999", "1e99999999999999999999"),
    ],
)
def test_a_number_that_says_the_same_is_written_the_same(new: str, old: str, result: str) -> None:
    assert restored(new, old, strict=False) == result


@pytest.mark.parametrize(
    ("new", "old", "program", "place"),
    [
        ("9007199254740992", "9007199254740993", ".", "the top"),
        ('{"a": [0, 9007199254740994]}', '{"a": []}', ".", "/a/1"),
        ("[9007199254740993, 9007199254740992]", "[9007199254740993]", ".", "/1"),
        ("1e+300", "1", ".", "the top"),
        ("9007199254740992", "1", "9007199254740993 + 0", "the top"),
    ],
)
def test_a_number_beyond_doubles_that_nobody_gave_is_doubted(
    new: str, old: str, program: str, place: str
) -> None:
    with pytest.raises(Doubtful, match=f"at {place} may have been rounded"):
        restored(new, old, program)

    assert restored(new, old, program, strict=False)


def test_a_number_in_the_program_was_given() -> None:
    assert restored("9007199254740993", "1", '"007" | 9007199254740993') == "9007199254740993"
    assert restored("1e+300", "1", ".n = 1e300") == "1e300"


def test_what_doubles_hold_is_not_doubted() -> None:
    assert restored("[9007199254740992, -5, 0.5]", "[1, 2, 3]") == "[9007199254740992, -5, 0.5]"
