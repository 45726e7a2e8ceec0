"""Temps of dead writers go; everything else stays."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from holdfast.statefile.durability import Durability
from holdfast.statefile.lock import locked, write_mark
from holdfast.statefile.place import open_place
from holdfast.statefile.system.ops import Ops
from holdfast.statefile.temp import temp_name
from holdfast.statefile.write import Result, write_atomic

if sys.platform == "win32":
    pytest.skip("the files, links and processes of POSIX", allow_module_level=True)


def orphan(folder: Path, stem: str, content: bytes = b"abc", claims: int | None = None) -> Path:
    """Leave what a killed writer leaves."""
    size = len(content) if claims is None else claims
    temp = folder / temp_name(stem, size, "a" * 32, os.urandom(8).hex())
    temp.write_bytes(content)
    return temp


def write(path: Path, ops: Ops) -> Result:
    return write_atomic(path, "new", durability=Durability.ATOMIC, ops=ops)


def test_orphans_of_the_same_target_go_and_are_counted(tmp_path: Path) -> None:
    temps = [orphan(tmp_path, "state.json"), orphan(tmp_path, "state.json", claims=99)]

    result = write(tmp_path / "state.json", Ops())

    assert result.swept == 2
    assert not any(temp.exists() for temp in temps)


def test_foreign_names_are_never_touched(tmp_path: Path) -> None:
    foreign = [
        "state.json.tmp",
        ".state.json.tmp",
        "state.json.part",
        ".state.json.5.tmp",
        "x.tmp",
    ]
    for name in foreign:
        (tmp_path / name).write_text("not ours")

    assert write(tmp_path / "state.json", Ops()).swept == 0
    assert all((tmp_path / name).exists() for name in foreign)


def test_a_folder_a_link_and_a_pipe_with_our_name_are_never_touched(tmp_path: Path) -> None:
    names = [temp_name("state.json", 3, "a" * 32, f"{number:016x}") for number in range(3)]
    (tmp_path / "precious").write_text("abc")
    (tmp_path / names[0]).symlink_to(tmp_path / "precious")
    (tmp_path / names[1]).mkdir()
    os.mkfifo(tmp_path / names[2])

    assert write(tmp_path / "state.json", Ops()).swept == 0
    assert {*names, "precious"} <= set(os.listdir(tmp_path))


def test_a_temp_whose_writer_lives_is_never_touched(tmp_path: Path) -> None:
    temp = orphan(tmp_path, "state.json")
    with open(temp, "rb") as living:
        assert Ops().lock(living.fileno())

        assert write(tmp_path / "state.json", Ops()).swept == 0
        assert temp.exists()


def test_a_writer_between_creating_and_claiming_its_temp_is_not_robbed(tmp_path: Path) -> None:
    unclaimed = orphan(tmp_path, "other.json", b"", claims=99)
    held = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys; from holdfast.statefile import locked\n"
            "with locked(sys.argv[1]): print(flush=True); sys.stdin.read()",
            str(tmp_path / "other.json"),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with held:
        assert held.stdout is not None
        held.stdout.readline()

        assert write(tmp_path / "state.json", Ops()).swept == 0
        assert unclaimed.exists()
        held.kill()


def test_of_other_targets_only_the_visibly_cut_go(tmp_path: Path) -> None:
    ops = Ops()
    cut = orphan(tmp_path, "other.json", b"ab", claims=3)
    whole = orphan(tmp_path, "other.json", b"abc")

    assert write(tmp_path / "state.json", ops).swept == 1
    assert (cut.exists(), whole.exists()) == (False, True)

    # Only when its own target is written is it worthless for certain.
    assert write(tmp_path / "other.json", ops).swept == 1
    assert not whole.exists()


def test_a_folder_is_searched_once_per_process(tmp_path: Path) -> None:
    searches = []

    class Counting(Ops):
        def listdir(self, folder: object) -> list[str]:
            searches.append(folder)
            return os.listdir(tmp_path)

    ops = Counting()
    for _ in range(3):
        write(tmp_path / "state.json", ops)
        write(tmp_path / "other.json", ops)

    assert len(searches) == 1


def test_a_sweep_that_fails_does_not_fail_the_write(tmp_path: Path) -> None:
    temp = orphan(tmp_path, "state.json")

    class Failing(Ops):
        def listdir(self, folder: object) -> list[str]:
            raise PermissionError(13, "Permission denied", folder)

    assert write(tmp_path / "state.json", Failing()).swept == 0
    assert temp.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs a file of somebody else")
def test_a_user_judges_only_own_temps(tmp_path: Path) -> None:
    temp = orphan(tmp_path, "state.json")
    os.chown(temp, 1234, 1234)

    class Ordinary(Ops):
        def uid(self) -> int:
            return 4321

    assert write(tmp_path / "state.json", Ordinary()).swept == 0
    assert write(tmp_path / "state.json", Ops()).swept == 1


def test_nothing_is_swept_while_only_a_lock_is_taken(tmp_path: Path) -> None:
    temp = orphan(tmp_path, "state.json")

    with locked(tmp_path / "state.json", ops=Ops()):
        pass

    assert temp.exists()


def test_the_temps_of_a_transaction_under_way_are_not_swept(tmp_path: Path) -> None:
    write(tmp_path / "b", Ops())
    temp = tmp_path / temp_name("b", 3, None, "0" * 16)
    temp.write_bytes(b"new")
    with open_place(tmp_path / "b", follow=True, ops=Ops()) as place:
        write_mark(place, "0" * 16)

    write(tmp_path / "c", Ops())

    assert temp.exists()
