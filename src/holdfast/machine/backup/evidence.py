"""Look at the snapshots themselves, and tell what they prove: never what a run said of itself."""

import os
from dataclasses import replace

from holdfast.errors import HoldfastError
from holdfast.machine.backup.engine import Engine, RepositoryMissing, choose
from holdfast.model.backup import BackupRecord, BackupSpec, Snapshot
from holdfast.model.check import Observation
from holdfast.model.wire import to_plain
from holdfast.rules.backups import doubt, last_seen, merged, moved, newest_valid, of_the_past

COUNTED = 3
"""New snapshots, the newest first, whose files are counted at one look; where nobody counted there is no proof."""


def observe(
    spec: BackupSpec, engine: Engine | None, record: BackupRecord, now: float
) -> tuple[BackupRecord, dict[str, object]]:
    """Return the record after a look at project and repository, and the facts of event `backup.observed`.

    Without an engine the project's own is chosen.

    Raises nothing of the engine: what keeps one from looking is the fact `unverified`, and what was known before
    stays known, with its age.
    """
    known = of_the_past(moved(record, spec.repository), now)
    seen = replace(known, observed_at=now, missing="", unverified="")
    if not os.path.isdir(spec.path):
        seen = replace(seen, missing=f"the project folder {spec.path} is not there")
    try:
        keeper = engine or choose(spec)
        if keeper.exists():
            seen = replace(seen, engine=keeper.name, repository=spec.repository)
            listed = _counted(keeper, keeper.snapshots(), known)
            seen = merged(seen, listed, now, settle_after=spec.warning_after)
        else:
            seen = _without(spec, seen)
    except RepositoryMissing:
        seen = _without(spec, seen)
    except HoldfastError as error:
        seen = replace(seen, unverified=str(error))
    return seen, facts_of(spec, seen, now)


def _without(spec: BackupSpec, record: BackupRecord) -> BackupRecord:
    """Return the record of a project whose repository is gone; one that never had any is not missing it."""
    if record.engine is None:
        return record
    return replace(record, missing=f"the repository {spec.repository} is not there")


def _counted(
    engine: Engine, listed: tuple[Snapshot, ...], record: BackupRecord
) -> tuple[Snapshot, ...]:
    """Return the listing with the newest of those counted that nobody counted before."""
    known = {one.id for one in record.snapshots if one.files is not None}
    unknown = [one for one in listed if one.files is None and one.id not in known]
    counted = {one.id: engine.measured(one) for one in unknown[-COUNTED:]}
    return tuple(counted.get(one.id, one) for one in listed)


def facts_of(spec: BackupSpec, record: BackupRecord, now: float) -> dict[str, object]:
    """Return what the record says as an observation, in the form of an event."""
    best = newest_valid(record.snapshots)
    observation = Observation(
        at=now,
        covered_at=record.covered_at,
        snapshot_seen_at=last_seen(record),
        files=None if best is None else best.files,
        verified_at=record.verified_at,
        failure=record.last_error,
        suspect=doubt(spec, record, now),
        missing=record.missing,
        unverified=record.unverified,
    )
    plain = to_plain(observation)
    assert isinstance(plain, dict)
    return plain
