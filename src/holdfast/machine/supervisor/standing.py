"""What the configuration says beside services, and every supervisor of a home goes by: written once, obeyed for good."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from holdfast import statefile
from holdfast.errors import StateError, UsageError
from holdfast.home import Home

if TYPE_CHECKING:
    from holdfast.model.job import JobSpec

LOOK_EVERY = 300.0
"""Seconds between two looks at everything where the configuration says nothing else."""

STALE_AFTER = 300.0
"""Seconds after which the watchdog calls a beat of the supervisor stale where it says nothing else."""

KEYS = (
    "config",
    "machine",
    "look_every",
    "watchdog",
    "last_resort",
    "jobs",
    "hub",
    "backups",
)
"""What `config.json` holds."""


_OF_BUILTINS = (("hub", "hub"), ("backup", "backups"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """The standing orders; `watchdog` is its section as it is sent on, `last_resort` that of [alerts].

    `of_builtins` is what the built-in services read for themselves, by their names.
    """

    look_every: float = LOOK_EVERY
    stale_after: float = STALE_AFTER
    watchdog: Mapping[str, Any] | None = None
    last_resort: Mapping[str, Any] | None = None
    jobs: "tuple[JobSpec, ...]" = ()
    of_builtins: Mapping[str, object] = field(default_factory=dict)


def remembered(home: Home) -> dict[str, Any]:
    """Return what the last `up` or `reload` left behind, empty when nothing can be read."""
    try:
        found = statefile.read_json(home.config_pointer)
    except (StateError, FileNotFoundError):
        return {}
    return found if isinstance(found, dict) else {}


def names_of_jobs(home: Home) -> set[str]:
    """Return the names of those whose records stand beside the services' and are none."""
    jobs = remembered(home).get("jobs")
    rows = jobs if isinstance(jobs, list) else []
    programs = [one.get("program") for one in rows if isinstance(one, dict)]
    return {str(program.get("name")) for program in programs if isinstance(program, dict)}


def changed(home: Home, params: Mapping[str, Any]) -> list[str]:
    """Return which of the standing orders these would change, beside the jobs, by their keys."""
    known = remembered(home)
    return [
        key for key in KEYS if key in params and key != "jobs" and params[key] != known.get(key)
    ]


def remember(home: Home, params: Mapping[str, Any]) -> None:
    """Write down what every later supervisor of this home is to know too.

    Raises:
        StateError: the disk refused it.
    """
    known = {**remembered(home), **{key: params[key] for key in KEYS if key in params}}
    statefile.write_json(home.config_pointer, known, mode=0o600)


def read(plain: Mapping[str, Any]) -> Standing:
    """Return the standing orders in this object; what is missing has its default.

    Raises:
        UsageError: something in it has another form than expected.
    """
    watchdog = _table(plain, "watchdog")
    return Standing(
        look_every=_seconds(plain, "look_every", LOOK_EVERY),
        stale_after=_seconds(watchdog or {}, "stale_after", STALE_AFTER),
        watchdog=watchdog,
        last_resort=_last_resort(plain),
        jobs=_jobs(plain.get("jobs")),
        of_builtins={name: plain[key] for name, key in _OF_BUILTINS if key in plain},
    )


def _table(plain: Mapping[str, Any], key: str) -> Mapping[str, Any] | None:
    found = plain.get(key)
    if found is not None and not isinstance(found, dict):
        raise UsageError(f"{key} expects an object, not {found!r}")
    return found


def _last_resort(plain: Mapping[str, Any]) -> Mapping[str, Any] | None:
    found = _table(plain, "last_resort") or {}
    file, command = found.get("file"), found.get("command")
    is_command = isinstance(command, list) and all(isinstance(word, str) for word in command)
    if not (file is None or isinstance(file, str)) or not (command is None or is_command):
        raise UsageError(f"last_resort expects a file or a list of words, not {found!r}")
    return found or None


def _seconds(plain: Mapping[str, Any], key: str, default: float) -> float:
    found = plain.get(key, default)
    if isinstance(found, bool) or not isinstance(found, int | float) or not found > 0:
        raise UsageError(f"{key} expects a number of seconds, not {found!r}")
    return float(found)


def _jobs(plain: object) -> "tuple[JobSpec, ...]":
    from holdfast.model.job import JobSpec
    from holdfast.model.wire import from_plain

    if plain is None:
        return ()
    if not isinstance(plain, list):
        raise UsageError("jobs expects a list of jobs")
    try:
        return tuple(from_plain(JobSpec, one) for one in plain)
    except ValueError as error:
        raise UsageError(f"a job cannot be read: {error}") from error
