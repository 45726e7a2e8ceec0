"""Where things stand, and that nobody else gets at them."""

import os
import stat
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.errors import Refused
from holdfast.home import NAME, RESERVED_NAMES, Home, default_home, make_runtime

posix = pytest.mark.skipif(sys.platform == "win32", reason="modes and owners are POSIX")


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("HOLDFAST_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


def test_the_environment_may_name_the_home(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOLDFAST_HOME", "~/there")
    assert default_home() == tmp_path / "there"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOLDFAST_HOME", "here")
    assert default_home() == tmp_path / "here"


@pytest.mark.parametrize(
    ("platform", "env", "expected"),
    [
        ("linux", {}, ".local/state/holdfast"),
        ("linux", {"XDG_STATE_HOME": ""}, ".local/state/holdfast"),
        ("linux", {"XDG_STATE_HOME": "~/xdg"}, "xdg/holdfast"),
        ("linux", {"HOLDFAST_HOME": ""}, ".local/state/holdfast"),
        ("darwin", {}, "Library/Application Support/holdfast"),
        ("win32", {}, "AppData/Local/holdfast"),
        ("win32", {"LOCALAPPDATA": "~/local"}, "local/holdfast"),
    ],
)
def test_else_the_platform_prescribes_it(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    platform: str,
    env: dict[str, str],
    expected: str,
) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    assert default_home() == tmp_path / expected


def test_a_home_is_its_folder_and_nothing_else(tmp_path: Path) -> None:
    assert Home(tmp_path) == Home(tmp_path) != Home(tmp_path / "other")
    assert len({Home(tmp_path), Home(tmp_path)}) == 1


def test_every_path_stands_below_the_root(tmp_path: Path) -> None:
    home = Home(tmp_path)
    paths = {
        home.supervisor_lock: "supervisor.lock",
        home.config_pointer: "config.json",
        home.runtime_pointer: "runtime",
        home.service("api"): "services/api.json",
        home.pid("api"): "pids/api.pid",
        home.log("api"): "logs/api.log",
        home.heartbeat("api"): "heartbeats/api.json",
        home.journal: "journal",
    }
    assert {path: str(path.relative_to(tmp_path)) for path in paths} == paths


@posix
def test_a_home_is_made_private_and_may_be_made_again(tmp_path: Path) -> None:
    home = Home(tmp_path / "deep" / "home")
    home.make()
    (home.services / "kept.json").write_text("{}")
    home.root.chmod(0o755)
    home.make()
    folders = [home.root, home.services, home.pids, home.heartbeats, home.journal, home.logs]
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in folders} == {0o700}
    assert (home.services / "kept.json").exists()


def test_two_homes_never_share_a_runtime_folder(tmp_path: Path) -> None:
    one, other = Home(tmp_path / "a"), Home(tmp_path / "b")
    assert one.new_runtime() == Home(tmp_path / "a").new_runtime() != other.new_runtime()


def test_the_session_gives_the_runtime_folder_where_it_can(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with tempfile.TemporaryDirectory(prefix="hf-", dir="/tmp") as session:
        Path(session).chmod(0o711)
        monkeypatch.setenv("XDG_RUNTIME_DIR", session)
        assert Home(tmp_path / "home").new_runtime().parent == Path(session)
        Path(session).chmod(0o700)
        if sys.platform != "win32" and os.geteuid() == 0:  # services of root may run as others
            assert Home(tmp_path / "home").new_runtime().parent != Path(session)
    elsewhere = (Path("/run"), Path(tempfile.gettempdir()))
    assert Home(tmp_path / "home").new_runtime().parent in elsewhere


def test_a_session_folder_too_long_for_a_socket_is_passed_over(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    deep = tmp_path / ("d" * 100)
    deep.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(deep))
    assert Home(tmp_path / "home").new_runtime().parent != deep


def test_a_remembered_folder_whose_session_is_gone_is_forgotten(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.runtime_pointer.write_text(f"{tmp_path}/gone/holdfast-x\n", encoding="utf-8")
    assert home.runtime() == home.new_runtime()


def test_the_socket_path_fits_into_an_address_however_deep_the_home(tmp_path: Path) -> None:
    home = Home(tmp_path / ("deep/" * 40))
    socket = home.new_runtime() / "control.sock"
    assert len(os.fsencode(socket)) <= 107


def test_the_remembered_runtime_folder_holds_whatever_the_environment_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    home = Home(tmp_path)
    home.runtime_pointer.write_text("/run/there\n", encoding="utf-8")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert home.runtime() == Path("/run/there")
    assert home.control_socket == Path("/run/there/control.sock")


@pytest.mark.parametrize("content", [None, b"", b"\n", b"\xff"])
def test_a_broken_memory_of_the_runtime_folder_is_none(
    tmp_path: Path, content: bytes | None
) -> None:
    home = Home(tmp_path)
    if content is not None:
        home.runtime_pointer.write_bytes(content)
    assert home.runtime() == home.new_runtime()


@posix
def test_a_runtime_folder_is_made_and_taken_over_when_it_is_ours(tmp_path: Path) -> None:
    folder = tmp_path / "run" / "holdfast"
    make_runtime(folder)
    folder.chmod(0o777)
    make_runtime(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o711


@posix
@pytest.mark.parametrize("what", ["link", "broken link", "file", "somebody else's"])
def test_anything_else_in_its_place_is_refused_with_advice(tmp_path: Path, what: str) -> None:
    if sys.platform == "win32":
        return
    folder = tmp_path / "run"
    if what == "link":
        folder.symlink_to(tmp_path)
    elif what == "broken link":
        folder.symlink_to(tmp_path / "nowhere")
    elif what == "file":
        folder.write_text("mine")
    else:
        if os.geteuid() != 0:
            pytest.skip("only root can make a folder of somebody else")
        folder.mkdir()
        os.chown(folder, 65534, 65534)
    with pytest.raises(Refused, match="remove it or set XDG_RUNTIME_DIR"):
        make_runtime(folder)


@given(st.text(max_size=20))
def test_a_name_is_never_a_way_out_of_its_folder(text: str) -> None:
    if NAME.fullmatch(text):
        assert Home(Path("/h")).service(text).parent == Path("/h/services")
        assert text == text.lower()
        assert not text.startswith("-")


def test_reserved_names_are_names() -> None:
    assert all(NAME.fullmatch(name) for name in RESERVED_NAMES)
    assert {"supervisor", "watchdog", "hub", "health"} <= RESERVED_NAMES
