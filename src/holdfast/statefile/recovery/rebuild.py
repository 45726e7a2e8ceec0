"""Make a lost agent-history.json anew from the summaries that its plans left."""

import enum
import json
import os
import re
import stat
from collections.abc import Iterable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import NamedTuple

from holdfast.clock import Clock, SystemClock, utc_text
from holdfast.errors import Conflict, Corrupt, StateIOError
from holdfast.statefile.documents import quarantine, read_json
from holdfast.statefile.faults import io_error
from holdfast.statefile.lock import locked
from holdfast.statefile.place import StrPath, open_place
from holdfast.statefile.recovery.choose import Choice, choose
from holdfast.statefile.recovery.frontmatter import NotOneWord, status_of
from holdfast.statefile.recovery.survey import survey
from holdfast.statefile.recovery.verdict import Unclear
from holdfast.statefile.system.ops import SAFELY, Folder, Ops
from holdfast.statefile.system.this import SYSTEM
from holdfast.statefile.write import write_atomic

HISTORY = "agent-history.json"
SUMMARIES = "summaries"
SUFFIX = "-SUMMARY.md"
VERSION = "1.0"
MAX_ENTRIES = 50

# A summary is written when its plan has ended, so one that says nothing else means this.
_DEFAULT_STATUS = "completed"
_FINISHED = frozenset(
    [
        "aborted",
        "abandoned",
        "canceled",
        "cancelled",
        "complete",
        "completed",
        "dead",
        "done",
        "failed",
        "finished",
        "skipped",
    ]
)
_FRONT_MATTER_WITHIN = 1 << 16
_RUNS = re.compile(r"([0-9]+)")
_KINDS = {stat.S_IFLNK: "a symbolic link", stat.S_IFDIR: "a folder"}


class _Found(enum.Enum):
    """What stands where the history goes; `REBUILT` is one that summaries were made into before."""

    NOTHING = enum.auto()
    BROKEN = enum.auto()
    REBUILT = enum.auto()
    HISTORY = enum.auto()


class Entry(NamedTuple):
    """One plan of the history."""

    plan: str
    status: str

    @property
    def is_finished(self) -> bool:
        """Tell whether nothing more is to be done; a status nobody knows counts as open."""
        return self.status.lower() in _FINISHED


class Ignored(NamedTuple):
    """A name that ends like a summary, and why it was not read as one."""

    name: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuilt:
    """What a rebuild wrote, or would have written.

    `entries` are what the history holds now, oldest plan first, `pruned` what it had no room for.
    `latest` is the last plan in natural order. `evidence` is where an unreadable history was moved.
    """

    path: str
    entries: tuple[Entry, ...]
    pruned: tuple[Entry, ...]
    sources: tuple[str, ...]
    ignored: tuple[Ignored, ...]
    latest: str
    evidence: str | None
    dry_run: bool

    def plain(self) -> dict[str, object]:
        """Return the facts as JSON has them."""
        return {
            "path": self.path,
            "entries": [entry._asdict() for entry in self.entries],
            "pruned": [entry._asdict() for entry in self.pruned],
            "sources": list(self.sources),
            "ignored": [one._asdict() for one in self.ignored],
            "latest": self.latest,
            "evidence": self.evidence,
            "dry_run": self.dry_run,
        }


