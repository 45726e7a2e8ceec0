import json
import math
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from holdfast.home import Home

if TYPE_CHECKING:
    from tests.cli.conftest import Done


@pytest.fixture
def supervisor(home: Home, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """Stand where a supervisor takes beats."""
    if sys.platform == "win32":
        pytest.skip("Windows has no such sockets")
    with (
        tempfile.TemporaryDirectory(prefix="hf-", dir="/tmp") as folder,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as taken,
    ):
        taken.bind(str(Path(folder) / "notify"))
        taken.settimeout(30)
        monkeypatch.setenv("NOTIFY_SOCKET", str(Path(folder) / "notify"))
        monkeypatch.setenv("HOLDFAST_SERVICE", "api")
        yield taken


def heartbeat(home: Home, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(home.heartbeat(name).read_text())
    return found


def test_a_beat_from_a_script_is_written_for_the_service_named(
    home: Home, run: "Callable[..., Done]"
) -> None:
    done = run("beat", "nightly", "--status", "error", "--error", "disk full", "--progress", "7")

    assert (done.code, done.out) == (0, "")
    found = heartbeat(home, "nightly")
    assert (found["status"], found["error"], found["progress"]) == ("error", "disk full", 7)


def test_the_lease_is_three_beats_unless_said_otherwise(
    home: Home, run: "Callable[..., Done]"
) -> None:
    run("beat", "nightly", "--every", "2m")
    usual = heartbeat(home, "nightly")
    run("beat", "nightly", "--every", "1h", "--lease", "1d")
    chosen = heartbeat(home, "nightly")

    assert (usual["interval"], chosen["interval"]) == (120, 3600)
    assert math.isclose(usual["expires_at"] - usual["timestamp"], 360)
    assert math.isclose(chosen["expires_at"] - chosen["timestamp"], 86_400)


def test_inside_a_service_the_beat_goes_to_the_supervisor(
    supervisor: socket.socket, home: Home, run: "Callable[..., Done]"
) -> None:
    assert run("beat", "--progress", "3").code == 0
    lines = supervisor.recv(4096).decode().splitlines()

    assert "WATCHDOG=1" in lines
    assert "X_HOLDFAST_PROGRESS=3" in lines
    assert not home.heartbeat("api").exists()


def test_outside_a_service_a_name_is_needed(run: "Callable[..., Done]") -> None:
    done = run("beat")

    assert done.code == 2
    assert "holdfast beat NAME" in done.err


@pytest.mark.parametrize(
    "words",
    [
        ("Nightly",),
        ("../x",),
        ("nightly", "--status", "fine"),
        ("nightly", "--every", "soon"),
        ("nightly", "--every", "1h", "--lease", "1h"),
        ("nightly", "--progress", "half"),
    ],
)
def test_a_wrong_beat_is_refused_and_writes_nothing(
    home: Home, run: "Callable[..., Done]", words: tuple[str, ...]
) -> None:
    done = run("beat", *words)

    assert done.code == 2
    assert done.err
    assert not list(home.heartbeats.iterdir())


def test_a_beat_that_nobody_could_take_is_an_unhealthy_answer(
    home: Home, run: "Callable[..., Done]", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOLDFAST_SERVICE", "api")
    home.heartbeats.rmdir()
    home.heartbeats.write_text("in the way")
    done = run("beat")

    assert done.code == 1
    assert "nobody took the beat of api" in done.err


def test_it_says_as_json_whether_the_beat_was_taken(run: "Callable[..., Done]") -> None:
    assert run("beat", "nightly", "--json").json == {"service": "nightly", "told": True}


def test_it_imports_little(home: Home, loaded: Callable[..., set[str]]) -> None:
    modules = loaded("beat", "nightly")

    assert not modules & {
        "ctypes",
        "msgspec",
        "asyncio",
        "subprocess",
        "shtab",
        "psutil",
        "logging",
    }
