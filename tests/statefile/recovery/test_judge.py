"""A file, a temp and a backup are judged by what they are, and not by how they look."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.statefile.content import Kind
from holdfast.statefile.lock import locked
from holdfast.statefile.place import Place, open_place
from holdfast.statefile.recovery.judge import (
    Backup,
    Scene,
    State,
    Status,
    is_busy,
    judge_backup,
    judge_stranger,
    judge_target,
    judge_temp,
    scene_of,
    weighed_stranger,
)
from holdfast.statefile.recovery.leftovers import Stranger
from holdfast.statefile.system.ops import Folder, Ops
from holdfast.statefile.temp import TempName, checksum, parse_temp_name, temp_name

if sys.platform == "win32":
    pytest.skip("the files, links and processes of POSIX", allow_module_level=True)

NOW = 1_767_225_600.0


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with open_place(tmp_path / "state.json", follow=True, ops=Ops()) as place:
        yield place


def scene(place: Place, *, busy: bool = False) -> Scene:
    return Scene(place, Kind.JSON, NOW, frozenset({os.geteuid()}), busy)


def temp(folder: Path, content: bytes) -> tuple[str, TempName]:
    name = temp_name("state.json", len(content), checksum(content), os.urandom(8).hex())
    (folder / name).write_bytes(content)
    os.utime(folder / name, (NOW - 5, NOW - 5))
    said = parse_temp_name(name)
    assert said is not None
    return name, said


def test_a_target_is_missing_valid_or_invalid(place: Place, tmp_path: Path) -> None:
    assert judge_target(scene(place)) == (State.MISSING, None)
    (tmp_path / "state.json").write_text("{}")
    assert judge_target(scene(place)) == (State.VALID, None)
    (tmp_path / "state.json").write_text("")
    assert judge_target(scene(place)) == (State.INVALID, "it is empty")


def test_a_pipe_or_a_folder_is_no_empty_file(place: Place, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "state.json")
    with pytest.raises(OSError, match="not a file"):
        judge_target(scene(place))
    (tmp_path / "state.json").unlink()
    (tmp_path / "state.json").mkdir()
    with pytest.raises(IsADirectoryError):
        judge_target(scene(place))


def test_what_tells_one_candidate_from_another_is_read(place: Place, tmp_path: Path) -> None:
    content = b'{"generation":7}'
    found = judge_temp(scene(place), *temp(tmp_path, content))

    assert found is not None
    assert (found.status, found.bytes, found.age_s) == (Status.COMPLETE, 16, 5.0)
    assert (found.checksum, found.generation) == (checksum(content), 7)


@pytest.mark.parametrize("content", [b'{"generation":true}', b'{"generation":"7"}', b"[7]", b"{}"])
def test_only_an_integer_is_a_generation(place: Place, tmp_path: Path, content: bytes) -> None:
    found = judge_temp(scene(place), *temp(tmp_path, content))

    assert found is not None
    assert found.generation is None


def test_what_has_gone_meanwhile_is_nothing(place: Place, tmp_path: Path) -> None:
    name, said = temp(tmp_path, b"{}")
    (tmp_path / name).unlink()

    assert judge_temp(scene(place), name, said) is None
    assert judge_backup(scene(place), "state.json.~1~") is None
    assert judge_stranger(scene(place), Stranger("state.json.tmp", None, sure=True)) is None


def test_a_temp_that_goes_between_two_looks_is_nothing(tmp_path: Path) -> None:
    name, said = temp(tmp_path, b"{}")

    class Late(Ops):
        def open(self, folder: Folder | None, name: str, flags: int, mode: int = 0o600) -> int:
            (tmp_path / name).unlink()
            return super().open(folder, name, flags, mode)

    with open_place(tmp_path / "state.json", follow=True, ops=Late()) as place:
        assert judge_temp(scene(place), name, said) is None


def test_the_announcement_of_a_transaction_is_never_complete(place: Place, tmp_path: Path) -> None:
    stem = f".txn-{'a' * 16}.json"
    name = temp_name(stem, 2, checksum(b"{}"), "1" * 16)
    (tmp_path / name).write_bytes(b"{}")
    said = parse_temp_name(name)
    assert said is not None

    found = judge_temp(scene(place), name, said)

    assert found is not None
    assert found.status is Status.PARTIAL


def test_a_lock_that_is_held_is_busy(place: Place, tmp_path: Path) -> None:
    assert not is_busy(place)
    with locked(tmp_path / "state.json"):
        assert is_busy(place)
        assert scene_of(place, NOW, locked_by_us=False).busy
        assert not scene_of(place, NOW, locked_by_us=True).busy
    assert not is_busy(place)


@pytest.mark.parametrize(
    ("content", "expected"),
    [(b"{}", Backup("b", valid=True)), (b"", Backup("b", valid=False, why="it is empty"))],
)
def test_a_backup_is_judged_by_its_content(
    place: Place, tmp_path: Path, content: bytes, expected: Backup
) -> None:
    (tmp_path / "b").write_bytes(content)

    assert judge_backup(scene(place), "b") == expected


def test_a_foreign_temp_is_weighed_only_when_dead_and_trusted(
    place: Place, tmp_path: Path
) -> None:
    for name, content in {"good": b"{}", "bad": b"{"}.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "link").symlink_to("good")

    weighed = {}
    for name in ("good", "bad", "link"):
        found = judge_stranger(scene(place), Stranger(name, None, sure=True))
        assert found is not None
        assert found.status is Status.FOREIGN
        weighed[name] = weighed_stranger(scene(place), found)

    assert weighed["good"].checksum == checksum(b"{}")
    assert (weighed["bad"].checksum, weighed["link"].checksum) == ("", "")
    assert "no JSON" in (weighed["bad"].why or "")
    assert weighed["link"].why == "it is a link"
