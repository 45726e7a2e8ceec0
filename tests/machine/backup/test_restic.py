"""The engine that drives the real restic: what it keeps and gives back, and each way in which it fails."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from holdfast.errors import Refused, UnknownName
from holdfast.machine.backup.engine import (
    BackupFailed,
    EngineMissing,
    Phase,
    Progress,
    ProjectMissing,
    RepositoryMissing,
    RepositoryUnusable,
)
from holdfast.machine.backup.evidence import observe
from holdfast.machine.backup.restic import Restic
from holdfast.model.backup import BackupRecord, BackupSpec
from holdfast.rules.backups import taken as after

if sys.platform == "win32":
    pytest.skip("its processes are killed by signals", allow_module_level=True)

pytestmark = pytest.mark.skipif(shutil.which("restic") is None, reason="restic is not installed")


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a new repository, made by the engine, with the password beside it."""
    place = tmp_path_factory.mktemp("restic") / "repository"
    spec = BackupSpec(
        name="maker", path="/", repository=str(place), password_file=str(place) + ".password"
    )
    assert Restic(spec).init()
    assert not Restic(spec).init()
    return place


@pytest.fixture
def spec(repository: Path, tmp_path: Path, request: pytest.FixtureRequest) -> BackupSpec:
    project = tmp_path / "project"
    (project / "deep").mkdir(parents=True)
    (project / "a").write_text("alpha", encoding="utf-8")
    (project / "deep" / "b[1]").write_text("beta", encoding="utf-8")
    return BackupSpec(
        name=request.node.name.replace("_", "-"),
        path=str(project),
        repository=str(repository),
        password_file=f"{repository}.password",
        host="box",
    )


@pytest.fixture
def own(spec: BackupSpec, repository: Path, tmp_path: Path) -> BackupSpec:
    """Give a copy of the repository, to be damaged."""
    place = tmp_path / "own"
    shutil.copytree(repository, place)
    return replace(spec, repository=str(place))


def restic(spec: BackupSpec, *words: str) -> None:
    env = dict(os.environ)
    env |= {"RESTIC_REPOSITORY": spec.repository, "RESTIC_PASSWORD_FILE": str(spec.password_file)}
    subprocess.run(
        ["restic", "--no-cache", *words], env=env, cwd=spec.path, check=True, capture_output=True
    )


def test_a_restore_and_a_verify_give_back_what_was_saved(spec: BackupSpec, tmp_path: Path) -> None:
    project = Path(spec.path)
    (project / "skipped.tmp").touch()
    (project / "deep" / "out").mkdir()
    (project / "deep" / "out" / "made").touch()
    (project / "link").symlink_to("a")
    (project / "a").chmod(0o640)
    os.utime(project / "a", (1_000_000_000, 1_000_000_000))
    engine = Restic(replace(spec, exclude=("*.tmp", "deep/out")))
    steps: list[Progress] = []
    taken = engine.backup(steps.append)
    assert (taken.snapshot.files, taken.snapshot.bytes, taken.snapshot.partial) == (2, 9, False)
    assert len(taken.snapshot.id) == 64
    assert {step.phase for step in steps} >= {Phase.SCAN}
    assert [one.id for one in engine.snapshots()] == [taken.snapshot.id]
    assert engine.measured(engine.snapshots()[0]).files == 2
    verdict = engine.verify(taken.snapshot.id, 0, 1)
    assert (verdict.sound, verdict.files, verdict.why) == (True, 2, "")
    to = tmp_path / "to"
    assert engine.restore(taken.snapshot.id, str(to)).files == 2
    assert sorted(path.name for path in to.rglob("*")) == ["a", "b[1]", "deep", "link"]
    assert (to / "a").stat().st_mode == (project / "a").stat().st_mode
    assert (to / "a").stat().st_mtime == 1_000_000_000
    assert (to / "link").readlink() == Path("a")
    with pytest.raises(Refused, match="not empty"):
        engine.restore(taken.snapshot.id, str(to))
    with pytest.raises(UnknownName):
        engine.restore("0" * 64, str(tmp_path / "new"))
    engine.forget([taken.snapshot.id])
    assert engine.snapshots() == ()


