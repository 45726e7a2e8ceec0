"""What restic says, in its JSON lines and in plain words, and which error each of its failures is."""

import json
import re
from collections.abc import Mapping
from typing import Any

from holdfast.machine.backup.engine import (
    BackupFailed,
    Phase,
    Progress,
    RepositoryMissing,
    RepositoryUnusable,
    shown,
)
from holdfast.machine.backup.tool import Ended

TOLD_AT_MOST = 20
"""Unread paths that are remembered of one snapshot."""

_NO_REPOSITORY, _LOCKED, _WRONG_PASSWORD = 10, 11, 12  # exit codes since restic 0.17
_NOT_THERE = re.compile(r"no such file|does not exist|cannot find|\b404\b", re.IGNORECASE)
_IGNORED = re.compile(r"ignoring error for (?P<path>.+?): ")


class Messages:
    """The messages of one call: the last summary, and what could not be read."""

    def __init__(self) -> None:
        self.summary: Mapping[str, Any] = {}
        self._errors: list[str] = []

    def take(self, line: str) -> Mapping[str, Any]:
        """Return the message of a line, an empty one where it is plain text, and remember what matters of it."""
        message = _parsed(line)
        kind = message.get("message_type")
        if kind == "summary":
            self.summary = message
        elif kind == "error":
            self._errors.append(str(message.get("item", "")))
        return message

    def unread(self, errors: str) -> tuple[str, ...]:
        """Return the paths that could not be read or restored, from stdout and stderr, each once."""
        for line in errors.splitlines():
            self.take(line)
            if found := _IGNORED.search(line):
                self._errors.append(found["path"])
        return tuple(dict.fromkeys(shown(path) for path in self._errors if path))[:TOLD_AT_MOST]


def _parsed(line: str) -> Mapping[str, Any]:
    if not line.startswith("{"):
        return {}
    try:
        message = json.loads(line)
    except ValueError:
        return {}
    return message if isinstance(message, dict) else {}


def status(message: Mapping[str, Any], phase: Phase) -> Progress | None:
    """Return how far a backup or restore has come, where the message tells it."""
    if message.get("message_type") != "status":
        return None
    done = message.get("files_done", message.get("files_restored", 0))
    return Progress(
        phase=phase,
        percent=100.0 * float(message.get("percent_done", 0.0)),
        files=int(done),
        files_total=message.get("total_files"),
        bytes=int(message.get("bytes_done", message.get("bytes_restored", 0))),
        bytes_total=message.get("total_bytes"),
        eta_s=message.get("seconds_remaining"),
    )


def is_locked(ended: Ended) -> bool:
    """Tell whether a call failed for a lock."""
    return ended.code == _LOCKED or (ended.code == 1 and "already locked" in ended.errors)


def failure_of(ended: Ended, repository: str) -> BackupFailed:
    """Return the error a failed call is."""
    text = ended.errors
    last = _fatal(text)
    if is_locked(ended):
        return _unusable("locked", f"{repository} is locked by another process: {last}")
    if ended.code == _WRONG_PASSWORD or "wrong password" in text or "assword" in last:
        return _unusable("password", f"{repository} does not open with this password: {last}")
    if ended.code == _NO_REPOSITORY or "unable to open config file" in text:
        if ended.code == _NO_REPOSITORY or _NOT_THERE.search(text):
            return RepositoryMissing(
                f"there is no repository at {repository}; is its disk mounted?",
                repository=repository,
            )
        return _unusable("unreachable", f"{repository} cannot be reached: {last}")
    if "no space left" in text or "quota" in text:
        return _unusable("full", f"{repository} is full: {last}; make room there")
    if "repository contains errors" in text:
        return _unusable("damaged", f"{repository} is damaged: {last}; see `restic check`")
    if "snapshot is empty" in text:
        return BackupFailed("the project is empty; no snapshot was made")
    return BackupFailed(f"restic failed with exit code {ended.code}: {last}")


def _unusable(cause: str, message: str) -> RepositoryUnusable:
    return RepositoryUnusable(message, cause=cause)


def _fatal(text: str) -> str:
    """Return the line that says why: the one marked fatal, else the last."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    fatal = [line for line in lines if line.startswith("Fatal:")]
    return (fatal or lines or ["it gave no reason"])[-1]
