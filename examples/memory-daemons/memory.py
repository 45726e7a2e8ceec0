"""What the eight daemons share: where their files stand, and a loop that ends at once when it is asked to."""

import os
import select
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from holdfast import statefile
from holdfast.client import beat, get_logger
from holdfast.client.log import Logger
from holdfast.errors import Corrupt, HoldfastError
from holdfast.home import default_home

FOLDER = Path(os.environ.get("MEMORY_DIR") or default_home() / "data" / "memory")
EVERY = float(os.environ.get("MEMORY_EVERY") or 5)
"""Seconds between two looks."""

NOTES = FOLDER / "notes"  # *.md, written by a person; everything else is derived from them
CONTEXT = FOLDER / "context.json"  # by context
PREFERENCES = FOLDER / "preferences.json"  # by preference-auto-tracker
SKILLS = FOLDER / "skills.json"  # by the startup step "Register skills"
SUGGESTIONS = FOLDER / "suggestions.json"  # by skill-auto-suggester
SESSIONS = FOLDER / "sessions"  # by session-auto-save, thinned out by session-pruning
COMMITS = FOLDER / "commits.json"  # by commit
PATTERNS = FOLDER / "patterns.json"  # by pattern-detection
GUARD = FOLDER / "guard.json"  # by failure-prevention

Work = Callable[[Logger], float | None]
"""One look of a daemon; it may return a number that grows as long as it gets on."""


def run(name: str, work: Work) -> None:
    """Look every few seconds and beat after each look, until SIGTERM or Ctrl-C; a look is never cut short."""
    log = get_logger(name)
    woken = _wake_on(signal.SIGTERM, signal.SIGINT)
    log.log_startup()
    make_folders()
    while True:
        _look_and_beat(name, work, log)
        # Not a sleep: the signal ends the wait, also when it came during the look.
        if select.select([woken], [], [], EVERY)[0]:
            break
    beat("stopped", service=name, interval=EVERY)
    log.log_shutdown("asked to stop")


def _wake_on(*signals: signal.Signals) -> socket.socket:
    woken, wake = socket.socketpair()
    wake.setblocking(False)
    signal.set_wakeup_fd(wake.detach())
    for number in signals:
        signal.signal(number, lambda *_: None)
    return woken


def _look_and_beat(name: str, work: Work, log: Logger) -> None:
    try:
        progress = work(log)
    except (OSError, HoldfastError) as error:
        log.log_exception(error)
        beat("error", str(error), service=name, interval=EVERY)
    else:
        beat(progress=progress, service=name, interval=EVERY)


def make_folders() -> None:
    """Create what is missing, private to this user."""
    for folder in (FOLDER, NOTES, SESSIONS):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def load(path: Path) -> dict[str, Any]:
    """Return the object in a file: empty when there is none, and when it was spoiled (the file is set aside)."""
    try:
        found = statefile.read_json(path)
    except FileNotFoundError:
        return {}
    except Corrupt:
        statefile.quarantine(path)
        return {}
    return found if isinstance(found, dict) else {}


def save(path: Path, value: dict[str, Any]) -> bool:
    """Write a file if that changes it, and return whether it did: a kill leaves the old or the new one whole."""
    if load(path) == value:
        return False
    statefile.write_json(path, value, mode=0o600)
    return True


def notes() -> Iterator[Path]:
    """Yield the notes in the order of their names."""
    return (path for path in sorted(NOTES.glob("*.md")) if path.is_file())


def sessions() -> list[Path]:
    """Return the saved sessions, oldest first."""
    return sorted(path for path in SESSIONS.glob("*.json") if path.stem.isdigit())
