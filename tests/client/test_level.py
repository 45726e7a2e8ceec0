"""Levels are ordered, and found by name in either case."""

import pytest

from holdfast.client.level import Level, level_named
from holdfast.errors import UsageError


def test_the_levels_are_ordered_from_debug_to_critical() -> None:
    assert [level.name for level in sorted(Level)] == [
        "DEBUG",
        "INFO",
        "WARNING",
        "ERROR",
        "CRITICAL",
    ]


@pytest.mark.parametrize("name", ["warning", "WARNING", "Warning"])
def test_a_level_is_found_in_either_case(name: str) -> None:
    assert level_named(name) is Level.WARNING


@pytest.mark.parametrize("name", ["", "warn", "30"])
def test_an_unknown_level_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="is no level"):
        level_named(name)
