import asyncio
import os
import time
from pathlib import Path

from holdfast.machine.probes.file import NewFile, look
from holdfast.model.finding import WELL, failed

OLD = failed("the file is older than the start of the service")


def test_a_file_that_exists_is_well(tmp_path: Path) -> None:
    (tmp_path / "up").touch()
    assert asyncio.run(look(str(tmp_path / "up"))) == WELL
    assert asyncio.run(look(str(tmp_path / "down"))) == failed("no such file or directory")


def test_a_file_of_an_earlier_run_is_not_new(tmp_path: Path) -> None:
    path = tmp_path / "ready"
    path.touch()
    watched = NewFile(str(path), started_at=time.time() + 3600)
    assert asyncio.run(watched.look()) == OLD


def test_a_file_made_after_the_start_is_new(tmp_path: Path) -> None:
    path = tmp_path / "ready"
    watched = NewFile(str(path), started_at=time.time())
    assert asyncio.run(watched.look()) == failed("no such file or directory")
    path.touch()
    assert asyncio.run(watched.look()) == WELL


def test_a_file_written_anew_is_new_even_if_the_clock_was_set_back(tmp_path: Path) -> None:
    path = tmp_path / "ready"
    path.write_text("1")
    watched = NewFile(str(path), started_at=time.time() + 3600)
    fresh = tmp_path / "fresh"
    fresh.write_text("2")
    fresh.replace(path)
    assert asyncio.run(watched.look()) == WELL


def test_a_program_may_make_its_file_before_anybody_looks(tmp_path: Path) -> None:
    started_at = time.time()
    path = tmp_path / "ready"
    path.touch()
    os.utime(path, (1, 1))  # a copy that keeps the times of its original
    assert asyncio.run(NewFile(str(path), started_at).look()) == WELL
