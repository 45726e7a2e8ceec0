"""Backups on a real machine, by the real restic and by copies: what they keep, and that nothing but a success looks like one."""

import contextlib
import fcntl
import json
import os
import pty
import select
import shutil
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if sys.platform != "linux":
    pytest.skip("these tests look into /proc", allow_module_level=True)

if TYPE_CHECKING:
    from tests.conftest import Machine

KILL, CONT, STOP = 9, 18, 19

pytestmark = pytest.mark.timeout(240)
"""Dozens of commands, and a restic that derives its key anew for each: a minute on a busy machine."""

RESTIC = shutil.which("restic")

needs_restic = pytest.mark.skipif(RESTIC is None, reason="restic is not installed")

ENGINES = (pytest.param("restic", marks=needs_restic), "copy")

BASE = """
    # whose machine this is
    [machine]
    name = "box"   # the one under the desk

    [hub]
    listen = "127.0.0.1:0"

    [alerts]
    evaluate_every = "200ms"
    confirm = 2
    group_wait = "50ms"
    critical_group_wait = "50ms"

    [notify.broken-command]
    command = ["{python}", "-c", "raise SystemExit(1)"]
    [notify.broken-address]
    url = "webhook+http://127.0.0.1:1/"
    [notify.lines]
    url = "file://{root}/lines.jsonl"
"""

NOTES = """
    [backup.notes]
    path = "{root}/notes"
    repository = "{root}/repository"
    engine = "{engine}"
    schedule = "@monthly"
    on_change = "never"
"""

LATIN = os.fsdecode(b"caf\xe9")

BIG = 32 * 2**20


class Backups:
    """A machine with the hub and one project, all of it driven by commands."""

    def __init__(self, machine: "Machine", engine: str) -> None:
        self.machine = machine
        self.engine = engine
        machine.has_hub = True
        machine.env["TMPDIR"] = str(machine.root)
        if engine == "copy":  # where restic is not installed
            machine.env["PATH"] = str(Path(sys.executable).parent)
            assert shutil.which("restic", path=machine.env["PATH"]) is None
        self.project = machine.root / "notes"
        self.repository = machine.root / "repository"
        fill(self.project)

    def begin(self) -> None:
        """Bring the machine up with the project in its configuration."""
        text = BASE + NOTES
        self.machine.config(
            text.format(root=self.machine.root, engine=self.engine, python=sys.executable)
        )
        self.machine.up()

    def run(self, *, code: int = 0) -> str:
        done = self.machine.holdfast("backup", "run", "notes", expect=code)
        return done.stdout + done.stderr

    def snapshots(self) -> list[dict[str, Any]]:
        said = self.machine.holdfast("backup", "snapshots", "notes", "--json", expect=(0, 1))
        rows: list[dict[str, Any]] = json.loads(said.stdout)
        return rows

    def listed(self) -> dict[str, Any]:
        """Return how the project stands, as `backup list` has it."""
        (row,) = json.loads(self.machine.holdfast("backup", "list", "--json").stdout)
        found: dict[str, Any] = row
        return found

    def history(self) -> list[dict[str, Any]]:
        said = self.machine.holdfast("job", "history", "notes", "--json").stdout
        rows: list[dict[str, Any]] = json.loads(said or "[]")
        return rows

    def check(self) -> dict[str, Any]:
        (row,) = json.loads(self.machine.holdfast("checks", "notes", "--json").stdout)
        found: dict[str, Any] = row
        return found

    def await_check(self, severity: str, cause: str) -> str:
        """Wait until the check was confirmed to be so bad, and return the moment of its last success."""
        row = self.machine.await_(
            lambda: (
                (row := self.check())["confirmed"] == row["severity"] == severity
                and row["cause"] == cause
                and row
            )
        )
        return str(row["last_success_at"])

    def await_good(self) -> str:
        """Wait until the hub believes the newest success, and return its moment."""
        made = self.listed()["last_success_at"]
        assert made is not None
        self.machine.await_(lambda: self.await_check("ok", "") == made)
        return str(made)

    def told(self) -> list[str]:
        """Return the titles of what was told, oldest first; the line that is being written is not among them."""
        path = self.machine.root / "lines.jsonl"
        lines = path.read_text(encoding="utf-8").split("\n")[:-1] if path.exists() else []
        return [json.loads(line)["title"] for line in lines]

    def await_told(self, words: str) -> None:
        """Wait until a title with these words was told: the hub tells of what it knows a moment later."""
        self.machine.await_(lambda: any(words in title for title in self.told()))

    def restored(self) -> dict[bytes, tuple[object, ...]]:
        """Return what a restore of the newest snapshot brings back."""
        to = self.machine.root / f"back{len(os.listdir(self.machine.root))}"
        self.machine.holdfast("backup", "restore", "notes", "--to", str(to))
        return tree(to)

    def hold(self) -> list[int]:
        """Begin a backup, stop its processes in the midst of it, and return them."""
        for _ in range(20):
            before = self.signs()
            self.machine.holdfast("backup", "run", "notes", "--no-wait")
            deadline = time.monotonic() + 20
            while self.signs() <= before and time.monotonic() < deadline:
                time.sleep(0.0005)
            pids = self.machine.living("notes")
            self.signal(pids, STOP)
            if pids and self.signs() > before:
                return pids
            self.let_go(pids)
            self.machine.await_(lambda: not self.machine.living("notes"))
            (self.project / "more").write_bytes(os.urandom(64))
        raise AssertionError("no backup was slow enough to be stopped")

    def let_go(self, pids: list[int]) -> None:
        self.signal([*reversed(pids)], CONT)

    def signal(self, pids: list[int], number: int) -> None:
        """Send a signal to those that still are there: one may end by itself, or with the first that is killed."""
        for pid in pids:
            with contextlib.suppress(ProcessLookupError, AssertionError):
                self.machine.kill(pid, number)

    def signs(self) -> set[str]:
        """Return what an engine leaves in its repository while it is at work."""
        if self.engine == "restic":
            return set(map(str, (self.repository / "locks").glob("*")))
        return set(map(str, self.repository.glob("*/notes/.making-*/files/big")))


