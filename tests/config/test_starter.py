"""The file that `holdfast init` writes."""

import re
import stat
import sys
from pathlib import Path

import pytest

from holdfast.config.load import load
from holdfast.config.schema import Document
from holdfast.config.starter import STARTER, write_starter
from holdfast.errors import Refused


def test_the_starter_loads_and_has_one_service(tmp_path: Path) -> None:
    path = tmp_path / "holdfast.toml"

    write_starter(path)

    settings = load(path, {})
    assert [spec.name for spec in settings.services] == ["hello"]
    assert settings.notes == ()
    if sys.platform != "win32":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_starter_with_every_setting_taken_in_loads_too(tmp_path: Path) -> None:
    path = tmp_path / "holdfast.toml"
    path.write_text(re.sub(r"^#(?! )", "", STARTER, flags=re.MULTILINE))

    settings = load(path, {"HOME": "/home/ann"})

    assert settings.jobs
    assert settings.backups
    assert settings.services[0].heartbeat


def test_the_starter_shows_every_section() -> None:
    for section in Document.__struct_fields__:
        assert re.search(rf"^#?(\[{section}[\].]|{section} =)", STARTER, re.MULTILINE), section


def test_every_section_of_the_starter_is_explained_in_one_line() -> None:
    lines = STARTER.splitlines()
    for number, line in enumerate(lines):
        if re.match(r"#?\[", line):
            assert lines[number - 1].startswith("# "), line


def test_a_file_that_is_there_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "holdfast.toml"
    path.write_text("mine")

    with pytest.raises(Refused, match="exists already; nothing was written"):
        write_starter(path)

    assert path.read_text() == "mine"


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="could not be written: No such file or directory"):
        write_starter(tmp_path / "nowhere" / "holdfast.toml")
