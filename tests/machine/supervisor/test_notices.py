"""The last resort: what a person must hear arrives once, in order, and never costs the supervisor anything."""

import asyncio
import json
import os
import select
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from holdfast.clock import SystemClock
from holdfast.home import Home
from holdfast.journal import Journal, read
from holdfast.machine.probes.errand import Errands
from holdfast.machine.supervisor import notices as module
from holdfast.machine.supervisor.notes import Notes
from holdfast.machine.supervisor.notices import LONGEST_LINE, WAITING_AT_MOST, Notices
from holdfast.model.notice import TITLES

if sys.platform != "linux":
    pytest.skip("these tests start programs as Linux does", allow_module_level=True)

COPY = "import sys; open(sys.argv[1], 'ab').write(sys.stdin.buffer.read())"
SLEEP = "import os, signal, sys; open(sys.argv[1], 'w').write(str(os.getpid())); signal.pause()"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.make()
    return home


@asynccontextmanager
async def telling(home: Home, last_resort: dict[str, Any] | None) -> AsyncIterator[Notices]:
    """Have notices sent by a supervisor's means."""
    loop, clock = asyncio.get_running_loop(), SystemClock()
    notes = Notes(home, clock, Journal(home.journal, clock))
    errands = Errands(loop)
    notices = Notices(home, loop, clock, notes, errands)
    notices.set(last_resort)
    notes.notices = notices
    try:
        yield notices
        await notices.sent()
    finally:
        notices.close()
        errands.close()


def program(text: str, *words: object) -> dict[str, Any]:
    return {"command": [sys.executable, "-I", "-S", "-c", text, *map(str, words)]}


def told(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def faults(home: Home) -> list[str]:
    return [str(event.facts["why"]) for event in read(home.journal)]


def run(act: Callable[[], Any]) -> None:
    asyncio.run(act())


def test_a_file_gets_one_line_a_notice(home: Home, tmp_path: Path) -> None:
    file = tmp_path / "notices"

    async def act() -> None:
        async with telling(home, {"file": str(file)}) as notices:
            notices.hear("service.held", "api", {"severity": "critical", "why": "3 in 1h"})
            notices.hear("watchdog.restarted", "watchdog", {"why": "größer"})

    run(act)
    held, restarted = told(file)
    assert set(held) >= {"key", "kind", "severity", "title", "body", "checks", "at"}
    assert held["title"] == "api is held: its restart limit is used up"
    assert (held["kind"], held["severity"], held["body"]) == ("meta", "critical", "3 in 1h")
    assert (held["event"], held["subject"]) == ("service.held", "api")
    assert (restarted["severity"], restarted["body"]) == ("warning", "größer")
    assert held["key"] != restarted["key"]
    assert file.stat().st_mode & 0o077 == 0


def test_a_program_gets_them_on_its_standard_input_one_after_the_other(
    home: Home, tmp_path: Path
) -> None:
    file = tmp_path / "got"

    async def act() -> None:
        async with telling(home, program(COPY, file)) as notices:
            for number in range(5):
                notices.hear("service.failed", f"s{number}", {})

    run(act)
    assert [one["subject"] for one in told(file)] == [f"s{number}" for number in range(5)]
    assert faults(home) == []


@pytest.mark.parametrize("kind", ["service.started", "service.restarted", "notice.failed"])
def test_the_everyday_is_no_notice(home: Home, tmp_path: Path, kind: str) -> None:
    async def act() -> None:
        async with telling(home, {"file": str(tmp_path / "notices")}) as notices:
            notices.hear(kind, "api", {"severity": "critical"})

    run(act)
    assert not (tmp_path / "notices").exists()


def test_every_title_is_one_line_about_its_subject() -> None:
    for kind, title in TITLES.items():
        said = title.format(subject="api")
        assert "\n" not in said
        assert "api" in said or kind.split(".")[0] in ("supervisor", "watchdog")


def test_nothing_is_held_back_and_the_same_key_goes_out_once(home: Home, tmp_path: Path) -> None:
    file = tmp_path / "notices"

    async def act() -> None:
        async with telling(home, {"file": str(file)}) as notices:
            for _ in range(3):
                notices.hear("service.held", "api", {"why": "again"})
            for _ in range(3):
                notices.send("meta", "one", "", {"key": "k"})

    run(act)
    assert [one["title"] for one in told(file)][2:] == [
        "api is held: its restart limit is used up",
        "one",
    ]
    assert len(told(file)) == 4


def test_without_a_last_resort_nobody_is_told(home: Home) -> None:
    async def act() -> None:
        async with telling(home, None) as notices:
            notices.hear("service.held", "api", {})

    run(act)
    assert faults(home) == []


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("raise SystemExit(3)", "it ended with exit code 3"),
        ("import os; os.kill(os.getpid(), 9)", "it was ended by signal 9"),
    ],
)
def test_a_program_that_fails_is_an_event_and_the_next_notice_goes_out(
    home: Home, text: str, why: str
) -> None:
    async def act() -> None:
        async with telling(home, program(text)) as notices:
            notices.hear("service.held", "api", {})
            notices.hear("service.held", "db", {})

    run(act)
    assert [fault.endswith(why) for fault in faults(home)] == [True, True]