def fill(project: Path) -> None:
    """Make a project with what is hard to keep."""
    (project / "deep" / "empty").mkdir(parents=True)
    (project / "a").write_bytes(b"alpha")
    (project / "deep" / "b [1]\n*").write_bytes(os.urandom(70_000))
    (project / "deep" / "link").symlink_to("../a")
    (project / LATIN).write_bytes(b"no UTF-8")
    (project / "a").chmod(0o640)
    os.utime(project / "a", (1_000_000_000, 1_000_000_000))
    with (project / "big").open("wb") as big:
        big.truncate(BIG)


def tree(root: Path) -> dict[bytes, tuple[object, ...]]:
    """Return all that a folder holds: kinds, contents, modes and times of files."""
    base = os.fsencode(root)
    found: dict[bytes, tuple[object, ...]] = {}
    for folder, folders, files in os.walk(base):
        for name in (*folders, *files):
            path = os.path.join(folder, name)
            status = os.lstat(path)
            if os.path.islink(path):
                kept: tuple[object, ...] = (os.readlink(path),)
            elif os.path.isdir(path):
                kept = ("folder",)
            else:
                with open(path, "rb") as source:
                    kept = (source.read(), status.st_mode, int(status.st_mtime))
            found[path[len(base) :]] = kept
    return found


@pytest.fixture
def backups(machine: "Machine", engine: str) -> Backups:
    return Backups(machine, engine)


@pytest.mark.parametrize("engine", ENGINES)
def test_one_command_has_a_project_backed_up_when_its_files_change(backups: Backups) -> None:
    machine = backups.machine
    (backups.project / LATIN).unlink()  # watchfiles cannot tell of a name that is no UTF-8
    machine.config(BASE.format(root=machine.root, python=sys.executable))
    machine.up()
    words = ("--repository", str(backups.repository))
    said = machine.holdfast("backup", "add", "notes", str(backups.project), *words).stdout
    assert "in force" in said
    text = machine.file.read_text()
    assert all(word in text for word in ("# whose machine", "# the one under", "[backup.notes]"))

    machine.file.write_text(text + 'on_change = "100ms"\n')
    machine.holdfast("reload")
    machine.await_(lambda: backups.listed()["snapshots"] == 1)
    machine.await_(lambda: not machine.living("notes"))
    fresh = machine.root / "fresh"
    fresh.write_bytes(b"changed")
    fresh.replace(backups.project / "a")  # one change, and not an empty file before it
    machine.await_(lambda: backups.listed()["snapshots"] == 2)
    machine.await_(lambda: not machine.living("notes"))
    assert {row["trigger"] for row in backups.history()} == {"change"}
    assert backups.listed()["engine"] == backups.engine
    backups.await_good()

    machine.holdfast("backup", "remove", "notes")
    assert backups.repository.is_dir()
    assert '"notes"' not in machine.holdfast("checks", "--json").stdout


