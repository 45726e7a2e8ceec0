"""What the watchdog shows of itself, and what it takes away when it goes."""

import json
import os
from pathlib import Path

import pytest

from holdfast.clock import SystemClock
from holdfast.home import Home
from holdfast.machine.watchdog.signs import Signs
from holdfast.rules.guarding import Verdict


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.make()
    return home


def test_heartbeat_and_status_say_who_lives_and_how_things_stand(home: Home) -> None:
    Signs(home, SystemClock()).show(Verdict.HEALTHY, services=3, interval=60.0)
    beat = json.loads(home.heartbeat("watchdog").read_bytes())
    assert (beat["pid"], beat["status"], beat["interval"]) == (os.getpid(), "running", 60.0)
    assert beat["expires_at"] == beat["timestamp"] + 180.0
    assert beat["error"] is None
    status = json.loads(home.watchdog_status.read_bytes())
    assert (status["status"], status["daemon_count"]) == ("healthy", 3)
    assert status["pid"] == os.getpid()


def test_the_same_is_not_written_a_thousand_times_a_second(home: Home) -> None:
    signs = Signs(home, SystemClock())
    signs.show(Verdict.HEALTHY, services=3, interval=60.0)
    before = home.watchdog_status.stat().st_ino
    signs.show(Verdict.HEALTHY, services=3, interval=60.0)
    assert home.watchdog_status.stat().st_ino == before
    signs.show(Verdict.HEALTHY, services=4, interval=60.0)
    assert json.loads(home.watchdog_status.read_bytes())["daemon_count"] == 4
    signs.show(Verdict.WARNING, services=4, interval=60.0)
    assert json.loads(home.watchdog_status.read_bytes())["status"] == "warning"


def test_only_its_own_files_are_taken_away(home: Home) -> None:
    signs = Signs(home, SystemClock())
    signs.arrive()
    signs.show(Verdict.HEALTHY, services=0, interval=1.0)
    signs.leave()
    assert not home.heartbeat("watchdog").exists()
    assert not home.pid("watchdog").exists()
    home.heartbeat("watchdog").write_text('{"pid": 99999}')
    home.pid("watchdog").write_text("no number")
    signs.leave()
    assert home.heartbeat("watchdog").exists()
    assert home.pid("watchdog").exists()
    assert json.loads(home.watchdog_status.read_bytes())["status"] == "stopped"


def test_words_to_systemd_come_at_half_the_time_it_waits(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert Signs(home, SystemClock()).ping(5.0, is_in_control=True) is None
    monkeypatch.setenv("WATCHDOG_USEC", "180000000")
    signs = Signs(home, SystemClock())
    assert signs.ping(5.0, is_in_control=True) == 95.0
    assert signs.ping(94.0, is_in_control=True) == 95.0
    assert signs.ping(95.0, is_in_control=False) == 185.0
    monkeypatch.setenv("WATCHDOG_PID", "1")
    assert Signs(home, SystemClock()).ping(5.0, is_in_control=True) is None