def rebuild(
    folder: StrPath,
    *,
    force: bool = False,
    dry_run: bool = False,
    clock: Clock | None = None,
    ops: Ops = SYSTEM,
) -> Rebuilt:
    """Write FOLDER/agent-history.json from FOLDER/summaries/*-SUMMARY.md, in natural order.

    A plan is named by all that stands before `-SUMMARY.md`; its status is the one in the front
    matter of its summary, else `completed`. Of more than 50 the oldest finished ones are left out,
    never an open one. The result is marked `reconstructed`. `force` replaces a history that can be
    read and keeps it as `agent-history.json.~1~`, unless it is a reconstructed one itself, which
    must not push the real one out of that name; one that cannot be read is always set aside first.
    A dry run changes nothing and takes no lock.

    Raises:
        Conflict: there is a history that can be read or recovered, and `force` is off.
        Corrupt: there is no summary to rebuild from, or one whose status is not one word.
        LockTimeout: another writer held the history for 10 s.
        StateIOError: a summary or the history could not be read, or the history not written.
    """
    path = os.path.join(os.fspath(folder), HISTORY)
    moment = clock or SystemClock()
    plans, ignored = _plans_in(os.fspath(folder), ops)
    found = _look_at_history(path, force=force, ops=ops)
    if not plans:
        raise _nothing(path, ignored)
    # Before the lock, which leaves a stamp by which whole temps look older than a deletion.
    if not force:
        _refuse_recoverable(path, ops)
    with ExitStack() as held:
        if not dry_run:
            held.enter_context(locked(path, ops=ops))
            found = _look_at_history(path, force=force, ops=ops)
            if not force:
                _refuse_what_is_whole(path, moment.wall(), ops)
        kept, pruned = _pruned(plans)
        sources = tuple(f"{SUMMARIES}/{_text(name)}" for name in plans)
        evidence = None
        if not dry_run:
            content = _document(kept, sources, utc_text(moment.wall()))
            if found is _Found.BROKEN:
                evidence = os.fspath(quarantine(path, clock=moment, ops=ops))
            write_atomic(path, content, backups=1 if found is _Found.HISTORY else 0, ops=ops)
    return Rebuilt(
        path=path,
        entries=kept,
        pruned=pruned,
        sources=sources,
        ignored=ignored,
        latest=list(plans.values())[-1].plan,
        evidence=evidence,
        dry_run=dry_run,
    )


def natural_order(name: str) -> tuple[tuple[int | str, ...], str]:
    """Return a sort key that takes digits as numbers: 2-01 before 18-01, 18-02 before 18-10."""
    runs = _RUNS.split(name)
    return tuple(int(run) if at % 2 else run for at, run in enumerate(runs)), name


def _look_at_history(path: str, *, force: bool, ops: Ops) -> _Found:
    try:
        history = read_json(path, ops=ops)
    except FileNotFoundError:
        return _Found.NOTHING
    except Corrupt:
        return _Found.BROKEN
    if force:
        is_rebuilt = isinstance(history, dict) and history.get("reconstructed") is True
        return _Found.REBUILT if is_rebuilt else _Found.HISTORY
    raise Conflict(
        f"{path} can be read, so there is nothing to mend; it was left as it is; "
        "to replace it by what the summaries say, force it",
        path=path,
    )


def _refuse_recoverable(path: str, ops: Ops) -> None:
    """Refuse to write over a history that is whole in a temp or a backup: that holds more than summaries do."""
    from holdfast.statefile.recovery.recover import recover

    try:
        found = recover(path, dry_run=True, ops=ops)
    except Unclear as doubt:
        raise Conflict(
            f"{doubt}; nothing was rebuilt: it would remove what may be the whole history; "
            "recover the history first, or force it",
            path=path,
        ) from doubt
    except Corrupt:
        return
    except StateIOError as error:
        if error.errno_name == "ENOENT":
            return
        raise
    source = found.source or ", ".join(found.transactions)
    if source:
        raise Conflict(
            f"{path} cannot be read, but it can be recovered whole from {source}; nothing was "
            f"changed: holdfast state recover {path}",
            path=path,
        )


def _refuse_what_is_whole(path: str, now: float, ops: Ops) -> None:
    """Refuse once more under the lock, for what a writer left that lived when it was asked first."""
    try:
        with open_place(path, follow=True, ops=ops) as place:
            choice = choose(survey(place, now, locked_by_us=True, foreign=False).case)
    except OSError as error:
        raise io_error(error, path, "rebuilt") from error
    if choice:
        names = choice.name if isinstance(choice, Choice) else ", ".join(choice.names)
        raise Conflict(
            f"{path} cannot be read, but a writer has just left it whole in {names}; nothing was "
            f"changed: holdfast state recover {path}",
            path=path,
        )