def test_a_program_that_cannot_be_executed_is_an_event(home: Home) -> None:
    async def act() -> None:
        async with telling(home, {"command": ["/no/such/program"]}) as notices:
            notices.hear("service.held", "api", {})

    run(act)
    (fault,) = faults(home)
    assert "/no/such/program" in fault


def test_a_file_that_cannot_be_written_is_an_event(home: Home, tmp_path: Path) -> None:
    (tmp_path / "notices").mkdir()

    async def act() -> None:
        async with telling(home, {"file": str(tmp_path / "notices")}) as notices:
            notices.hear("service.held", "api", {})

    run(act)
    assert len(faults(home)) == 1


def test_a_program_that_never_ends_is_killed(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "COMMAND_WITHIN", 0.5)

    async def act() -> None:
        async with telling(home, program("import signal; signal.pause()")) as notices:
            notices.hear("service.held", "api", {})

    run(act)
    (fault,) = faults(home)
    assert fault.endswith("it did not end within 0.5 s and was killed")


def test_who_leaves_takes_its_program_along(home: Home, tmp_path: Path) -> None:
    fifo = tmp_path / "pid"
    os.mkfifo(fifo)

    async def act() -> int:
        async with telling(home, program(SLEEP, fifo)) as notices:
            notices.hear("service.held", "api", {})
            notices.hear("service.held", "db", {})
            pidfd = os.pidfd_open(int(await asyncio.to_thread(fifo.read_text)))
            notices.close()
        return pidfd

    pidfd = asyncio.run(act())
    assert select.select([pidfd], [], [], 30)[0]
    os.close(pidfd)
    assert faults(home) == []


def test_what_comes_too_fast_is_told_as_lost(home: Home) -> None:
    async def act() -> None:
        async with telling(home, program("")) as notices:
            for _ in range(WAITING_AT_MOST + 1):
                notices.hear("service.held", "api", {})
            assert len(faults(home)) == 1
            notices.close()

    run(act)
    assert "wait already" in faults(home)[0]


def test_a_long_story_is_cut_to_what_a_pipe_holds(home: Home, tmp_path: Path) -> None:
    file = tmp_path / "got"

    async def act() -> None:
        async with telling(home, program(COPY, file)) as notices:
            notices.hear("service.failed", "api", {"why": "ß\n" * 100_000, "trace": "x" * 99_999})

    run(act)
    (found,) = told(file)
    assert found["body"].startswith("ß\n")
    assert len(file.read_bytes()) < LONGEST_LINE


def test_a_program_that_does_not_read_its_input_fails_nothing(home: Home) -> None:
    async def act() -> None:
        async with telling(home, {"command": ["true"]}) as notices:
            notices.hear("service.held", "api", {})

    run(act)
    assert faults(home) == []
