import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from holdfast import statefile
from holdfast.cli.checkups import state
from holdfast.cli.checkups.finding import Finding, Grade
from holdfast.cli.checkups.mount import Mount
from holdfast.home import Home

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no modes and owners")


def grade_of(findings: Iterable[Finding], check: str) -> Grade:
    (found,) = [finding for finding in findings if finding.check == check]
    assert found.grade is Grade.OK or found.advice
    return found.grade


def test_a_private_home_is_well(home: Home) -> None:
    assert grade_of(state.home(home), "home") is Grade.OK


def test_a_home_that_can_still_be_made_is_well(tmp_path: Path) -> None:
    assert grade_of(state.home(Home(tmp_path / "a" / "b")), "home") is Grade.OK


def test_a_file_in_place_of_the_home_is_a_failure(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("")

    assert grade_of(state.home(Home(tmp_path / "home")), "home") is Grade.FAIL


@posix_only
def test_a_home_open_to_others_is_a_warning(home: Home) -> None:
    home.root.chmod(0o750)

    assert grade_of(state.home(home), "home") is Grade.WARN


@pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() != 0, reason="only root can give a file away"
)
def test_a_home_of_somebody_else_is_a_failure(home: Home) -> None:
    if sys.platform != "win32":
        os.chown(home.root, 12_345, -1)

    assert grade_of(state.home(home), "home") is Grade.FAIL


@pytest.mark.parametrize(
    ("free", "grade"),
    [(85_000_000_000, Grade.OK), (499_000_000, Grade.WARN), (9_000_000, Grade.FAIL)],
)
def test_free_bytes_are_judged(free: int, grade: Grade) -> None:
    assert state.of_bytes(free).grade is grade


@pytest.mark.parametrize(
    ("free", "grade"), [(1_000_000, Grade.OK), (999, Grade.WARN), (0, Grade.FAIL)]
)
def test_free_inodes_are_judged(free: int, grade: Grade) -> None:
    assert state.of_inodes(free).grade is grade


@pytest.mark.parametrize(
    ("kind", "options", "grade"),
    [
        ("ext4", set(), Grade.OK),
        ("overlay", {"rw"}, Grade.OK),
        ("overlay", {"rw", "volatile"}, Grade.FAIL),
        ("tmpfs", set(), Grade.WARN),
        ("nfs4", set(), Grade.WARN),
        ("lustre", {"rw", "flock"}, Grade.WARN),
        ("ext4", {"rw", "nobarrier"}, Grade.WARN),
    ],
)
def test_file_systems_are_judged(kind: str, options: set[str], grade: Grade) -> None:
    found = Mount(point="/", kind=kind, options=frozenset(options))

    assert state.of_mount(found).grade is grade


def test_a_runtime_folder_with_a_short_path_is_well(home: Home) -> None:
    assert grade_of(state.runtime(home), "runtime folder") is Grade.OK


def test_a_socket_path_that_is_too_long_is_a_failure(home: Home) -> None:
    home.runtime_pointer.write_text("/" + "x" * 95)  # with /control.sock one byte too many

    assert grade_of(state.runtime(home), "runtime folder") is Grade.FAIL


def test_a_socket_path_that_just_fits_is_well(home: Home) -> None:
    home.runtime_pointer.write_text("/" + "x" * 93)

    assert grade_of(state.runtime(home), "runtime folder") is Grade.OK


@posix_only
def test_a_link_in_place_of_the_runtime_folder_is_a_failure(home: Home, tmp_path: Path) -> None:
    home.runtime_pointer.write_text("/tmp/hf-no-such-folder")
    assert grade_of(state.runtime(home), "runtime folder") is Grade.OK
    link = Path("/tmp") / f"hf-link-{os.getpid()}"
    link.symlink_to(tmp_path)
    try:
        home.runtime_pointer.write_text(str(link))
        assert grade_of(state.runtime(home), "runtime folder") is Grade.FAIL
    finally:
        link.unlink()


def test_no_supervisor_and_nothing_left_is_well(home: Home) -> None:
    assert grade_of(state.supervisor(home), "supervisor") is Grade.OK


def test_a_socket_that_was_left_behind_is_a_warning(home: Home, tmp_path: Path) -> None:
    home.runtime_pointer.write_text(str(tmp_path))
    (tmp_path / "control.sock").touch()

    assert grade_of(state.supervisor(home), "supervisor") is Grade.WARN


def test_a_supervisor_that_does_not_answer_is_a_failure(home: Home) -> None:
    with statefile.hold(home.supervisor_lock):
        assert grade_of(state.supervisor(home), "supervisor") is Grade.FAIL


def test_records_that_can_be_read_are_well(home: Home, record: Callable[..., None]) -> None:
    record("api")

    assert grade_of(state.service_records(home), "service records") is Grade.OK


def test_evidence_that_was_set_aside_is_a_warning(home: Home) -> None:
    (home.services / "api.json.corrupt-20260131T080000Z-00").touch()

    grades = [finding.grade for finding in state.service_records(home)]
    assert grades == [Grade.OK, Grade.WARN]


def test_the_newest_file_is_found(home: Home) -> None:
    home.log("api").touch()
    os.utime(home.log("api"), (2e9, 2e9))

    assert state.newest_file(home) == 2e9


def test_without_files_there_is_no_newest(tmp_path: Path) -> None:
    assert state.newest_file(Home(tmp_path / "nowhere")) == 0.0


def test_without_a_remembered_configuration_all_is_well(home: Home) -> None:
    assert grade_of(state.configuration(home), "configuration") is Grade.OK
