"""The package is cheap to import and complete."""

import subprocess
import sys

import pytest

import holdfast.statefile


def modules_after(statement: str) -> set[str]:
    run = subprocess.run(
        [sys.executable, "-c", f"{statement}; import sys; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(run.stdout.split())


HEAVY = {"asyncio", "hashlib", "json", "logging", "pathlib", "socket", "subprocess", "tempfile"}


def test_importing_it_loads_nothing_heavy() -> None:
    assert not modules_after("import holdfast.statefile") & HEAVY


def test_the_lock_and_the_log_need_nothing_heavy() -> None:
    assert not modules_after("from holdfast.statefile import append_line, hold, holder") & HEAVY


@pytest.mark.parametrize("name", holdfast.statefile.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(holdfast.statefile, name).__name__ == name


def test_other_names_are_not() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        holdfast.statefile.nonsense  # noqa: B018 - looking it up is the act
