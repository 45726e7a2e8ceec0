"""The table of kinds of events: every one has a name of its shape and a meaning a person understands."""

import re

import pytest

from holdfast.model.kinds import KINDS


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_is_a_noun_and_what_happened_to_it(kind: str) -> None:
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*\.[a-z]+(_[a-z]+)*", kind)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_says_in_a_sentence_what_it_means(kind: str) -> None:
    assert re.fullmatch(r"[A-Z].+\.", KINDS[kind])


def test_the_table_is_in_order_and_no_meaning_stands_twice() -> None:
    assert list(KINDS) == sorted(KINDS)
    assert len(set(KINDS.values())) == len(KINDS)
