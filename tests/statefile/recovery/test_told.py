"""Of a folder it is told what was mended and what was not."""

import pytest

from holdfast.errors import CommittedNotDurable, Corrupt, LockTimeout, StateError, StateIOError
from holdfast.statefile.recovery.told import Recovery, together
from holdfast.statefile.recovery.verdict import Outcome

LOCKED = LockTimeout("d/a is locked", path="d/a")
UNSURE = CommittedNotDurable("d/b is new", path="d/b")
CORRUPT = Corrupt("d/c is bad", path="d/c")
REFUSED = StateIOError("d/d is full", path="d/d", errno_name="ENOSPC")


def folder(*parts: Recovery, dry_run: bool = False) -> Recovery:
    return Recovery("d", Outcome.FOLDER, dry_run=dry_run, parts=parts)


@pytest.mark.parametrize(
    ("failures", "gravest"),
    [
        ((LOCKED,), LOCKED),
        ((UNSURE, LOCKED), UNSURE),
        ((CORRUPT, UNSURE), CORRUPT),
        ((CORRUPT, REFUSED, LOCKED), REFUSED),
    ],
)
def test_the_gravest_failure_gives_the_kind(
    failures: tuple[StateError, ...], gravest: StateError
) -> None:
    error = together(folder(), failures)

    assert isinstance(error, type(gravest))
    assert (error.exit_code, error.path, error.failures) == (gravest.exit_code, "d", failures)
    assert all(str(one) in str(error) for one in failures)


def test_what_was_mended_is_named_and_what_was_whole_is_not() -> None:
    parts = (
        Recovery("d/x", Outcome.INTACT),
        Recovery("d/y", Outcome.RESTORED, source="y.~1~"),
        Recovery("d/z", Outcome.INTACT, removed=(".z.tmp",)),
    )

    assert "\nmended or cleaned up: y, z;" in str(together(folder(*parts), (CORRUPT,)))
    assert "could be mended or cleaned up: y" in str(
        together(folder(*parts, dry_run=True), (CORRUPT,))
    )
    assert "nothing else was changed" in str(together(folder(parts[0]), (CORRUPT,)))
