"""A change is reason for a backup once it was quiet, however long changes go on."""

from holdfast.machine.backup.schedule import MOST_TIMES, RETRY_AFTER, Changes

QUIET = {"notes": 60.0, "photos": 60.0}


def test_a_change_counts_once_it_was_quiet_for_as_long_as_wished() -> None:
    changes = Changes()
    changes.note("notes", 100.0)
    changes.note("notes", 130.0)
    assert changes.due(QUIET, 189.9) == []
    assert changes.due(QUIET, 190.0) == ["notes"]


def test_changes_without_end_put_it_off_ten_times_at_most() -> None:
    changes = Changes()
    for second in range(0, 1000, 10):
        changes.note("notes", float(second))
        if changes.due(QUIET, float(second)):
            assert second == 60 * MOST_TIMES
            return
    raise AssertionError("it was put off for ever")


def test_what_changes_after_the_order_is_reason_for_another() -> None:
    changes = Changes()
    changes.note("notes", 0.0)
    assert changes.due(QUIET, 60.0) == ["notes"]
    changes.ordered("notes")
    assert changes.due(QUIET, 1000.0) == []
    changes.note("notes", 1000.0)
    assert changes.due(QUIET, 1060.0) == ["notes"]


def test_an_order_nobody_took_is_repeated_a_little_later() -> None:
    changes = Changes()
    changes.note("notes", 0.0)
    changes.put_off("notes", 60.0)
    assert changes.due(QUIET, 60.0 + RETRY_AFTER - 0.1) == []
    assert changes.due(QUIET, 60.0 + RETRY_AFTER) == ["notes"]


def test_the_longest_unrest_comes_first_and_nobody_else_counts() -> None:
    changes = Changes()
    for name, at in (("photos", 2.0), ("notes", 1.0), ("other", 0.0)):
        changes.note(name, at)
    assert changes.due(QUIET, 100.0) == ["notes", "photos"]