@pytest.mark.parametrize("engine", ["copy"])
def test_backups_that_were_missed_are_made_up_for_by_one(backups: Backups) -> None:
    backups.begin()
    backups.machine.holdfast("down")
    overdue(backups.machine.home / "jobs" / "notes.json", 90 * 86_400)
    backups.machine.up()
    backups.machine.await_(lambda: backups.listed()["last_success_at"])
    backups.await_good()
    assert [row["trigger"] for row in backups.history()] == ["missed"]
    assert len(backups.snapshots()) == 1


def overdue(path: Path, late: float) -> None:
    """Have a job that is not running be due for so many seconds, as if time had passed without it."""
    record = json.loads(path.read_bytes())
    for key in ("since_at", "next_due_at"):
        record[key] -= late
    path.write_text(json.dumps(record), encoding="utf-8")


@pytest.mark.parametrize("engine", ENGINES)
def test_a_killed_backup_makes_nothing_fresher_and_the_next_one_heals(backups: Backups) -> None:
    machine = backups.machine
    backups.begin()
    backups.run()
    backups.await_good()
    (backups.project / "big").write_bytes(os.urandom(BIG))

    held = backups.hold()
    good = backups.check()["last_success_at"]
    backups.signal(held, KILL)
    assert backups.await_check("warning", "failed") == good
    assert all(row["valid"] for row in backups.snapshots())
    backups.await_told("WARNING: 1 check failed: notes")
    machine.await_(lambda: not machine.living("notes"))

    assert backups.run().startswith("notes: made snapshot")
    assert backups.await_good() > good
    backups.await_told("RESOLVED")
    assert backups.restored() == tree(backups.project)
    if (
        backups.engine == "copy"
    ):  # a lock of restic's stands until one that shares nothing is wanted
        assert backups.signs() == set()


@pytest.mark.parametrize("engine", ["copy"])
def test_a_backup_outlives_the_supervisor_and_is_told_by_the_next(backups: Backups) -> None:
    machine = backups.machine
    backups.begin()
    held = backups.hold()
    machine.kill_supervisor()
    backups.let_go(held)
    machine.await_(lambda: [row["result"] for row in backups.history()][-1:] == ["success"])
    backups.await_good()
    assert len(backups.snapshots()) == 1


@pytest.mark.parametrize("engine", ENGINES)
def test_what_is_no_success_makes_nothing_fresher(backups: Backups) -> None:
    machine, project = backups.machine, backups.project
    (project / "big").unlink()
    backups.begin()
    backups.run()
    good = backups.await_good()

    from_the_future(backups)
    machine.holdfast("backup", "verify", "notes")
    assert backups.await_check("warning", "suspect") == good
    assert "future" in backups.check()["why"]
    backups.await_told("check suspect: notes")
    with away(project):
        assert "was expected to be" in backups.run(code=1)
        assert backups.await_check("critical", "missing") == good
        backups.await_told("check missing: notes")
        project.mkdir()
        backups.run(code=1)
        assert backups.await_check("warning", "failed") == good
        project.rmdir()
    with away(backups.repository):
        assert "is gone" in backups.run(code=1)
        assert backups.await_check("critical", "missing") == good
        assert not backups.repository.exists()
    if backups.engine == "restic":
        with forgotten(machine.home / "repository-password"):
            assert "password" in backups.run(code=1)
            assert backups.await_check("warning", "failed") == good
            machine.holdfast("backup", "restore", "notes", "--to", "nowhere", expect=1)
    backups.run()
    good = backups.await_good()
    backups.await_told("RESOLVED: 1 check ok again: notes")

    damage(backups)
    machine.holdfast("backup", "verify", "notes", "--all", expect=1)
    assert backups.await_check("warning", "suspect") == good
    assert "damage" in backups.check()["why"]