def _nothing(path: str, ignored: Iterable[Ignored]) -> Corrupt:
    passed = ", ".join(f"{one.name} is {one.why}" for one in ignored)
    return Corrupt(
        f"{path} cannot be rebuilt: there is no {SUMMARIES}/*{SUFFIX} beside it"
        f"{f' ({passed})' if passed else ''}; nothing was changed, because an empty history would "
        "only hide the loss: name the folder that holds them, or restore a copy of the history",
        path=path,
    )


def _plans_in(folder: str, ops: Ops) -> tuple[dict[str, Entry], tuple[Ignored, ...]]:
    """Return the entry of each summary by its name, in natural order, and what was passed over."""
    place = os.path.join(folder, SUMMARIES)
    try:
        opened = ops.open_folder(place)
    except FileNotFoundError:
        return {}, ()
    except OSError as error:
        raise io_error(error, place, "read") from error
    try:
        names = [name for name in ops.listdir(opened) if name.endswith(SUFFIX)]
        names.sort(key=lambda name: natural_order(name.removesuffix(SUFFIX)))
        passed = {name: why for name in names if (why := _why_not(name, opened, ops))}
        plans = {name: _entry(name, opened, ops) for name in names if name not in passed}
    except OSError as error:
        raise io_error(error, place, "read") from error
    finally:
        with suppress(OSError):
            ops.close_folder(opened)
    return plans, tuple(Ignored(_text(name), why) for name, why in passed.items())


def _why_not(name: str, folder: Folder, ops: Ops) -> str | None:
    if name == SUFFIX:
        return "a summary of no plan"
    if name.startswith("."):
        return "a hidden file"
    kind = stat.S_IFMT(ops.lstat(folder, name).st_mode)
    return None if kind == stat.S_IFREG else _KINDS.get(kind, "no regular file")


def _entry(name: str, folder: Folder, ops: Ops) -> Entry:
    path = os.path.join(folder.path, name)
    try:
        start = _start_of(name, folder, ops)
    except OSError as error:
        raise io_error(error, path, "read") from error
    try:
        status = status_of(start.decode("utf-8-sig", "replace"))
    except NotOneWord as error:
        raise Corrupt(
            f"{path} has no status one can read: {error}; nothing was changed: "
            "write it like `status: failed`, or remove the line",
            path=path,
        ) from error
    return Entry(_text(name.removesuffix(SUFFIX)), status or _DEFAULT_STATUS)


def _start_of(name: str, folder: Folder, ops: Ops) -> bytes:
    fd = ops.open(folder, name, os.O_RDONLY | SAFELY)
    try:
        start = b""
        while len(start) < _FRONT_MATTER_WITHIN:
            chunk = ops.read(fd, _FRONT_MATTER_WITHIN - len(start))
            if not chunk:
                break
            start += chunk
        return start
    finally:
        with suppress(OSError):
            ops.close(fd)


def _text(name: str) -> str:
    """Return a file name as JSON can hold it, with bytes that are not UTF-8 escaped."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _pruned(plans: dict[str, Entry]) -> tuple[tuple[Entry, ...], tuple[Entry, ...]]:
    finished = [name for name, entry in plans.items() if entry.is_finished]
    out = set(finished[: max(0, len(plans) - MAX_ENTRIES)])
    kept = tuple(entry for name, entry in plans.items() if name not in out)
    return kept, tuple(entry for name, entry in plans.items() if name in out)


def _document(entries: Iterable[Entry], sources: Iterable[str], at: str) -> str:
    history = {
        "version": VERSION,
        "max_entries": MAX_ENTRIES,
        "entries": [entry._asdict() for entry in entries],
        "reconstructed": True,
        "reconstructed_at": at,
        "sources": list(sources),
    }
    return json.dumps(history, ensure_ascii=False, indent=2) + "\n"