def test_a_snapshot_of_the_future_or_of_others_or_of_nothing_makes_nothing_fresher(
    spec: BackupSpec,
) -> None:
    engine, record = Restic(spec), BackupRecord(name=spec.name)
    taken = engine.backup()
    now = taken.began_at + 10
    record = after(record, taken, now, settle_after=3600.0)
    mine = ("--tag", f"holdfast:{spec.name}", "--host", "box")
    restic(spec, "backup", *mine, "--time", "2037-12-31 00:00:00", ".")
    restic(spec, "backup", *mine[:2], "--host", "other", ".")
    record, facts = observe(spec, engine, record, now)
    assert facts["covered_at"] == record.covered_at == taken.snapshot.at
    assert "future" in str(facts["suspect"])
    shutil.rmtree(spec.path)
    Path(spec.path).mkdir()
    with pytest.raises(BackupFailed, match="is empty"):
        engine.backup()
    assert [one.why for one in record.snapshots] == ["", "it is dated in the future"]


def test_a_deleted_pack_a_flipped_byte_and_a_lost_password_are_told(own: BackupSpec) -> None:
    Path(own.path, "c").write_bytes(os.urandom(5000))
    engine = Restic(own)
    taken = engine.backup().snapshot.id
    packs = [path for path in Path(own.repository, "data").rglob("*") if path.is_file()]
    pack = max(packs, key=lambda path: path.stat().st_size)
    was = bytearray(pack.read_bytes())
    pack.chmod(0o600)
    pack.write_bytes(was[:9] + bytes([was[9] ^ 1]) + was[10:])
    assert not engine.verify(taken, None, 4).sound
    pack.unlink()
    verdict = engine.verify(taken, 0, 4)
    assert not verdict.sound
    assert verdict.why
    wrong = Path(own.repository + ".wrong")
    wrong.write_text("wrong", encoding="utf-8")
    for path in (wrong, Path("/nowhere")):
        record, facts = observe(
            own,
            Restic(replace(own, password_file=str(path))),
            BackupRecord(name=own.name, covered_at=5.0),
            10.0,
        )
        assert "does not open" in str(facts["unverified"])
        assert record.covered_at == 5.0


def test_a_stale_lock_is_taken_away_and_that_of_a_living_one_is_not(own: BackupSpec) -> None:
    engine = Restic(own, lock_pauses=())
    taken = engine.backup().snapshot.id
    holding = subprocess.Popen(
        ["restic", "--no-cache", "backup", "--stdin", "--quiet"],
        env=os.environ
        | {"RESTIC_REPOSITORY": own.repository, "RESTIC_PASSWORD_FILE": str(own.password_file)},
        stdin=subprocess.PIPE,
    )
    locks = Path(own.repository, "locks")
    try:
        while not any("tmp" not in name for name in os.listdir(locks)):
            assert holding.poll() is None
            os.sched_yield()
        with pytest.raises(RepositoryUnusable, match="locked") as caught:
            engine.verify(taken, 0, 4)
        assert caught.value.cause == "locked"
    finally:
        holding.kill()
        holding.wait()
        assert holding.stdin is not None
        holding.stdin.close()
    assert list(locks.iterdir())
    assert engine.verify(taken, 0, 4).sound
    assert not list(locks.iterdir())


