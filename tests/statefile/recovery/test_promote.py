"""What is promoted is on the disk first, and what fails on the way leaves everything as it was."""

import os
import sys
from pathlib import Path

import pytest

from holdfast.statefile.place import open_place
from holdfast.statefile.recovery.choose import Choice, Rank
from holdfast.statefile.recovery.promote import promote
from holdfast.statefile.system.ops import Folder, Ops
from holdfast.statefile.temp import checksum, temp_name

if sys.platform == "win32":
    pytest.skip("the files and links of POSIX", allow_module_level=True)

NEW = b'{"a":2}\n'


def temp(folder: Path) -> Choice:
    name = temp_name("state.json", len(NEW), checksum(NEW), "1" * 16)
    (folder / name).write_bytes(NEW)
    (folder / name).chmod(0o600)
    return Choice(name, Rank.TEMP)


def test_a_temp_takes_the_permissions_and_a_backup_keeps_its_own(tmp_path: Path) -> None:
    target = tmp_path / "state.json"
    for rank, mode in ((Rank.TEMP, 0o640), (Rank.BACKUP, 0o600)):
        target.write_text("{")
        target.chmod(0o640)
        with open_place(target, follow=True, ops=Ops()) as place:
            evidence = promote(place, temp(tmp_path)._replace(rank=rank), (), 0.0)

        assert target.read_bytes() == NEW
        assert target.stat().st_mode & 0o777 == mode
        assert evidence is not None
        assert (tmp_path / evidence).read_text() == "{"


def test_a_missing_file_leaves_no_evidence(tmp_path: Path) -> None:
    with open_place(tmp_path / "state.json", follow=True, ops=Ops()) as place:
        assert promote(place, temp(tmp_path), None, 0.0) is None

    assert os.listdir(tmp_path) == ["state.json"]


def test_a_copy_that_takes_no_place_is_removed_again(tmp_path: Path) -> None:
    class Failing(Ops):
        syncs = 0

        def sync_file(self, fd: int) -> bool:
            self.syncs += 1
            if self.syncs == 1:
                raise OSError(5, "Input/output error", fd)
            return True

        def replace(self, folder: Folder, source: str, target: str) -> None:
            raise OSError(16, "Device or resource busy", f"{folder}{source}{target}")

    choice = temp(tmp_path)
    (tmp_path / "state.json").write_text("{")
    with (
        open_place(tmp_path / "state.json", follow=True, ops=Failing()) as place,
        pytest.raises(OSError, match="busy"),
    ):
        promote(place, choice, (), 0.0)

    assert set(os.listdir(tmp_path)) == {"state.json", choice.name}
