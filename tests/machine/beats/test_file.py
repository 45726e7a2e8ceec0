"""A heartbeat file counts however it is written, and nothing that stands in its place does harm."""

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast import statefile
from holdfast.errors import LockTimeout
from holdfast.home import Home
from holdfast.machine.beats.file import FIXED, LARGEST, Found, HeartbeatFiles, _beat
from holdfast.model.beat import Beat, Refusal
from holdfast.model.service import Now

NOW = Now(wall=1_000_100.0, mono=500.0, boot_id="boot")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.make()
    return home


@pytest.fixture
def files(home: Home, tmp_path: Path) -> HeartbeatFiles:
    (tmp_path / "run" / "api").mkdir(parents=True)
    files = HeartbeatFiles(home, tmp_path / "run")
    files.begin("api")
    return files


def put(path: Path, content: Mapping[str, object] | str) -> None:
    """Write a file as a shell script does: beside its place, then moved there."""
    beside = path.with_suffix(".new")
    beside.write_text(content if isinstance(content, str) else json.dumps(content))
    beside.rename(path)


def beat_in(found: list[Found]) -> Beat:
    assert len(found) == 1
    assert isinstance(found[0].said, Beat), found
    return found[0].said


def test_every_field_of_a_heartbeat_is_read_and_the_others_are_kept(
    files: HeartbeatFiles, home: Home
) -> None:
    put(
        home.heartbeat("api"),
        {
            "timestamp": 1_000_090.0,
            "pid": 7,
            "status": "error",
            "interval": 10,
            "expires_at": 1_000_115,
            "generation": 3,
            "boot_id": "boot",
            "error": "disk full",
            "progress": 12,
            "project": "notes",
        },
    )

    assert beat_in(files.look("api", NOW)) == Beat(
        wall=1_000_090.0,
        mono=490.0,
        pid=7,
        generation=3,
        boot_id="boot",
        status="error",
        error="disk full",
        progress=12.0,
        interval=10.0,
        lease=25.0,
        extra={"project": "notes"},
    )


def test_a_moment_alone_is_a_beat(files: HeartbeatFiles, home: Home) -> None:
    put(home.heartbeat("api"), '{"timestamp": 1000090}\n')

    assert beat_in(files.look("api", NOW)) == Beat(wall=1_000_090.0, mono=490.0)


def test_what_did_not_change_is_not_told_again(files: HeartbeatFiles, home: Home) -> None:
    assert files.look("api", NOW) == []
    put(home.heartbeat("api"), {"timestamp": 1})
    assert len(files.look("api", NOW)) == 1
    assert files.look("api", NOW) == []

    put(home.heartbeat("api"), {"timestamp": 2})
    assert beat_in(files.look("api", NOW)).wall == 2


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("", Refusal.FORM),
        ("{", Refusal.FORM),
        ("[1]", Refusal.FORM),
        ("{}", Refusal.FORM),
        ('{"timestamp": "now"}', Refusal.FORM),
        ('{"timestamp": true}', Refusal.FORM),
        ('{"timestamp": NaN}', Refusal.FORM),
        ('{"timestamp": 1e999}', Refusal.FORM),
        ("[" * 60_000, Refusal.FORM),
        ('"' + "x" * LARGEST + '"', Refusal.SIZE),
    ],
)
def test_what_is_no_beat_is_refused(
    files: HeartbeatFiles, home: Home, content: str, fault: Refusal
) -> None:
    put(home.heartbeat("api"), content)

    assert [one.said for one in files.look("api", NOW)] == [fault]


def test_links_pipes_and_folders_are_neither_followed_nor_waited_for(
    files: HeartbeatFiles, home: Home, tmp_path: Path
) -> None:
    if sys.platform == "win32":
        pytest.skip("there are no such files on Windows")
    path = home.heartbeat("api")
    put(tmp_path / "elsewhere.json", {"timestamp": 1})
    path.symlink_to(tmp_path / "elsewhere.json")
    assert [one.said for one in files.look("api", NOW)] == [Refusal.FORM]

    path.unlink()
    os.mkfifo(path)
    assert [one.said for one in files.look("api", NOW)] == [Refusal.FORM]

    path.unlink()
    path.mkdir()
    assert [one.said for one in files.look("api", NOW)] == [Refusal.FORM]


