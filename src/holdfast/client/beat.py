"""Say that this program lives and how it fares: over the notify socket, else in its heartbeat file."""

import json
import math
import os
import sys
from typing import NoReturn

from holdfast.clock import SystemClock, boot_id

STATUSES = ("healthy", "syncing", "error", "stopped", "running")
USUAL_INTERVAL = 30.0
"""Seconds between two beats of a program that says nothing else and was told nothing else."""

BEATS_IN_A_LEASE = 3
"""How many beats a lease lasts unless the caller says otherwise; fewer than two are refused."""

FIELDS = frozenset(
    {"timestamp", "pid", "expires_at", "generation", "boot_id"}
    | {"status", "interval", "error", "progress"}
)


def beat(
    status: str = "healthy",
    error: str | None = None,
    progress: float | None = None,
    *,
    service: str | None = None,
    interval: float | None = None,
    lease: float | None = None,
    **extra: object,
) -> bool:
    """Tell that this program lives, and return whether somebody could be told.

    Inside a service the beat goes to the supervisor and never waits; while nobody takes it, it goes to
    `heartbeats/<service>.json`, as it does outside a service. `interval` and `lease` are seconds, and what is said
    here holds, whatever is configured; without a lease one beat is believed for three intervals, without either for
    as long as the configuration says. `extra` stands beside the fixed fields.

    Raises:
        UsageError: an unknown status, a bad name or lease, an extra field that is taken or has no JSON form.
        StateError: outside a service, the heartbeat file could not be written. Inside one the answer is False:
            a service is not to end because a disk is full.
    """
    spans = _Spans(interval, lease)
    _check_status(status)
    _check_times(spans, progress)
    _check_extra(extra)
    own = os.environ.get("HOLDFAST_SERVICE")
    fields: dict[str, object] = {
        "status": status,
        "interval": spans.interval,
        "error": None if error is None else str(error),
        "progress": progress,
    }
    if service in (None, own) and notify(*_notification(fields, extra), *spans.told):
        return True
    return _record(service or own, {**fields, **extra}, spans.lease)


OWN = frozenset({"supervisor", "watchdog"})
"""Whose heartbeats are judged by their files, and which no other program may write."""


class _Spans:
    """How often a program beats and how long one beat is believed; `told` are the lines that say what was chosen."""

    def __init__(self, interval: float | None, lease: float | None) -> None:
        is_chosen = interval is not None or lease is not None
        if lease is None:
            configured = None if is_chosen else _configured_lease()
            lease = configured or BEATS_IN_A_LEASE * (
                USUAL_INTERVAL if interval is None else interval
            )
        self.lease = lease
        self.interval = lease / BEATS_IN_A_LEASE if interval is None else interval
        self.told = (
            [f"X_HOLDFAST_INTERVAL={self.interval}", f"X_HOLDFAST_LEASE={lease}"]
            if is_chosen
            else []
        )


def _configured_lease() -> float | None:
    """Return the lease this program was given with its start, in seconds."""
    told = os.environ.get("WATCHDOG_USEC", "")
    if not (told.isascii() and told.isdecimal() and len(told) < 20):
        return None
    return int(told) / 1_000_000 or None


def ready(status: str | None = None) -> bool:
    """Tell the supervisor, or systemd, that this program can do its work; False when nobody listens."""
    return notify("READY=1", *_status_line(status))


def stopping(status: str | None = None) -> bool:
    """Tell the supervisor, or systemd, that this program is about to end; False when nobody listens."""
    return notify("STOPPING=1", *_status_line(status))


def status_text(text: str) -> bool:
    """Say in one line, for people, what this program is doing; False when nobody listens."""
    return notify(*_status_line(text))


def notify(*lines: str) -> bool:
    """Send one sd_notify message to `$NOTIFY_SOCKET` and return whether it was taken.

    Never waits: a receiver that is gone, or whose queue is full, has not taken it. The form is that of
    sd_notify(3): one `NAME=value` a line; an address that begins with @ is an abstract one.
    """
    address = os.environ.get("NOTIFY_SOCKET", "")
    if sys.platform == "win32" or not address:
        return False
    import socket

    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.setblocking(False)
        try:
            sender.sendto(
                "\n".join(lines).encode("utf-8", "backslashreplace"),
                "\0" + address[1:] if address.startswith("@") else address,
            )
        except OSError:
            return False
    return True


