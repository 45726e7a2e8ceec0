"""When a cron expression is due, in the time of its zone; at changes of the clocks as Debian's cron has it."""

import contextlib
import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

PRESETS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}

LOCAL_TIME = "/etc/localtime"
"""The zone of this machine, on Linux and macOS a link into the database of zones."""

_SPANS = (3600.0, 86_400.0, 32 * 86_400.0, 367 * 86_400.0)


def due_after(schedule: str, zone: str | None, moment: float) -> float | None:
    """Return the first due time after a moment, or None when there is none in the next 50 years."""
    return next(_dues(schedule, zone, moment), None)


def latest_due(schedule: str, zone: str | None, after: float, until: float) -> float | None:
    """Return the last due time after `after` and not after `until`, or None; cheap however far they are apart."""
    for span in (*_SPANS, until - after):
        start = max(after, until - span)
        found = None
        for due in _dues(schedule, zone, start):
            if due > until:
                break
            found = due
        if found is not None or start <= after:
            return found
    return None


def _dues(schedule: str, zone: str | None, moment: float) -> Iterator[float]:
    from cronsim import CronSim, CronSimError

    here = datetime.fromtimestamp(moment, zone_named(zone, moment))
    with contextlib.suppress(CronSimError):  # a day that no month of the expression has
        for due in CronSim(PRESETS.get(schedule, schedule), here):
            # In the second of two hours of autumn it begins with a time of the first one.
            if (at := due.timestamp()) > moment:
                yield at


def zone_named(zone: str | None, moment: float) -> tzinfo:
    """Return a zone by its name, that of this machine for None; UTC when its database lacks it."""
    if zone is None:
        return local_zone(moment)
    try:
        return UTC if zone == "UTC" else ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC


def local_zone(moment: float) -> tzinfo:
    """Return the zone of this machine as it is set now; without a database of zones, its offset at the moment."""
    name = os.environ.get("TZ", "").removeprefix(":")
    if name or sys.platform == "win32":
        with contextlib.suppress(ZoneInfoNotFoundError, ValueError, OSError):
            return ZoneInfo(name)
    else:
        with contextlib.suppress(ValueError, OSError), open(LOCAL_TIME, "rb") as source:
            return ZoneInfo.from_file(source)
    return datetime.fromtimestamp(moment, UTC).astimezone().tzinfo or UTC
