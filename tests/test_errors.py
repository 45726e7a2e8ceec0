"""The tree of errors: drawn as it is, each with its exit code and its facts."""

import inspect
import re

import pytest

from holdfast import errors
from holdfast.errors import (
    CommittedNotDurable,
    ConfigError,
    Conflict,
    Corrupt,
    HoldfastError,
    InvalidContent,
    LockHeld,
    LockTimeout,
    NotRunning,
    Problem,
    Refused,
    StartFailed,
    StateError,
    StateIOError,
    UnknownName,
    UsageError,
)
from holdfast.machine.backup import engine

KINDS = [
    kind
    for module in (errors, engine)
    for _, kind in inspect.getmembers(module, inspect.isclass)
    if issubclass(kind, HoldfastError) and kind.__module__ == module.__name__
]
DRAWN = re.compile(r"^[│ ]*(?:[├└]── )?(\w+) +(\d)? ", re.MULTILINE)


def test_the_drawing_in_the_docstring_names_every_error_with_its_exit_code() -> None:
    drawn = dict(DRAWN.findall(inspect.getdoc(errors) or ""))
    assert drawn.keys() - {"Every"} == {kind.__name__ for kind in KINDS}
    told = {name: int(code) for name, code in drawn.items() if code}
    assert told == {kind.__name__: kind.exit_code for kind in KINDS if kind.__name__ in told}


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (HoldfastError, 1),
        (StartFailed, 1),
        (UsageError, 2),
        (UnknownName, 2),
        (ConfigError, 2),
        (NotRunning, 3),
        (Refused, 4),
        (LockHeld, 4),
        (InvalidContent, 4),
        (Conflict, 4),
        (LockTimeout, 4),
        (CommittedNotDurable, 5),
        (Corrupt, 6),
        (StateIOError, 7),
    ],
)
def test_scripts_may_rely_on_the_exit_codes(kind: type[HoldfastError], code: int) -> None:
    assert kind.exit_code == code


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_says_in_its_docstring_what_it_means(kind: type[HoldfastError]) -> None:
    assert inspect.getdoc(kind)
    assert issubclass(kind, HoldfastError)


def test_a_configuration_error_tells_every_problem_with_its_place_and_advice() -> None:
    error = ConfigError(
        (
            Problem(place="a.toml:3", what="unknown key `x`", hint="did you mean `y`?"),
            Problem(place="a.toml:9", what="not a duration"),
        )
    )
    assert str(error) == "a.toml:3: unknown key `x`; did you mean `y`?\na.toml:9: not a duration"
    assert len(error.problems) == 2


def test_facts_are_attributes() -> None:
    assert LockHeld("held", holder=42).holder == 42
    assert LockHeld("held").holder is None
    assert StartFailed("no", permanent=True).permanent
    assert StateError("no", path="/a").path == "/a"
    failed = StateIOError("no", path="/a", errno_name="ENOSPC")
    assert (failed.errno_name, failed.path, str(failed)) == ("ENOSPC", "/a", "no")