RUN = """
import sys
from holdfast.machine.backup.restic import Restic
from holdfast.model.backup import BackupSpec
import signal
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
spec = BackupSpec(name="big", path=sys.argv[1], repository=sys.argv[2], password_file=sys.argv[3], host="box")
Restic(spec).backup(lambda step: print(step.phase, flush=True))
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_backup_that_is_ended_midway_leaves_no_snapshot_and_no_process(
    own: BackupSpec, how: signal.Signals
) -> None:
    big = Path(own.path, "big")
    with big.open("wb") as hole:
        hole.truncate(1 << 36)  # longer to read than any pause of this test, nothing to store
    words = [sys.executable, "-c", RUN, own.path, own.repository, str(own.password_file)]
    running = subprocess.Popen(words, stdout=subprocess.PIPE, start_new_session=True)
    assert running.stdout is not None
    assert b"save\n" in iter(running.stdout.readline, b"")
    if how is signal.SIGKILL:
        os.killpg(running.pid, how)
    else:
        running.send_signal(how)
    running.stdout.close()
    assert running.wait() in (-signal.SIGKILL, 143)
    engine = Restic(replace(own, name="big"))
    assert engine.snapshots() == ()
    big.unlink()
    assert engine.backup().snapshot.files == 2


def test_what_is_not_there_is_told_by_its_name(spec: BackupSpec, tmp_path: Path) -> None:
    nowhere = Restic(replace(spec, repository=str(tmp_path / "none")))
    assert not nowhere.exists()
    for call in (nowhere.snapshots, nowhere.backup):
        with pytest.raises(RepositoryMissing, match="mounted"):
            call()
    with pytest.raises(ProjectMissing):
        Restic(replace(spec, path=str(tmp_path / "none"))).backup()
    with pytest.raises(EngineMissing, match="not installed"):
        Restic(spec, program="no-such-restic").version()
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "x").touch()
    with pytest.raises(Refused, match="no repository of restic"):
        Restic(replace(spec, repository=str(foreign))).init()


def test_the_password_is_made_for_its_owner_only_and_never_on_a_command_line(
    spec: BackupSpec,
) -> None:
    path = Path(str(spec.password_file))
    assert path.stat().st_mode & 0o077 == 0
    assert len(path.read_text(encoding="utf-8").strip()) >= 40


def test_a_new_repository_far_away_is_made_with_its_password(
    spec: BackupSpec, tmp_path: Path
) -> None:
    with Far() as far:
        password = tmp_path / "made"
        engine = Restic(replace(spec, repository=far.address, password_file=str(password)))
        assert not engine.exists()
        assert engine.init()
        assert engine.exists()
        assert engine.snapshots() == ()
        password.unlink()
        with pytest.raises(RepositoryUnusable) as caught:
            engine.exists()
        assert caught.value.cause == "password"
        assert not password.exists()


class Asked(BaseHTTPRequestHandler):
    """Keeps what restic gives it, by the first version of restic's REST protocol."""

    kept: ClassVar[dict[str, bytes]] = {}

    def do_HEAD(self) -> None:
        self.answer(self.kept.get(self.path))

    def do_GET(self) -> None:
        names = [path.rpartition("/")[2] for path in self.kept if path.startswith(self.path)]
        is_folder = self.path.endswith("/")
        self.answer(json.dumps(names).encode() if is_folder else self.kept.get(self.path))

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if "?" not in self.path:
            self.kept[self.path] = content
        self.answer(b"")

    def do_DELETE(self) -> None:
        self.answer(self.kept.pop(self.path, None))

    def answer(self, content: bytes | None) -> None:
        self.send_response(404 if content is None else 200)
        self.send_header("Content-Length", str(len(content or b"")))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content or b"")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Far:
    """A repository behind a server."""

    def __init__(self) -> None:
        Asked.kept.clear()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Asked)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.address = f"rest:http://127.0.0.1:{self.server.server_port}/"

    def __enter__(self) -> "Far":
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


def test_a_folder_that_cannot_be_read_and_a_listing_nobody_knows_are_told(
    spec: BackupSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    strange = tmp_path / "strange"
    strange.write_text("#!/bin/sh\necho '[{}]'\n", encoding="utf-8")
    strange.chmod(0o700)
    with pytest.raises(BackupFailed, match="nobody here knows"):
        Restic(spec, program=str(strange)).snapshots()
    monkeypatch.setattr(os, "access", lambda *_: False)  # who is root may read everything
    with pytest.raises(ProjectMissing, match="cannot be read"):
        Restic(spec).backup()
