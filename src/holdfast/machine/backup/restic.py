"""Snapshots by restic, 0.14 or newer: one repository for many projects, each with a tag and a host of its own."""

import contextlib
import json
import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from holdfast.clock import Clock, SystemClock, wall_from_text
from holdfast.errors import Refused, UnknownName
from holdfast.machine.backup.engine import (
    BackupFailed,
    EngineMissing,
    Phase,
    Progress,
    ProjectMissing,
    Report,
    RepositoryMissing,
    RepositoryUnusable,
    Restored,
    Verdict,
    silent,
)
from holdfast.machine.backup.excludes import for_restic, literal
from holdfast.machine.backup.place import inside, is_remote, may_restore_to, repository_of
from holdfast.machine.backup.restic_words import Messages, failure_of, is_locked, status
from holdfast.machine.backup.tool import Ended, run
from holdfast.machine.backup.verify import Found, compare, sample
from holdfast.model.backup import BackupSpec, EngineName, Snapshot, Taken
from holdfast.statefile import write_atomic

OLDEST = (0, 14)

LOCK_PAUSES_S = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
"""Pauses between attempts while a living process has the repository for itself."""

_PARTIAL = 3
_AT_ONCE = 100
_TO_MAKE_THE_PASSWORD = 32


class Restic:
    """The engine that drives restic; the password is passed by a file, the repository by the environment."""

    name = EngineName.RESTIC

    def __init__(
        self,
        spec: BackupSpec,
        *,
        program: str = "restic",
        clock: Clock | None = None,
        lock_pauses: Sequence[float] = LOCK_PAUSES_S,
    ) -> None:
        self._spec = spec
        self._program = program
        self._clock = clock or SystemClock()
        self._lock_pauses = lock_pauses

    def version(self) -> str:
        """Return the version of restic."""
        lines: list[str] = []
        self._run(["version"], each_line=lines.append)
        words = " ".join(lines).split()
        return words[1] if len(words) > 1 else ""

    def exists(self) -> bool:
        """Tell whether the repository is there; a remote one is asked."""
        if not is_remote(self._spec.repository):
            return repository_of(self._spec.repository) is EngineName.RESTIC
        with self._some_password() as words:
            ended, _ = self._call(["cat", "config", "--no-lock", *words])
        failure = self._failure(ended) if ended.code != 0 else None
        if failure is not None and not isinstance(failure, RepositoryMissing):
            raise failure
        return failure is None

    @contextlib.contextmanager
    def _some_password(self) -> Iterator[list[str]]:
        """Give a question its password: one that fits nothing where the true one is yet to be made with the repository."""
        known = self._spec.password_file
        if not known or os.path.exists(known):
            yield []
            return
        with tempfile.TemporaryDirectory(prefix="holdfast-ask-") as place:
            wrong = os.path.join(place, "password")
            write_atomic(wrong, "-\n", mode=0o600)
            yield ["--password-file", wrong]

    def init(self) -> bool:
        """Make the repository, and the password where its file is not there, and tell whether it did.

        Raises:
            Refused: the folder holds something else.
        """
        spec = self._spec
        if not is_remote(spec.repository):
            if repository_of(spec.repository) is EngineName.RESTIC:
                return False
            _refuse_foreign(spec.repository)
        self._refuse_old()
        if spec.password_file and not os.path.exists(spec.password_file):
            made = secrets.token_urlsafe(_TO_MAKE_THE_PASSWORD)
            write_atomic(spec.password_file, made + "\n", mode=0o600, parents=True)
        ended, _ = self._call(["init"])
        if ended.code != 0:
            if "already" in ended.errors:  # a remote one that others made
                return False
            raise self._failure(ended)
        return True

    def backup(self, report: Report = silent) -> Taken:
        """Make a snapshot of the project as it is now.

        Raises:
            ProjectMissing: the folder is not there, or is none.
        """
        folder = os.path.realpath(self._spec.path)
        if not os.path.isdir(folder):
            raise ProjectMissing(
                f"{self._spec.path} is not there; it was expected to be the folder of backup {self._spec.name}",
                path=self._spec.path,
            )
        if not os.access(folder, os.R_OK | os.X_OK):
            raise ProjectMissing(
                f"{self._spec.path} cannot be read by this user; it was expected to be the folder of backup {self._spec.name}",
                path=self._spec.path,
            )
        began = self._clock.wall()
        report(Progress(phase=Phase.SCAN))
        words = ["backup", "--json", *self._whose(), *self._excludes(folder), "."]
        ended, messages = self._locking(words, report, Phase.SAVE, cwd=folder)
        if ended.code not in (0, _PARTIAL) or not messages.summary.get("snapshot_id"):
            raise self._failure(ended)
        return Taken(snapshot=self._made(ended, messages), began_at=began)

    def _made(self, ended: Ended, messages: Messages) -> Snapshot:
        """Return the snapshot a run made; restic tells only the beginning of its id before 0.15."""
        summary = messages.summary
        listed = self._listed([str(summary["snapshot_id"])])
        if not listed:
            raise BackupFailed(
                f"restic said it made {summary['snapshot_id']}, but it is not there"
            )
        unread = messages.unread(ended.errors)
        return Snapshot(
            id=listed[0].id,
            at=listed[0].at,
            files=int(summary["total_files_processed"]),
            bytes=int(summary["total_bytes_processed"]),
            partial=ended.code == _PARTIAL,
            unread=unread,
        )

    def snapshots(self) -> tuple[Snapshot, ...]:
        """Return the snapshots of this project on this host, oldest first."""
        return self._listed([])

    def _listed(self, ids: Sequence[str]) -> tuple[Snapshot, ...]:
        lines: list[str] = []
        words = ["snapshots", "--json", "--no-lock", *self._whose(), *ids]
        ended = self._run(words, each_line=lines.append)
        if ended.code != 0:
            raise self._failure(ended)
        try:
            found = json.loads("".join(lines) or "[]") or []
            return tuple(sorted(map(_snapshot, found), key=lambda one: one.at))
        except (ValueError, KeyError, TypeError) as error:
            raise BackupFailed(
                f"restic listed snapshots in a form nobody here knows: {error!r}"
            ) from error

    def measured(self, snapshot: Snapshot) -> Snapshot:
        """Return the snapshot with its files and bytes counted."""
        import dataclasses

        found = self._files_of(snapshot.id)
        return dataclasses.replace(
            snapshot, files=len(found), bytes=sum(one.size for one in found)
        )

    def _files_of(self, snapshot: str) -> list[Found]:
        """Return the files a snapshot holds, as restic lists them."""
        found: list[Found] = []
        heads: list[str] = []

        def each_line(line: str) -> None:
            node = json.loads(line)
            if node.get("struct_type") == "snapshot" or node.get("message_type") == "snapshot":
                heads.append(node["id"])
            elif node.get("type") == "file":
                mtime = wall_from_text(node["mtime"])
                found.append(Found(node["path"], int(node.get("size", 0)), mtime))

        ended = self._run(["ls", "--json", "--no-lock", snapshot], each_line=each_line)
        if ended.code == 0 and heads:
            return found
        if ended.code == 0 or "no matching ID" in ended.errors:  # 0.14 ends well without it
            raise UnknownName(f"{self._spec.name}: there is no snapshot {snapshot}")
        raise self._failure(ended)

    def verify(
        self, snapshot: str, part: int | None, parts: int, report: Report = silent
    ) -> Verdict:
        """Let restic check the repository and read a part of it; then restore a sample and compare it."""
        report(Progress(phase=Phase.VERIFY))
        depth = "--read-data" if part is None else f"--read-data-subset={part + 1}/{parts}"
        ended, _ = self._locking(["check"], report, Phase.VERIFY)
        if ended.code == 0:  # reading a pack that is not there, restic tries for a minute
            ended, _ = self._locking(["check", depth], report, Phase.VERIFY)
        why, files, size = "", 0, 0
        if ended.code != 0:
            failure = self._failure(ended)
            if isinstance(failure, RepositoryUnusable) and failure.cause != "damaged":
                raise failure
            why = _first_line(ended.errors)
        else:
            why, files, size = self._sampled(snapshot, part or 0)
        return Verdict(
            sound=not why,
            snapshot=snapshot,
            part=part,
            parts=parts,
            files=files,
            bytes=size,
            why=why,
        )

    def _sampled(self, snapshot: str, turn: int) -> tuple[str, int, int]:
        """Restore a few files beside nobody's way; return what is wrong with them, how many, how large."""
        chosen = sample(self._files_of(snapshot), turn)
        if not chosen:
            return "", 0, 0
        with tempfile.TemporaryDirectory(prefix="holdfast-verify-") as place:
            includes = [word for one in chosen for word in ("--include", literal(one.path))]
            words = ["restore", snapshot, "--target", place, *includes]
            ended, _ = self._locking(words, silent, Phase.VERIFY)
            why = compare(chosen, place, self._spec.path)
            if ended.code != 0 and not why:
                raise self._failure(ended)
        return why, len(chosen), sum(one.size for one in chosen)

    def restore(
        self, snapshot: str, to: str, report: Report = silent, *, force: bool = False
    ) -> Restored:
        """Bring a snapshot back into a folder.

        Raises:
            UnknownName: no snapshot has that id.
            Refused: the folder is not empty, and not `force`.
        """
        may_restore_to(to, force=force)
        found = self._files_of(snapshot)
        report(Progress(phase=Phase.RESTORE, percent=0.0, files_total=len(found)))
        words = ["restore", "--json", snapshot, "--target", to]
        ended, messages = self._locking(words, report, Phase.RESTORE)
        lost = messages.unread(ended.errors)
        if "no space left" in ended.errors:
            raise BackupFailed(f"{to} is full, and what stands there now is not whole")
        if ended.code != 0 and not lost:
            raise self._failure(ended)
        back = [one.size for one in found if one.path not in lost]
        return Restored(snapshot=snapshot, to=to, files=len(back), bytes=sum(back), lost=lost)

    def forget(self, snapshots: Sequence[str], report: Report = silent) -> None:
        """Remove these snapshots and what only they held."""
        for first in range(0, len(snapshots), _AT_ONCE):
            report(Progress(phase=Phase.FORGET, files=first, files_total=len(snapshots)))
            words = ["forget", "--prune", *snapshots[first : first + _AT_ONCE]]
            ended, _ = self._locking(words, silent, Phase.FORGET)
            if ended.code != 0:
                raise self._failure(ended)

    def unlock_stale(self) -> bool:
        """Remove the locks of processes that are dead, or of another host and half an hour old: restic's own rule."""
        before = self._count_locks()
        ended, _ = self._call(["unlock"])
        if ended.code != 0:
            raise self._failure(ended)
        return before is None or self._count_locks() != before

    def _count_locks(self) -> int | None:
        """Return how many locks a local repository has."""
        try:
            return len(os.listdir(os.path.join(self._spec.repository, "locks")))
        except OSError:
            return None

    def _locking(
        self, words: Sequence[str], report: Report, phase: Phase, *, cwd: str | None = None
    ) -> tuple[Ended, Messages]:
        """Call restic; take stale locks away once, then wait for the living."""
        ended, messages = self._call(words, report, phase, cwd=cwd)
        if not is_locked(ended):
            return ended, messages
        self.unlock_stale()
        for pause in (0.0, *self._lock_pauses):
            time.sleep(pause)
            ended, messages = self._call(words, report, phase, cwd=cwd)
            if not is_locked(ended):
                break
        return ended, messages

    def _call(
        self,
        words: Sequence[str],
        report: Report = silent,
        phase: Phase = Phase.SAVE,
        *,
        cwd: str | None = None,
    ) -> tuple[Ended, Messages]:
        messages = Messages()

        def each_line(line: str) -> None:
            if (step := status(messages.take(line), phase)) is not None:
                report(step)

        ended = self._run(words, each_line=each_line, cwd=cwd)
        return ended, messages

    def _run(
        self,
        words: Sequence[str],
        *,
        each_line: Callable[[str], None],
        cwd: str | None = None,
    ) -> Ended:
        program = shutil.which(self._program)
        if program is None:
            raise EngineMissing(
                f"{self._program} is not installed, and backup {self._spec.name} needs it; "
                'install restic 0.14 or newer, or choose engine = "copy" and another repository'
            )
        cache = [] if is_remote(self._spec.repository) else ["--no-cache"]
        return run(
            [program, *cache, *words], cwd=cwd, env=self._environment(cwd), each_line=each_line
        )

    def _environment(self, cwd: str | None) -> Mapping[str, str]:
        env = {
            name: value
            for name, value in os.environ.items()
            if name not in ("RESTIC_PASSWORD", "RESTIC_PASSWORD_COMMAND", "RESTIC_REPOSITORY_FILE")
        }
        env["RESTIC_REPOSITORY"] = self._spec.repository
        env["RESTIC_PASSWORD_FILE"] = self._spec.password_file or ""
        env["RESTIC_PROGRESS_FPS"] = "5"
        if cwd is not None:
            env["PWD"] = cwd
        return env

    def _whose(self) -> list[str]:
        return ["--tag", f"holdfast:{self._spec.name}", "--host", self._spec.host or _this_host()]

    def _excludes(self, folder: str) -> list[str]:
        patterns = for_restic(folder, self._spec.exclude)
        if not is_remote(self._spec.repository) and inside(self._spec.repository, folder):
            patterns.append(literal(os.path.realpath(self._spec.repository)))
        return [word for pattern in patterns for word in ("--exclude", pattern)]

    def _refuse_old(self) -> None:
        version = self.version()
        numbers = tuple(int(word) for word in version.split("-")[0].split(".") if word.isdigit())
        if numbers[:2] < OLDEST:
            raise EngineMissing(
                f"restic {version} is too old for backup {self._spec.name}; 0.14 or newer is needed"
            )

    def _failure(self, ended: Ended) -> BackupFailed:
        return failure_of(ended, self._spec.repository)


def _snapshot(found: Mapping[str, Any]) -> Snapshot:
    summary = found.get("summary") or {}
    return Snapshot(
        id=found["id"],
        at=wall_from_text(found["time"]),
        files=summary.get("total_files_processed"),
        bytes=summary.get("total_bytes_processed"),
    )


def _refuse_foreign(repository: str) -> None:
    if os.path.isdir(repository) and os.listdir(repository):
        raise Refused(
            f"{repository} holds something that is no repository of restic; choose an empty folder, or one that is not there"
        )


def _this_host() -> str:
    import socket

    return socket.gethostname()


def _first_line(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if line.strip()), "no reason given")