@contextlib.contextmanager
def away(folder: Path) -> Iterator[None]:
    """Take a folder away for a while."""
    aside = folder.with_name(f"{folder.name}.aside")
    folder.rename(aside)
    yield
    aside.rename(folder)


@contextlib.contextmanager
def forgotten(password: Path) -> Iterator[None]:
    """Put another word where the password stands, for a while."""
    right = password.read_bytes()
    password.write_text("wrong", encoding="utf-8")
    yield
    password.write_bytes(right)


def from_the_future(backups: Backups) -> None:
    """Put a whole snapshot into the repository that is dated in the year 2037."""
    if backups.engine == "restic":
        assert RESTIC is not None
        words = ("--tag", "holdfast:notes", "--host", "box", "--time", "2037-12-31 00:00:00", ".")
        password = str(backups.machine.home / "repository-password")
        subprocess.run(
            [
                RESTIC,
                "-r",
                str(backups.repository),
                "-p",
                password,
                "--no-cache",
                "backup",
                *words,
            ],
            cwd=backups.project,
            check=True,
            capture_output=True,
        )
        return
    from holdfast.clock import SystemClock
    from holdfast.machine.backup.copy import Copy
    from holdfast.model.backup import BackupSpec

    class Ahead(SystemClock):
        def wall(self) -> float:
            return 2_145_000_000.0

    spec = BackupSpec(
        name="notes", path=str(backups.project), repository=str(backups.repository), host="box"
    )
    (backups.project / "a").write_bytes(b"of the future")
    assert Copy(spec, clock=Ahead()).backup().is_new


def damage(backups: Backups) -> None:
    """Spoil the newest snapshot as a bad disk would: its largest file, or the pack that holds it."""
    pattern = "data/*/*" if backups.engine == "restic" else "*/notes/2*/files/deep/b*"
    largest = max(backups.repository.glob(pattern), key=lambda path: path.stat().st_size)
    if backups.engine == "restic":
        largest.unlink()
        return
    for path in backups.repository.glob(pattern):
        path.chmod(0o600)
        with path.open("r+b") as spoilt:
            spoilt.write(b"?")


@pytest.mark.parametrize("engine", ["copy"])
def test_a_terminal_shows_how_far_a_backup_is(backups: Backups) -> None:
    machine = backups.machine
    backups.begin()
    main, sub = pty.openpty()
    fcntl.ioctl(sub, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
    with contextlib.ExitStack() as stack:
        stack.callback(os.close, main)
        held = backups.hold()
        watching = subprocess.Popen(
            [sys.executable, "-m", "holdfast", "backup", "run", "notes"],
            env={**machine.env, "TERM": "xterm"},
            cwd=machine.root,
            stdin=sub,
            stdout=sub,
            stderr=sub,
            start_new_session=True,
        )
        stack.callback(watching.kill)
        os.close(sub)
        seen = read_until(main, b"%")
        assert b"notes: save" in seen
        backups.let_go(held)
        seen = read_until(main, None)
        assert watching.wait(timeout=30) == 0
    last = seen.replace(b"\r\n", b"\n").rstrip(b"\n").split(b"\n")[-1].split(b"\r")[-1]
    assert last.startswith(b"notes: ")
    assert b"%" not in last


def read_until(fd: int, wanted: bytes | None) -> bytes:
    """Read what a terminal shows until a word stands there, or until its end."""
    seen, deadline = b"", time.monotonic() + 30
    while wanted is None or wanted not in seen:
        ready, _, _ = select.select([fd], [], [], max(0.0, deadline - time.monotonic()))
        assert ready, seen
        try:
            chunk = os.read(fd, 65_536)
        except OSError:  # what Linux says at the end of a terminal
            chunk = b""
        if not chunk:
            assert wanted is None, seen
            break
        seen += chunk
    return seen
