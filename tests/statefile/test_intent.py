"""The journal of a transaction says exactly what it does, or nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.statefile.intent import (
    Change,
    Intent,
    decoded,
    encoded,
    intent_name,
    parse_intent_name,
)

ID = "0123456789abcdef"
names = st.text(st.characters(exclude_characters="/", exclude_categories=["Cs"]), min_size=1)
changes = st.builds(Change, names, names, names, names, st.integers(0, 2**40), names)


@given(st.lists(changes, max_size=4))
def test_what_is_written_down_is_read_again(found: list[Change]) -> None:
    intent = Intent(ID, tuple(found))
    assert decoded(ID, encoded(intent)) == intent


@given(st.lists(changes, min_size=1, max_size=3), st.data())
def test_a_cut_journal_says_nothing(found: list[Change], data: st.DataObject) -> None:
    content = encoded(Intent(ID, tuple(found)))
    cut = data.draw(st.integers(0, len(content) - 2))
    assert decoded(ID, content[:cut]) is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0" * 200,
        b"[]",
        b"{}",
        b'{"changes": [{}]}',
        b'{"changes": [{"name": "x", "stem": "x", "temp": "y", "before": "absent"}]}',
        b'{"changes": [{"name": "../etc/passwd", "stem": "x", "temp": "y", "before": "absent", "size": 1, "checksum": "0"}]}',
        b'{"changes": [{"name": 5, "stem": "x", "temp": "y", "before": "absent", "size": 1, "checksum": "0"}]}',
        b'{"changes": [{"name": "", "stem": "x", "temp": "y", "before": "absent", "size": 1, "checksum": "0"}]}',
    ],
)
def test_what_nobody_wrote_says_nothing(content: bytes) -> None:
    assert decoded(ID, content) is None


def test_a_name_is_recognised_and_no_other() -> None:
    assert parse_intent_name(intent_name(ID)) == ID
    for name in (".txn-0.json", f".txn-{ID}.json.tmp", f"txn-{ID}.json", f".txn-{ID[:-1]}X.json"):
        assert parse_intent_name(name) is None
