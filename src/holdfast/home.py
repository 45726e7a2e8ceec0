"""Where things stand on disk: the state folder and the short runtime folder of sockets and pipes."""

import os
import re
import stat
import sys
from pathlib import Path
from typing import NamedTuple

from holdfast.errors import Refused

NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")
LONGEST_RUNTIME = 60
"""Bytes of the folder around the runtime folder, so that every socket below it stays within the 107 of AF_UNIX."""

RESERVED_NAMES = frozenset(
    {"supervisor", "watchdog", "hub", "link", "backup", "health", "policy-hits"}
)


def default_home() -> Path:
    """Return `$HOLDFAST_HOME`, else the state folder this platform prescribes."""
    chosen = os.environ.get("HOLDFAST_HOME")
    if chosen:
        return Path(chosen).expanduser().absolute()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", "~/AppData/Local")).expanduser() / "holdfast"
    if sys.platform == "darwin":
        return Path("~/Library/Application Support/holdfast").expanduser()
    return Path(os.environ.get("XDG_STATE_HOME") or "~/.local/state").expanduser() / "holdfast"


class Home(NamedTuple):
    """The state folder; every path Holdfast keeps is named here and nowhere else."""

    root: Path

    @property
    def supervisor_lock(self) -> Path:
        """Return the file whose OS lock means: a supervisor runs here."""
        return self.root / "supervisor.lock"

    @property
    def watchdog_lock(self) -> Path:
        """Return the file whose OS lock means: a watchdog runs here."""
        return self.root / "watchdog.lock"

    @property
    def watchdog_status(self) -> Path:
        """Return the file in which the watchdog says how it finds things."""
        return self.root / "watchdog.status"

    @property
    def config_pointer(self) -> Path:
        """Return the file that remembers which holdfast.toml this home was brought up with."""
        return self.root / "config.json"

    @property
    def runtime_pointer(self) -> Path:
        """Return the file that remembers the runtime folder, whatever the caller's environment says."""
        return self.root / "runtime"

    @property
    def services(self) -> Path:
        """Return the folder of one state file per service."""
        return self.root / "services"

    @property
    def pids(self) -> Path:
        """Return the folder of pid files for other tools."""
        return self.root / "pids"

    @property
    def jobs(self) -> Path:
        """Return the folder of one state file per job: its schedule and its runs."""
        return self.root / "jobs"

    @property
    def backups(self) -> Path:
        """Return the folder of one record per backed-up project."""
        return self.root / "backups"

    @property
    def hub_db(self) -> Path:
        """Return the database of a hub on SQLite."""
        return self.root / "hub.db"

    @property
    def hub_lock(self) -> Path:
        """Return the file whose OS lock means: a hub runs here."""
        return self.root / "hub.lock"

    @property
    def hub_address(self) -> Path:
        """Return the file in which the running hub says where it listens."""
        return self.root / "hub.json"

    @property
    def checks_summary(self) -> Path:
        """Return the file in which the hub leaves how every check does, for those who cannot or need not ask it."""
        return self.root / "checks.json"

    @property
    def token(self) -> Path:
        """Return the file with the API token of this machine's user."""
        return self.root / "token"

    @property
    def ping_key(self) -> Path:
        """Return the file with the key in ping addresses."""
        return self.root / "ping-key"

    @property
    def heartbeats(self) -> Path:
        """Return the folder of heartbeat files."""
        return self.root / "heartbeats"

    @property
    def journal(self) -> Path:
        """Return the folder of the machine's events."""
        return self.root / "journal"

    @property
    def logs(self) -> Path:
        """Return the folder of captured output and own logs."""
        return self.root / "logs"

    def service(self, name: str) -> Path:
        """Return the state file of one service."""
        return self.services / f"{name}.json"

    def pid(self, name: str) -> Path:
        """Return the pid file of one service."""
        return self.pids / f"{name}.pid"

    def job(self, name: str) -> Path:
        """Return the state file of one job."""
        return self.jobs / f"{name}.json"

    def backup(self, name: str) -> Path:
        """Return the record of one backed-up project."""
        return self.backups / f"{name}.json"

    def log(self, name: str) -> Path:
        """Return the newest log file of one service."""
        return self.logs / f"{name}.log"

    def heartbeat(self, name: str) -> Path:
        """Return the heartbeat file of one service."""
        return self.heartbeats / f"{name}.json"

    def make(self) -> None:
        """Create what is missing, private to this user.

        Raises:
            Refused: the root is a folder others share, which must not be made private.
            OSError: a folder cannot be made.
        """
        if self.root.is_dir() and self.root.stat().st_mode & stat.S_ISVTX:
            raise Refused(
                f"{self.root} is shared with others; set HOLDFAST_HOME to a folder of its own"
            )
        for folder in (
            self.root,
            self.services,
            self.jobs,
            self.backups,
            self.pids,
            self.heartbeats,
            self.journal,
            self.logs,
        ):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.root.chmod(0o700)

    def runtime(self) -> Path:
        """Return the folder of sockets and pipes: the remembered one, else where a new one belongs.

        The remembered one counts only while the folder it stands in is there: a session's folder goes with the session.
        """
        try:
            remembered = self.runtime_pointer.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError):
            remembered = ""
        if remembered and os.access(os.path.dirname(remembered), os.W_OK | os.X_OK):
            return Path(remembered)
        return Path(remembered) if os.path.isdir(remembered) else self.new_runtime()

    def new_runtime(self) -> Path:
        """Return a folder for sockets, bound to this home: the first possible one short enough for an AF_UNIX path."""
        import hashlib
        import tempfile

        tag = f"holdfast-{hashlib.sha256(os.fsencode(self.root)).hexdigest()[:12]}"
        places = [os.environ.get("XDG_RUNTIME_DIR", ""), "/run", tempfile.gettempdir()]
        usable = [place for place in places if place and _is_usable(place)]
        short = [place for place in usable if len(os.fsencode(place)) <= LONGEST_RUNTIME]
        return Path((short or usable or places)[0]) / tag

    @property
    def control_socket(self) -> Path:
        """Return the socket on which the supervisor takes orders."""
        return self.runtime() / "control.sock"

    @property
    def watchdog_socket(self) -> Path:
        """Return the socket on which the watchdog takes what the supervisor gives into its keeping."""
        return self.runtime() / "watchdog.sock"


def _is_usable(place: str) -> bool:
    """Tell whether sockets may stand there; those of root, whose services may run as others, where all can pass."""
    if not os.access(place, os.W_OK | os.X_OK):
        return False
    if sys.platform == "win32" or os.geteuid() != 0:
        return True
    return bool(os.stat(place).st_mode & stat.S_IXOTH)


def make_runtime(folder: Path) -> None:
    """Create the runtime folder, or take it over when it is ours.

    Raises:
        Refused: somebody else made it first, or it is not a plain folder.
    """
    if not os.path.lexists(folder):
        folder.mkdir(mode=0o711, parents=True, exist_ok=True)
    if sys.platform == "win32":
        return
    found = folder.lstat()
    if folder.is_symlink() or not folder.is_dir() or found.st_uid != os.geteuid():
        raise Refused(
            f"{folder} belongs to somebody else; it was expected to be a folder of this user: remove it or set XDG_RUNTIME_DIR"
        )
    folder.chmod(0o711)