def _notification(fields: dict[str, object], extra: dict[str, object]) -> list[str]:
    error = fields["error"]
    shown = f"{fields['status']}: {error}" if error else str(fields["status"])
    lines = ["WATCHDOG=1", *_status_line(shown)]
    lines += [
        f"X_HOLDFAST_{name.upper()}={_one_line(fields[name])}"
        for name in ("status", "error", "progress")
        if fields[name] is not None
    ]
    if extra:
        lines.append(f"X_HOLDFAST_EXTRA={json.dumps(extra)}")
    return lines


def _status_line(text: str | None) -> list[str]:
    return [] if text is None else [f"STATUS={_one_line(text)}"]


def _one_line(text: object) -> str:
    # A line feed would begin another field.
    return " ".join(str(text).split())


def _record(name: str | None, fields: dict[str, object], lease: float) -> bool:
    from holdfast.errors import StateError
    from holdfast.home import NAME

    is_inside = "HOLDFAST_SERVICE" in os.environ or "NOTIFY_SOCKET" in os.environ
    if name is None and is_inside:
        return False
    if name is None or not NAME.fullmatch(name):
        _refuse(
            f"{name!r} names no service: write beat(service=...) with lower case letters, digits, - and _"
        )
    if name in OWN:
        _refuse(f"{name!r} is Holdfast itself and beats by itself; name a service")
    now = SystemClock().wall()
    content = {
        "timestamp": now,
        "pid": os.getpid(),
        "expires_at": now + lease,
        "generation": _generation(name),
        "boot_id": boot_id(),
        **fields,
    }
    try:
        _write(name, content)
    except StateError:
        if not is_inside:
            raise
        return name == os.environ.get("HOLDFAST_SERVICE") and _write_beside(name, content)
    return True


def _write_beside(name: str, content: dict[str, object]) -> bool:
    """Write beside the notify socket, where a service of another user can: the home is closed to it."""
    from holdfast import statefile
    from holdfast.errors import StateError

    folder = os.path.join(os.path.dirname(os.environ.get("NOTIFY_SOCKET", "")), "heartbeat")
    if not os.path.isabs(folder) or not os.path.isdir(folder):
        return False
    try:
        statefile.write_json(
            os.path.join(folder, f"{name}.json"),
            content,
            durability=statefile.Durability.ATOMIC,
            mode=0o600,
        )
    except StateError:
        return False
    return True


def _write(name: str, content: dict[str, object]) -> None:
    from holdfast import statefile
    from holdfast.home import Home, default_home
    from holdfast.statefile.faults import io_error

    home = Home(default_home())
    path = home.heartbeat(name)
    try:
        if not path.parent.is_dir():
            home.make()
    except OSError as error:
        raise io_error(error, str(path), "written") from error
    statefile.write_json(path, content, durability=statefile.Durability.ATOMIC, mode=0o600)


def _generation(name: str) -> int | None:
    """Return which start of the service this is; None in a program that beats for another."""
    told = os.environ.get("HOLDFAST_GENERATION", "")
    return int(told) if told.isdecimal() and name == os.environ.get("HOLDFAST_SERVICE") else None


def _check_status(status: str) -> None:
    if status not in STATUSES:
        _refuse(f"{status!r} is no status; expected one of: {', '.join(STATUSES)}")


def _check_times(spans: _Spans, progress: float | None) -> None:
    if not (spans.interval > 0 and 2 * spans.interval <= spans.lease < math.inf):
        _refuse(
            f"interval {spans.interval} s with lease {spans.lease} s; expected a lease of at least two intervals, in seconds"
        )
    if progress is not None and not math.isfinite(progress):
        _refuse(f"progress is {progress}; expected a number, such as how many items are done")


def _check_extra(extra: dict[str, object]) -> None:
    if taken := FIELDS & extra.keys():
        _refuse(
            f"{', '.join(sorted(taken))}: filled in by beat() itself; name the extra field otherwise"
        )
    try:
        json.dumps(extra, allow_nan=False)
    except (TypeError, ValueError) as error:
        _refuse(f"an extra field of this beat has no JSON form: {error}")


def _refuse(message: str) -> NoReturn:
    from holdfast.errors import UsageError

    raise UsageError(message)