def test_a_file_of_another_owner_than_its_folder_is_refused(
    files: HeartbeatFiles, home: Home
) -> None:
    if sys.platform == "win32" or os.geteuid() != 0:
        pytest.skip("only root can give files away")
    put(home.heartbeat("api"), {"timestamp": 1})
    os.chown(home.heartbeat("api"), 1234, -1)

    assert [one.said for one in files.look("api", NOW)] == [Refusal.FORM]


def test_a_beat_is_shown_with_its_extra_fields_and_not_heard_again(
    files: HeartbeatFiles, home: Home
) -> None:
    beat = Beat(wall=1_000_100.0, mono=500.0, pid=7, generation=3, boot_id="boot", progress=4.0)
    files.write("api", beat, 1_000_190.0, {"project": "notes", "pid": "hijacked"})

    assert json.loads(home.heartbeat("api").read_text()) == {
        "timestamp": 1_000_100.0,
        "pid": 7,
        "status": "healthy",
        "interval": None,
        "expires_at": 1_000_190.0,
        "generation": 3,
        "boot_id": "boot",
        "error": None,
        "progress": 4.0,
        "project": "notes",
    }
    assert files.look("api", NOW) == []


def test_the_next_supervisor_hears_what_the_last_one_showed(
    files: HeartbeatFiles, home: Home, tmp_path: Path
) -> None:
    beat = Beat(wall=1_000_100.0, mono=500.0, status="error", error="no route", generation=3)
    files.write("api", beat, None, {})
    successor = HeartbeatFiles(home, tmp_path / "run")
    successor.begin("api")

    assert beat_in(successor.look("api", NOW)) == beat


def test_showing_a_beat_never_waits_for_another_writer(files: HeartbeatFiles, home: Home) -> None:
    beat = Beat(wall=1.0, mono=1.0)
    with statefile.locked(home.heartbeat("api")), pytest.raises(LockTimeout):
        _from_another_thread(lambda: files.write("api", beat, None, {}))


def _from_another_thread(act: Any) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as pool:
        pool.submit(act).result(timeout=30)


def test_a_service_of_another_user_writes_in_a_folder_of_its_own(
    files: HeartbeatFiles, tmp_path: Path
) -> None:
    if sys.platform == "win32" or os.geteuid() != 0:
        pytest.skip("only root starts services of other users")
    import pwd

    nobody = pwd.getpwnam("nobody").pw_uid
    folder = tmp_path / "run" / "api" / "heartbeat"
    files.prepare("api", nobody)
    files.begin("api")
    assert (folder.stat().st_uid, folder.stat().st_mode & 0o777) == (nobody, 0o700)
    put(folder / "api.json", {"timestamp": 5})
    assert files.look("api", NOW)[0].said is Refusal.FORM  # root wrote it, not the service

    put(folder / "api.json", {"timestamp": 6})
    os.chown(folder / "api.json", nobody, -1)
    (found,) = files.look("api", NOW)
    assert isinstance(found.said, Beat)
    assert not found.is_shown

    files.forget("api")
    assert not folder.exists()


def test_a_service_of_this_user_needs_no_folder(files: HeartbeatFiles, tmp_path: Path) -> None:
    if sys.platform == "win32":
        pytest.skip("there are no users to switch to on Windows")
    files.prepare("api", os.geteuid())

    assert list((tmp_path / "run" / "api").iterdir()) == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=3,
)


@given(
    st.dictionaries(
        st.sampled_from([*sorted(FIXED), "project"]),
        JSON,
    )
)
def test_no_content_raises(content: dict[str, object]) -> None:
    assert isinstance(_beat(content, NOW), Beat | Refusal)
