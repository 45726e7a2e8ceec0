"""A structured log for a user's program: one JSON object a line, and the two logs all services share."""

import json
import os
import select
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from holdfast import statefile
from holdfast.client.level import Level, level_named
from holdfast.clock import Clock, SystemClock, utc_text
from holdfast.errors import StateError, UsageError
from holdfast.home import NAME, Home, default_home

MAX_SIZE = 10_000_000
"""Bytes after which a log file is rotated."""

KEEP = 5
"""How many rotated files stand beside the newest."""

SHARED = ("health", "policy-hits")
"""Logs that many programs write; no service bears their names."""

_STDOUT = 1
_STDERR = 2
_SEVERITIES = {**Level.__members__, "OK": Level.INFO, "UNKNOWN": Level.WARNING}


def get_logger(
    name: str | None = None, *, level: str | None = None, home: Path | None = None
) -> "Logger":
    """Return the logger of this service, or of the program called `name`.

    Inside a service lines go to standard output, which the supervisor keeps in `logs/<service>.log`; elsewhere
    to that file itself, rotated at 10 MB with 5 old ones kept. Below `level` (else `$HOLDFAST_LOG_LEVEL`, else
    INFO) nothing is written. ERROR and CRITICAL lines also go to `logs/health.log`, whatever the level.

    Raises:
        UsageError: a bad name or an unknown level.
    """
    inside = os.environ.get("HOLDFAST_SERVICE")
    name = name or inside
    if name is None or not NAME.fullmatch(name) or name in SHARED:
        raise UsageError(
            f"{name!r} cannot name a log: write get_logger(name) with lower case letters, digits, - and _"
        )
    threshold = level_named(level or os.environ.get("HOLDFAST_LOG_LEVEL") or "INFO")
    return Logger(
        name, level=threshold, home=Home(home or default_home()), is_captured=inside is not None
    )


class Logger:
    """Writes lines of JSON; made by `get_logger`, safe in threads, and never in the way of the program.

    Where a log cannot be written, its line goes to standard error, and where that fails too it is dropped:
    no call raises. Facts that JSON cannot hold are written as their `repr`; a fact named like a fixed key
    (`at level service message`) gets an underscore behind its name.
    """

    def __init__(
        self,
        name: str,
        *,
        level: Level,
        home: Home,
        is_captured: bool,
        clock: Clock | None = None,
    ) -> None:
        self.name = name
        self.level = level
        self._home = home
        self._is_captured = is_captured
        self._clock = clock or SystemClock()

    def debug(self, message: str, /, **facts: object) -> None:
        """Write what only a developer wants to see."""
        self._log(Level.DEBUG, message, facts)

    def info(self, message: str, /, **facts: object) -> None:
        """Write what was done."""
        self._log(Level.INFO, message, facts)

    def warning(self, message: str, /, **facts: object) -> None:
        """Write what may need attention."""
        self._log(Level.WARNING, message, facts)

    def error(self, message: str, /, **facts: object) -> None:
        """Write what failed, also into health.log."""
        self._log(Level.ERROR, message, facts)

    def critical(self, message: str, /, **facts: object) -> None:
        """Write what cannot go on, also into health.log."""
        self._log(Level.CRITICAL, message, facts)

    def log_startup(self, pid: int | None = None) -> None:
        """Write that the program started."""
        self._log(Level.INFO, "started", {"pid": os.getpid() if pid is None else pid})

    def log_shutdown(self, reason: str) -> None:
        """Write that the program ends, and why."""
        self._log(Level.INFO, "stopped", {"reason": reason})

    def log_exception(self, error: BaseException, /, **context: object) -> None:
        """Write an error with its trace, also into health.log."""
        import traceback

        facts = {
            "error": type(error).__name__,
            "trace": "".join(traceback.format_exception(error)),
        }
        self._log(Level.ERROR, _text(error) or type(error).__name__, {**context, **facts})

    def log_performance(self, operation: str, ms: float, success: bool = True) -> None:
        """Write how long an operation took, in milliseconds, and whether it succeeded."""
        facts = {"operation": operation, "duration_ms": ms, "success": success}
        self._log(Level.INFO if success else Level.WARNING, "performance", facts)

    def policy_hit(self, policy: str, action: str, context: object = None) -> None:
        """Write into policy-hits.log that a policy applied, and what was done."""
        facts = {"policy": policy, "action": action, "context": context}
        self._share("policy-hits", self._line(Level.INFO, f"{policy}: {action}", facts))

    def health_event(self, event: str, message: str, severity: str = "warning") -> None:
        """Write into health.log; `severity` is ok, warning, critical, unknown or the name of a level."""
        level = _SEVERITIES.get(str(severity).upper(), Level.WARNING)
        facts = {"event": event, "severity": severity}
        self._share("health", self._line(level, message, facts))

    def _log(self, level: Level, message: str, facts: Mapping[str, object]) -> None:
        if level < min(self.level, Level.ERROR):
            return
        line = self._line(level, message, facts)
        if level >= self.level:
            self._write(line)
        if level >= Level.ERROR:
            # The line stands in this program's own log already: without health.log nothing is lost.
            self._append("health", line)

    def _line(self, level: Level, message: object, facts: Mapping[str, object]) -> str:
        fixed = {
            "at": utc_text(self._clock.wall()),
            "level": level.name,
            "service": self.name,
            "message": _text(message),
        }
        return _json(
            {**fixed, **{key + "_" * (key in fixed): fact for key, fact in facts.items()}}
        )

    def _write(self, line: str) -> None:
        is_written = _print(_STDOUT, line) if self._is_captured else self._append(self.name, line)
        if not is_written:
            _print(_STDERR, line)

    def _share(self, log: str, line: str) -> None:
        if not self._append(log, line):
            _print(_STDERR, line)

    def _append(self, log: str, line: str) -> bool:
        try:
            if not self._home.logs.is_dir():
                self._home.make()
            statefile.append_line(self._home.log(log), line, max_size=MAX_SIZE, keep=KEEP)
        except (StateError, OSError):
            return False
        return True


def _print(stream: int, line: str) -> bool:
    """Write a line to a descriptor in one call: past the buffers of `print`, whole among other writers up to 4 KB."""
    rest = memoryview((line + "\n").encode())
    try:
        while rest:
            with suppress(BlockingIOError):
                rest = rest[os.write(stream, rest) :]
                continue
            select.select((), (stream,), ())
    except OSError:
        return False
    return True


def _json(facts: Mapping[str, object]) -> str:
    try:
        text = json.dumps(facts, ensure_ascii=False, allow_nan=False, default=_text)
    except (TypeError, ValueError, RecursionError):
        plain = {key: fact if _is_plain(fact) else _text(fact) for key, fact in facts.items()}
        text = json.dumps(plain, ensure_ascii=False, default=_text)
    # Half a surrogate pair has no UTF-8 form; its JSON escape says the same.
    return text.encode("utf-8", "backslashreplace").decode()


def _is_plain(fact: object) -> bool:
    try:
        json.dumps(fact, allow_nan=False, default=_text)
    except (TypeError, ValueError, RecursionError):
        return False
    return True


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    try:
        return str(value) if isinstance(value, BaseException) else repr(value)
    except Exception:  # noqa: BLE001 - a fact with a broken repr is no reason for a program to end
        return f"<{type(value).__name__} without a repr>"
