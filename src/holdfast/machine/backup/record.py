"""What stands in the state folder about backups: the projects of the configuration, and a record of each."""

import difflib
import hashlib
from pathlib import Path

from holdfast import statefile
from holdfast.errors import Corrupt, StateError, UnknownName
from holdfast.home import Home
from holdfast.model.backup import BackupRecord, BackupSpec
from holdfast.model.project import Project
from holdfast.model.wire import from_plain, to_plain
from holdfast.statefile import Durability


def projects(home: Home) -> tuple[Project, ...]:
    """Return the projects of the configuration that was last brought into force; none when that cannot be read."""
    try:
        found = statefile.read_json(home.config_pointer)
    except (StateError, FileNotFoundError):
        return ()
    rows = found.get("backups") if isinstance(found, dict) else None
    try:
        return tuple(from_plain(Project, row) for row in rows) if isinstance(rows, list) else ()
    except ValueError:
        return ()


def project(home: Home, name: str) -> Project:
    """Return one project.

    Raises:
        UnknownName: no project of that name is in force.
    """
    known = {one.name: one for one in projects(home)}
    if name in known:
        return known[name]
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(known) or 'none'}"
    raise UnknownName(
        f"there is no backup {name!r} in force; {hint} (after a change of the file: holdfast reload)"
    )


def read(home: Home, name: str) -> BackupRecord:
    """Return what is remembered of a project; nothing when it was never backed up.

    Raises:
        Corrupt: the record is not what it should be.
        StateIOError: it cannot be read.
    """
    path = str(home.backup(name))
    try:
        return from_plain(BackupRecord, statefile.read_json(path))
    except FileNotFoundError:
        return BackupRecord(name=name)
    except ValueError as error:
        raise Corrupt(f"{path} is not the record of a backup: {error}", path=path) from error


def read_or_begin(home: Home, name: str) -> BackupRecord:
    """Return what is remembered of a project; a record that cannot be read is set aside, for snapshots tell most of it.

    Raises:
        StateIOError: the disk refuses it.
    """
    try:
        return read(home, name)
    except Corrupt:
        statefile.quarantine(home.backup(name))
        return BackupRecord(name=name)


def save(home: Home, record: BackupRecord) -> None:
    """Write what is known of a project.

    Raises:
        StateError: the disk refused it.
    """
    statefile.write_json(
        home.backup(record.name), to_plain(record), durability=Durability.FILE, mode=0o600
    )


def lock_of(home: Home, name: str) -> Path:
    """Return the file whose OS lock means: this project is being backed up, verified or pruned."""
    return home.backups / f"{name}.lock"


def prune_lock_of(home: Home, spec: BackupSpec) -> Path:
    """Return the file whose OS lock means: snapshots are being removed from this repository."""
    tag = hashlib.sha256(spec.repository.encode("utf-8", "surrogateescape")).hexdigest()[:12]
    return home.backups / f"prune-{tag}.lock"


def running(home: Home, name: str) -> int | None:
    """Return the process that is at work on a project."""
    return statefile.holder(lock_of(home, name))
