"""The eight daemons do their work on real files, end at once, and lose nothing to a kill."""

import hashlib
import json
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from holdfast import statefile

NAMES = (
    "context",
    "session-auto-save",
    "preference-auto-tracker",
    "skill-auto-suggester",
    "commit",
    "session-pruning",
    "pattern-detection",
    "failure-prevention",
)
NOTE = "# Release day\n\nprefer: testing\n* Prefer:  small steps \n\nThe deployment waits for tests.\n"

Start = Callable[..., subprocess.Popen[str]]
Eventually = Callable[[Callable[[], object]], None]


@pytest.fixture
def folder(examples: Path) -> Path:
    return examples / "memory-daemons"


class Memory:
    """The folder the daemons work in."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.root = home / "data" / "memory"
        (self.root / "notes").mkdir(parents=True)
        (self.root / "sessions").mkdir()

    def note(self, name: str, text: str) -> None:
        (self.root / "notes" / name).write_text(text, encoding="utf-8")

    def put(self, name: str, value: object) -> None:
        (self.root / name).write_text(json.dumps(value), encoding="utf-8")

    def get(self, name: str) -> Any:
        """Return what a file holds, None while there is none; a spoiled one fails the test."""
        try:
            return statefile.read_json(self.root / name)
        except FileNotFoundError:
            return None

    def sessions(self) -> list[int]:
        return sorted(int(path.stem) for path in (self.root / "sessions").glob("*.json"))

    def log(self, name: str) -> list[Any]:
        try:
            text = (self.home / "logs" / f"{name}.log").read_text("utf-8")
        except FileNotFoundError:
            return []
        return [json.loads(line) for line in text.splitlines()]

    def beat(self, name: str) -> Any:
        try:
            return statefile.read_json(self.home / "heartbeats" / f"{name}.json")
        except FileNotFoundError:
            return None


@pytest.fixture
def memory(tmp_path: Path) -> Memory:
    return Memory(tmp_path)


@pytest.fixture
def run(start: Start) -> Start:
    def run(name: str, **environment: str) -> subprocess.Popen[str]:
        return start(f"{name.replace('-', '_')}.py", **{"MEMORY_EVERY": "0.05", **environment})

    return run


def test_context_indexes_the_notes_and_follows_their_changes(
    memory: Memory, run: Start, eventually: Eventually
) -> None:
    memory.note("release.md", NOTE)
    run("context")
    eventually(lambda: memory.get("context.json"))

    entry = memory.get("context.json")["notes"]["release.md"]
    assert entry["title"] == "Release day"
    assert entry["words"] == len(NOTE.split())
    assert "deployment" in entry["keywords"]
    assert entry["sha256"] == hashlib.sha256(NOTE.encode()).hexdigest()

    memory.note("second.md", "another one")
    eventually(lambda: "second.md" in memory.get("context.json")["notes"])
    (memory.root / "notes" / "release.md").unlink()
    eventually(lambda: list(memory.get("context.json")["notes"]) == ["second.md"])


def test_the_preference_tracker_counts_what_the_notes_prefer(
    memory: Memory, run: Start, eventually: Eventually
) -> None:
    memory.note("a.md", NOTE)
    memory.note("b.md", "prefer: Testing\nI prefer: not this\n")
    memory.put("context.json", {"notes": {"a.md": {}}})
    run("preference-auto-tracker")

    eventually(lambda: memory.get("preferences.json") == {"testing": 2, "small steps": 1})


def test_the_suggester_offers_fitting_skills_preferred_ones_first(
    memory: Memory, run: Start, eventually: Eventually
) -> None:
    skills = {"deployment": ["deployment"], "testing": ["tests"], "cooking": ["oven"]}
    memory.put("skills.json", skills)
    memory.put("preferences.json", {"testing": 3})
    memory.put("context.json", {"notes": {"a.md": {"keywords": ["tests", "deployment"]}}})
    run("skill-auto-suggester")

    eventually(lambda: memory.get("suggestions.json") == {"a.md": ["testing", "deployment"]})


def test_auto_save_saves_each_new_state_once(
    memory: Memory, run: Start, eventually: Eventually
) -> None:
    memory.put("context.json", {"notes": {}})
    run("session-auto-save")
    eventually(lambda: memory.sessions() == [1])
    memory.put("preferences.json", {"testing": 1})
    eventually(lambda: len(memory.log("policy-hits")) == 2)

    assert memory.sessions() == [1, 2]
    assert memory.get("sessions/000002.json")["content"]["preferences"] == {"testing": 1}
    assert [hit["context"] for hit in memory.log("policy-hits")] == [
        {"session": 1},
        {"session": 2},
    ]


def test_auto_save_holds_while_the_disk_is_critical_and_says_so_once(
    memory: Memory, run: Start, eventually: Eventually
) -> None:
    memory.put("guard.json", {"verdict": "critical"})
    daemon = run("session-auto-save")
    eventually(lambda: memory.log("policy-hits"))
    first = memory.beat("session-auto-save")
    eventually(lambda: memory.beat("session-auto-save") != first)
    daemon.terminate()
    daemon.wait()

    assert memory.sessions() == []
    assert [hit["action"] for hit in memory.log("policy-hits")] == ["held"]


def test_pruning_keeps_the_newest_sessions_and_no_lock_of_a_deleted_one(
    memory: Memory, run: Start, eventually: Eventually
) -> None:
    for number in range(1, 13):
        statefile.write_json(memory.root / "sessions" / f"{number:06}.json", {})
    run("session-pruning", SESSIONS_KEPT="5")

    eventually(lambda: memory.log("policy-hits"))

    assert memory.sessions() == [8, 9, 10, 11, 12]
    assert len(list((memory.root / "sessions").iterdir())) == 10
    (hit,) = memory.log("policy-hits")
    assert (hit["policy"], len(hit["context"])) == ("keep-5-sessions", 7)


def test_commit_records_what_changed_since_the_last_one(
    memory: Memory, run: Start, eventually: Eventually
) -> None:
    memory.note("a.md", "one")
    run("commit")
    eventually(lambda: memory.get("commits.json"))
    memory.note("b.md", "two")
    eventually(lambda: len(memory.get("commits.json")["commits"]) == 2)

    first, second = memory.get("commits.json")["commits"]
    assert (first["number"], first["changed"]) == (1, ["notes/a.md"])
    assert (second["number"], second["changed"]) == (2, ["notes/b.md"])
    assert second["files"]["notes/b.md"] == hashlib.sha256(b"two").hexdigest()


def test_pattern_detection_counts_what_repeats_and_tells_of_errors_once(
    memory: Memory, run: Start, eventually: Eventually
) -> None:
    logs = memory.home / "logs"
    logs.mkdir()
    lines = [{"level": "ERROR", "message": "no"}] * 3 + [{"level": "INFO", "message": "yes"}] * 2
    (logs / "commit.log").write_text("".join(json.dumps(line) + "\n" for line in lines))
    run("pattern-detection")
    eventually(lambda: memory.get("patterns.json") == {"commit: no": 3})
    eventually(lambda: memory.log("health"))
    first = memory.beat("pattern-detection")
    eventually(lambda: memory.beat("pattern-detection") != first)

    (event,) = memory.log("health")
    assert (event["event"], event["severity"]) == ("pattern.repeated_error", "warning")


@pytest.mark.parametrize(
    ("limit", "verdict"), [("DISK_WARN_BELOW", "warning"), ("DISK_STOP_BELOW", "critical")]
)
def test_failure_prevention_judges_the_disk_and_tells_when_the_verdict_changes(
    memory: Memory, run: Start, eventually: Eventually, limit: str, verdict: str
) -> None:
    run("failure-prevention", **{limit: "101"})
    eventually(lambda: memory.get("guard.json") == {"verdict": verdict})
    first = memory.beat("failure-prevention")
    eventually(lambda: memory.beat("failure-prevention") != first)

    (event,) = memory.log("health")
    assert (event["event"], event["severity"]) == ("disk.judged", verdict)
    assert [hit["action"] for hit in memory.log("policy-hits")] == [verdict]


def test_failure_prevention_sees_a_folder_that_cannot_be_written(
    memory: Memory, run: Start, eventually: Eventually
) -> None:
    (memory.root / "probe.json").mkdir()
    run("failure-prevention")

    eventually(lambda: memory.get("guard.json") == {"verdict": "critical"})


def test_each_feeds_the_next(memory: Memory, run: Start, eventually: Eventually) -> None:
    memory.put("skills.json", {"testing": ["tests"]})
    for name in NAMES:
        run(name)
    memory.note("release.md", NOTE)

    eventually(lambda: memory.get("suggestions.json") == {"release.md": ["testing"]})
    eventually(lambda: committed(memory) >= {"notes/release.md", "suggestions.json"})
    eventually(lambda: saved(memory, {"release.md": ["testing"]}))


def committed(memory: Memory) -> set[str]:
    commits = (memory.get("commits.json") or {}).get("commits") or [{"files": {}}]
    return set(commits[-1]["files"])


def saved(memory: Memory, suggestions: object) -> bool:
    numbers = memory.sessions()
    newest = memory.get(f"sessions/{numbers[-1]:06}.json") if numbers else None
    return newest is not None and newest["content"]["suggestions"] == suggestions


@pytest.mark.parametrize("asked", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("name", NAMES)
def test_a_daemon_ends_well_without_waiting_for_its_next_look(
    memory: Memory, run: Start, eventually: Eventually, name: str, asked: signal.Signals
) -> None:
    daemon = run(name, MEMORY_EVERY="3600")
    eventually(lambda: memory.beat(name))

    daemon.send_signal(asked)

    assert daemon.wait(timeout=30) == 0
    assert memory.beat(name)["status"] == "stopped"
    told = [line["message"] for line in memory.log(name)]
    assert (told[0], told[-1]) == ("started", "stopped")


@pytest.mark.parametrize("name", NAMES)
def test_a_daemon_with_nothing_to_do_writes_nothing(
    memory: Memory, run: Start, eventually: Eventually, name: str
) -> None:
    def written() -> dict[str, int]:
        files = (path for path in memory.root.rglob("*.json") if path.name != "probe.json")
        return {str(path): path.stat().st_mtime_ns for path in files}

    def next_beat() -> None:
        last = memory.beat(name)
        eventually(lambda: memory.beat(name) != last)

    memory.note("release.md", NOTE)
    run(name)
    next_beat()
    next_beat()
    before = written()

    next_beat()
    next_beat()

    assert written() == before


def test_a_look_that_fails_is_told_and_the_daemon_goes_on(
    memory: Memory, run: Start, eventually: Eventually
) -> None:
    memory.note("a.md", "one")
    (memory.root / "commits.json").mkdir()
    run("commit")
    eventually(lambda: (memory.beat("commit") or {}).get("status") == "error")
    assert memory.log("health")[0]["service"] == "commit"

    (memory.root / "commits.json").rmdir()

    eventually(lambda: memory.beat("commit")["status"] == "healthy")
    assert committed(memory) == {"notes/a.md"}


def test_a_spoiled_file_is_set_aside_and_begun_anew(
    memory: Memory, run: Start, eventually: Eventually
) -> None:
    memory.note("a.md", "one")
    (memory.root / "commits.json").write_text('{"commits": [')
    run("commit")

    eventually(lambda: list(memory.root.glob("commits.json.corrupt-*")))
    eventually(lambda: committed(memory) == {"notes/a.md"})


def test_kills_at_any_moment_leave_every_file_whole(
    memory: Memory, run: Start, eventually: Eventually
) -> None:
    memory.put("skills.json", {"testing": ["tests"]})
    for round_ in range(4):
        daemons = [run(name, MEMORY_EVERY="0.005") for name in NAMES]
        memory.note(f"{round_}.md", f"{NOTE}\nprefer: round {round_}\n")
        eventually(lambda: f"{round_}.md" in str(memory.get("context.json")))  # noqa: B023 - used at once
        for daemon in daemons:
            daemon.kill()
        for daemon in daemons:
            assert daemon.wait() != 0
        for path in memory.root.rglob("[!.]*.json"):
            statefile.read_json(path)

    for name in NAMES:
        run(name)
    eventually(lambda: len(memory.get("preferences.json") or ()) == 6)
    eventually(lambda: f"notes/{round_}.md" in committed(memory))
    numbers = [commit["number"] for commit in memory.get("commits.json")["commits"]]
    assert numbers == list(range(1, len(numbers) + 1))
    assert not list(memory.root.rglob("*.corrupt-*"))
