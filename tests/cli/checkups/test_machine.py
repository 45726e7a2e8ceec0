import shutil
import sys
from collections.abc import Iterable

import pytest

from holdfast.cli.checkups import machine
from holdfast.cli.checkups.finding import Finding, Grade

NOW = 1_800_000_000.0


def grades(findings: Iterable[Finding]) -> list[Grade]:
    return [finding.grade for finding in findings]


@pytest.mark.parametrize(
    ("version", "grade"),
    [((3, 10), Grade.FAIL), ((3, 11), Grade.OK), ((3, 13), Grade.OK), ((4, 0), Grade.OK)],
)
def test_python_is_new_enough(version: tuple[int, int], grade: Grade) -> None:
    assert grades(machine.python(version)) == [grade]


@pytest.mark.parametrize(
    ("name", "grade"), [("linux", Grade.OK), ("darwin", Grade.WARN), ("win32", Grade.WARN)]
)
def test_platforms_that_were_never_tried_are_told(name: str, grade: Grade) -> None:
    assert grades(machine.system(name)) == [grade]


@pytest.mark.skipif(sys.platform != "linux", reason="asks the Linux kernel")
def test_the_kernel_is_asked() -> None:
    found = {finding.check: finding.grade for finding in machine.features()}

    assert found["pidfd"] is Grade.OK
    assert found["splice"] is Grade.OK
    assert set(found) == {"pidfd", "pidfd inode", "exit of strangers", "splice", "subreaper"}


@pytest.mark.parametrize(
    ("hard", "services", "grade"),
    [
        (sys.maxsize, 10_000, Grade.OK),
        (machine.FEW_FILES, 10, Grade.OK),
        (machine.FEW_FILES - 1, 10, Grade.WARN),
        (350, 10, Grade.WARN),
        (349, 10, Grade.FAIL),
        (4096, 2000, Grade.FAIL),
    ],
)
def test_open_files_suffice_for_the_services(hard: int, services: int, grade: Grade) -> None:
    assert grades(machine.of_limit(hard, services)) == [grade]


def test_the_limit_of_this_process_is_judged() -> None:
    assert len(grades(machine.open_files(0))) == (0 if sys.platform == "win32" else 1)


@pytest.mark.parametrize(
    ("now", "newest", "grade"),
    [
        (NOW, 0.0, Grade.OK),
        (NOW, NOW + 59, Grade.OK),
        (NOW, NOW + 3600, Grade.WARN),
        (1000.0, 0.0, Grade.FAIL),
    ],
)
def test_the_clock_fits_the_files(now: float, newest: float, grade: Grade) -> None:
    assert grades(machine.clock(now, newest)) == [grade]


def test_restic_is_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _program: None)
    assert grades(machine.restic()) == [Grade.WARN]
    monkeypatch.setattr(shutil, "which", lambda program: f"/usr/bin/{program}")
    assert grades(machine.restic()) == [Grade.OK]
