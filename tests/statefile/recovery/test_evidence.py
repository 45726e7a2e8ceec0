"""Evidence keeps the corrupt content, and there is no moment without a target."""

import errno
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.statefile.place import Place, open_place
from holdfast.statefile.recovery.evidence import Evidence, evidence_name
from holdfast.statefile.system.ops import Folder, Ops

if sys.platform == "win32":
    pytest.skip("the files and links of POSIX", allow_module_level=True)


class Linkless(Ops):
    def link(self, folder: Folder, source: str, target: str) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM), f"{folder}{source}{target}")


@pytest.fixture(params=[Ops, Linkless])
def place(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Place]:
    (tmp_path / "state.json").write_text("corrupt")
    with open_place(tmp_path / "state.json", follow=True, ops=request.param()) as place:
        yield place


def test_no_two_pieces_of_evidence_have_one_name() -> None:
    names = {evidence_name("state.json", 1_767_225_600.125) for _ in range(50)}

    assert len(names) == 50
    assert all(name.startswith("state.json.corrupt-20260101T000000.125Z-") for name in names)


def test_the_content_is_kept(place: Place, tmp_path: Path) -> None:
    evidence = Evidence(place, (), 0.0)

    assert (tmp_path / evidence.name).read_text() == "corrupt"


def test_what_is_taken_back_leaves_no_trace(place: Place, tmp_path: Path) -> None:
    Evidence(place, (), 0.0).take_back()

    assert os.listdir(tmp_path) == ["state.json"]
    assert (tmp_path / "state.json").read_text() == "corrupt"


def test_where_there_are_links_the_target_never_goes(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text("corrupt")
    with open_place(tmp_path / "state.json", follow=True, ops=Ops()) as place:
        first = Evidence(place, (), 0.0)
        again = Evidence(place, ("state.json.corrupt-gone", first.name), 0.0)

    assert (tmp_path / "state.json").samefile(tmp_path / first.name)
    assert again.name == first.name
    assert len(os.listdir(tmp_path)) == 2
