"""Remove the snapshots that no period needs, counted in the days of the project's time zone."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from holdfast.machine.backup.engine import Engine, Report, silent
from holdfast.model.backup import BackupRecord, BackupSpec
from holdfast.rules.backups import Local, forgettable


def local_in(timezone: str | None) -> Local:
    """Return what turns seconds since the epoch into the wall clock of a time zone; None is that of this machine.

    Raises:
        ZoneInfoNotFoundError: there is no such time zone.
    """
    if timezone is None:
        return lambda at: datetime.fromtimestamp(at, UTC).astimezone()
    zone = ZoneInfo(timezone)
    return lambda at: datetime.fromtimestamp(at, zone)


def prune(
    spec: BackupSpec, engine: Engine, record: BackupRecord, report: Report = silent
) -> tuple[str, ...]:
    """Remove what `spec.keep` does not hold, and return the ids; only what the record has judged is touched.

    Raises:
        BackupFailed: the engine could not; some may be gone.
    """
    gone = forgettable(record.snapshots, spec.keep, local_in(spec.timezone))
    if gone:
        engine.forget(gone, report)
    return gone
