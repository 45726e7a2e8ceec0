"""JSON on disk is exactly one document, or it is refused."""

import json
import math
import os
import re
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.errors import Conflict, Corrupt, InvalidContent, StateIOError
from holdfast.statefile.documents import quarantine, read_json, write_json
from holdfast.statefile.durability import Durability
from holdfast.statefile.system.ops import Folder, Ops

if sys.platform == "win32":
    pytest.skip("the files, links and processes of POSIX", allow_module_level=True)


class FixedClock:
    def wall(self) -> float:
        return 1_767_225_600.125

    def monotonic(self) -> float:
        return 0.0


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "state.json"


def test_a_document_is_compact_utf8_with_one_newline(target: Path) -> None:
    result = write_json(target, {"naïve": [1, None, True], "b": 1.5}, mode=0o600)

    assert target.read_bytes() == '{"naïve":[1,null,true],"b":1.5}\n'.encode()
    assert target.stat().st_mode & 0o777 == 0o600
    assert result.achieved is Durability.FULL


documents = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner)
    ),
)


@settings(max_examples=50)
@given(document=documents)
def test_what_is_written_is_read_again(
    tmp_path_factory: pytest.TempPathFactory, document: object
) -> None:
    target = tmp_path_factory.getbasetemp() / f"property-{os.getpid()}.json"

    write_json(target, document, durability=Durability.ATOMIC)

    assert read_json(target) == document


def test_options_reach_the_write(target: Path) -> None:
    write_json(target, 1)

    with pytest.raises(Conflict):
        write_json(target, 2, expect="0" * 64)
    with pytest.raises(Conflict):
        write_json(target, 2, create_only=True)

    assert read_json(target) == 1


def circle() -> list[object]:
    endless: list[object] = []
    endless.append(endless)
    return endless


@pytest.mark.parametrize(
    "value", [math.nan, math.inf, {1, 2}, b"bytes", circle(), "\ud800", {("a",): 1}], ids=repr
)
def test_a_value_without_a_json_form_leaves_the_old_document(target: Path, value: object) -> None:
    write_json(target, "old")

    with pytest.raises(InvalidContent, match="nothing was written"):
        write_json(target, value)

    assert read_json(target) == "old"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b" \n",
        b"\0" * 64,
        b'{"a":1}\0\0',
        b"{}{}",
        b'{"a":',
        b'{"a": NaN}',
        b"[Infinity]",
        b"\xff\xfe{\0}\0",
        b'"\xff"',
        b"\xef\xbb\xbf",
        b"[" * 200_000,
        b"1" * 5000,
    ],
    ids=lambda content: repr(content[:12]),
)
def test_what_is_not_one_document_is_corrupt_and_left_alone(target: Path, content: bytes) -> None:
    target.write_bytes(content)

    with pytest.raises(Corrupt) as caught:
        read_json(target)

    assert caught.value.path == str(target)
    assert target.read_bytes() == content


def test_what_a_power_cut_leaves_is_called_so(target: Path) -> None:
    target.write_bytes(b"\0" * 64)

    with pytest.raises(Corrupt, match="power cut"):
        read_json(target)


def test_a_mark_left_by_an_editor_is_no_corruption(target: Path) -> None:
    target.write_bytes(b'\xef\xbb\xbf{"a":1}\r\n')

    assert read_json(target) == {"a": 1}


def test_a_missing_file_is_missing_not_corrupt(target: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_json(target)


def test_a_file_that_may_not_be_read_is_not_corrupt(target: Path) -> None:
    class Denied(Ops):
        def open(self, folder: Folder | None, name: str, flags: int, mode: int = 0o600) -> int:
            raise PermissionError(13, "Permission denied", (folder, name, flags, mode))

    target.write_text("{}")

    with pytest.raises(StateIOError) as caught:
        read_json(target, ops=Denied())

    assert caught.value.errno_name == "EACCES"


def test_a_pipe_is_refused_and_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    with pytest.raises(StateIOError) as pipe:
        read_json(tmp_path / "pipe")
    with pytest.raises(StateIOError) as folder:
        read_json(tmp_path)

    assert (pipe.value.errno_name, folder.value.errno_name) == ("EINVAL", "EISDIR")


def test_a_link_is_read_through(tmp_path: Path, target: Path) -> None:
    write_json(target, [1])
    (tmp_path / "link").symlink_to(target)

    assert read_json(tmp_path / "link") == [1]


def test_quarantine_keeps_every_piece_of_evidence(target: Path) -> None:
    kept = []
    for content in ("first", "second"):
        target.write_text(content)
        kept.append(quarantine(target, clock=FixedClock()))

    assert not target.exists()
    assert [one.read_text() for one in kept] == ["first", "second"]
    for one in kept:
        assert one.parent == target.parent
        assert re.fullmatch(r"state\.json\.corrupt-20260101T000000\.125Z-[0-9a-f]{16}", one.name)


def test_quarantine_of_a_link_moves_what_it_points_to(tmp_path: Path) -> None:
    real = tmp_path / "real" / "state.json"
    real.parent.mkdir()
    real.write_text("bad")
    (tmp_path / "link").symlink_to(real)

    kept = quarantine(tmp_path / "link", clock=FixedClock())

    assert kept.parent == real.parent
    assert kept.read_text() == "bad"
    assert (tmp_path / "link").is_symlink()


def test_quarantine_of_nothing_is_file_not_found(target: Path) -> None:
    with pytest.raises(FileNotFoundError):
        quarantine(target)


def test_json_written_elsewhere_is_read(target: Path) -> None:
    target.write_text(json.dumps({"a": [1, 2.5, "x"]}, indent=2))

    assert read_json(target) == {"a": [1, 2.5, "x"]}
