"""Decide which snapshots are believed, how fresh they make a project, which are forgotten and what is verified next.

The rule for what counts: only a whole snapshot that holds what the one before held, dated no later than it was first
seen. An attempt, a claim or a date of the future makes nothing fresher.
"""

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from holdfast.errors import UnknownName
from holdfast.model.backup import DAY, BackupRecord, BackupSpec, Keep, Snapshot, Taken

SHRINK_AT_MOST = 0.5
"""Share of its files, or of its bytes, that a project may lose from one snapshot to the next."""

FUTURE_SLACK = 120.0
"""Seconds a snapshot may be dated after it was first seen: repositories have clocks of their own."""

PARTS = 4
"""Parts a repository is read in, one at each verify: with the default of 7 days all of it within 28."""

LATEST = "latest"
"""The word for the newest snapshot that is believed."""

_HASH_DIGITS = 64

Local = Callable[[float], datetime]
"""Turns seconds since the epoch into the wall clock that days and weeks are counted in."""


def ts(snapshot: Snapshot) -> float:
    """Return the moment a snapshot stands for: its date, but no later than it was first seen."""
    seen = snapshot.first_observed_at
    return snapshot.at if seen is None else min(snapshot.at, seen)


def order(snapshot: Snapshot) -> tuple[float, str]:
    """Return the key by which snapshots are sorted, the newest last."""
    return ts(snapshot), snapshot.id


def fault(snapshot: Snapshot, before: Snapshot | None) -> str:
    """Return why a snapshot is not believed, given the newest one before it that is; empty when it is."""
    seen = snapshot.first_observed_at
    if seen is not None and snapshot.at > seen + FUTURE_SLACK:
        return "it is dated in the future"
    if snapshot.partial:
        return _partial(snapshot)
    if snapshot.files is None:
        return "nobody could count its files"
    if snapshot.files == 0:
        return "it holds no file"
    return "" if before is None else _shrunk(snapshot, before)


def _partial(snapshot: Snapshot) -> str:
    if not snapshot.unread:
        return "some files could not be read"
    more = len(snapshot.unread) - 1
    return f"{snapshot.unread[0]}{f' and {more} more' if more else ''} could not be read"


def _shrunk(snapshot: Snapshot, before: Snapshot) -> str:
    for now, then, what in (
        (snapshot.files, before.files, "files"),
        (snapshot.bytes, before.bytes, "bytes"),
    ):
        if now is not None and then and 1 - now / then > SHRINK_AT_MOST:
            return f"it holds {now} {what}, the one before {then}"
    return ""


def merged(
    record: BackupRecord, listed: Iterable[Snapshot], now: float, *, settle_after: float
) -> BackupRecord:
    """Return the record with what a listing shows: new snapshots judged, judged ones kept, vanished ones dropped.

    A project that became much smaller is suspect for `settle_after` seconds; what is still so small then is meant.
    """
    known = {one.id: one for one in record.snapshots}
    judged: list[Snapshot] = []
    before: Snapshot | None = None
    shrunk_at = record.shrunk_at
    for snapshot in sorted((_seen(one, known.get(one.id), now) for one in listed), key=order):
        one = snapshot
        if not _is_judged(known.get(one.id), now):
            why = fault(one, before)
            if why and before is not None and not fault(one, None):
                shrunk_at = ts(one) if shrunk_at is None else min(shrunk_at, ts(one))
                why = "" if ts(one) - shrunk_at >= settle_after else why
            one = replace(one, valid=not why, why=why)
            shrunk_at = shrunk_at if why else None
        before = one if one.valid else before
        judged.append(one)
    return _standing(replace(record, snapshots=tuple(judged), shrunk_at=shrunk_at))


def _seen(found: Snapshot, old: Snapshot | None, now: float) -> Snapshot:
    """Return a listed snapshot with what is remembered of it, first seen no later than now."""
    if old is None:
        return replace(found, first_observed_at=now)
    kept = found if old.files is None else old
    first = now if old.first_observed_at is None else min(old.first_observed_at, now)
    return replace(kept, first_observed_at=first)


def _is_judged(old: Snapshot | None, now: float) -> bool:
    """Tell whether a verdict stands; one that was given while the clock was ahead does not."""
    if old is None or old.files is None or old.first_observed_at is None:
        return False
    return old.first_observed_at <= now


def _standing(record: BackupRecord) -> BackupRecord:
    """Return the record with what follows from its snapshots: what is covered, and what is wrong with the newest."""
    best = newest_valid(record.snapshots)
    covered = None if best is None else ts(best)
    if covered is not None and best is not None and record.unchanged_id == best.id:
        covered = max(covered, record.unchanged_at or covered)
    last = max(record.snapshots, key=order, default=None)
    why = "" if last is None or last.valid else f"newest snapshot {short(last.id)}: {last.why}"
    return replace(record, covered_at=covered, suspect=why)


def of_the_past(record: BackupRecord, now: float) -> BackupRecord:
    """Return the record without what a clock that was ahead wrote into it: nothing is covered up to a moment to come."""
    is_ahead = record.unchanged_at is not None and record.unchanged_at > now
    if not is_ahead and (record.covered_at is None or record.covered_at <= now):
        return record
    unchanged_at = None if is_ahead else record.unchanged_at
    standing = _standing(replace(record, unchanged_at=unchanged_at))
    is_over = standing.covered_at is None or standing.covered_at <= now
    return standing if is_over else replace(standing, covered_at=None)


def last_seen(record: BackupRecord) -> float | None:
    """Return when somebody here first saw the newest believed snapshot, or last found the project to be the same as it."""
    best = newest_valid(record.snapshots)
    if best is None or record.unchanged_id != best.id or record.unchanged_at is None:
        return None if best is None else best.first_observed_at
    seen = best.first_observed_at
    return record.unchanged_at if seen is None else max(seen, record.unchanged_at)


def short(identity: str) -> str:
    """Return an id as people are shown it: the beginning of a hash, all of a date."""
    return identity[:8] if len(identity) == _HASH_DIGITS else identity


def newest_valid(snapshots: Iterable[Snapshot]) -> Snapshot | None:
    """Return the newest snapshot that is believed."""
    return max((one for one in snapshots if one.valid), key=order, default=None)


def moved(record: BackupRecord, repository: str) -> BackupRecord:
    """Return the record of a project whose snapshots go to this repository; what was in another proves nothing of it."""
    if record.repository in ("", repository):
        return record
    return BackupRecord(
        name=record.name,
        last_attempt_at=record.last_attempt_at,
        last_failure_at=record.last_failure_at,
        last_error=record.last_error,
        told=record.told,
    )


def attempted(record: BackupRecord, now: float) -> BackupRecord:
    """Return the record of a project whose backup begins; it makes nothing fresher."""
    return replace(record, last_attempt_at=now)


def failed(record: BackupRecord, why: str, now: float) -> BackupRecord:
    """Return the record of a project whose backup came to nothing."""
    return replace(record, last_failure_at=now, last_error=why)


def taken(record: BackupRecord, run: Taken, now: float, *, settle_after: float) -> BackupRecord:
    """Return the record after a run that came to its end, with its snapshot judged."""
    if run.is_new:
        others = (one for one in record.snapshots if one.id != run.snapshot.id)
        fresh = merged(record, (*others, run.snapshot), now, settle_after=settle_after)
    else:
        began = min(run.began_at, now)
        settled = _settled(record, run.snapshot.id, now, settle_after=settle_after)
        fresh = _standing(replace(settled, unchanged_at=began, unchanged_id=run.snapshot.id))
    return replace(fresh, last_error="", missing="", unverified="")


def _settled(record: BackupRecord, same: str, now: float, *, settle_after: float) -> BackupRecord:
    """Return the record with the snapshot believed that a project which stayed small still is the same as."""
    since = record.shrunk_at
    if since is None or now - since < settle_after:
        return record
    snapshots = tuple(
        replace(one, valid=True, why="") if one.id == same and not fault(one, None) else one
        for one in record.snapshots
    )
    is_meant = any(one.id == same and one.valid for one in snapshots)
    return replace(record, snapshots=snapshots, shrunk_at=None if is_meant else since)


def is_success(record: BackupRecord, run: Taken) -> bool:
    """Tell whether the snapshot a run ended with is believed."""
    return any(one.id == run.snapshot.id and one.valid for one in record.snapshots)


def is_verify_due(spec: BackupSpec, record: BackupRecord, now: float) -> bool:
    """Tell whether a part of the repository is to be read back; one that failed is tried again after a day."""
    every = spec.verify_every
    if every is None or newest_valid(record.snapshots) is None:
        return False
    return _is_over(record.verified_at, every, now) and _is_over(
        record.verify_tried_at, min(every, DAY), now
    )


def _is_over(since: float | None, span: float, now: float) -> bool:
    """Tell whether a span has passed; a moment of the future was written by a wrong clock."""
    return since is None or since > now or now - since >= span


def next_part(record: BackupRecord) -> int:
    """Return which of the `PARTS` is read next."""
    return record.verify_next % PARTS


def verified(record: BackupRecord, why: str, now: float, *, part: int | None) -> BackupRecord:
    """Return the record after a part, or all where `part` is None, was read back; `why` is what was wrong.

    A part with a fault is read again until it is sound: only reading it sound takes the doubt away.
    """
    if why:
        again = record.verify_next if part is None else part
        return replace(record, verify_tried_at=now, verify_error=why, verify_next=again)
    is_cleared = not record.verify_error or part is None or part == next_part(record)
    following = 0 if part is None else (part + 1) % PARTS
    return replace(
        record,
        verify_tried_at=now,
        verified_at=now if is_cleared else record.verified_at,
        verify_error="" if is_cleared else record.verify_error,
        verify_next=following if is_cleared else record.verify_next,
    )


def doubt(spec: BackupSpec, record: BackupRecord, now: float) -> str:
    """Return why the evidence of a project is not believed, the gravest first; empty when it is.

    Not to have been read back for twice `verify_every` is a doubt of its own.
    """
    if record.verify_error:
        return f"verify found damage: {record.verify_error}"
    if record.suspect or spec.verify_every is None or not record.snapshots:
        return record.suspect
    firsts = [
        one.first_observed_at for one in record.snapshots if one.first_observed_at is not None
    ]
    since = record.verified_at if record.verified_at is not None else min(firsts, default=now)
    if now - since <= 2 * spec.verify_every:
        return ""
    return f"nothing of it was read back for {(now - since) / DAY:.0f} days"


def pick(snapshots: Sequence[Snapshot], wanted: str, *, name: str) -> Snapshot:
    """Return the snapshot a person means: `latest`, an id, or the beginning of one.

    `latest` is the newest that is believed; where none is, the newest of all.

    Raises:
        UnknownName: none of them, or several, begin so.
    """
    if wanted == LATEST and snapshots:
        return newest_valid(snapshots) or max(snapshots, key=order)
    found = [one for one in snapshots if wanted and one.id.startswith(wanted)]
    if len(found) == 1:
        return found[0]
    what = "several snapshots begin" if found else "no snapshot begins"
    raise UnknownName(
        f"{name}: {what} with {wanted!r}; `holdfast backup snapshots {name}` shows them all"
    )


def forgettable(snapshots: Sequence[Snapshot], keep: Keep, local: Local) -> tuple[str, ...]:
    """Return the ids that no hour, day, week or month of `keep` needs, oldest first.

    A period keeps its newest snapshot that is believed, else its newest; only periods with a snapshot count. The newest
    of all and the newest that is believed stay, whatever `keep` says.
    """
    ordered = sorted(snapshots, key=order, reverse=True)
    best = newest_valid(ordered)
    kept = {one.id for one in (*ordered[:1], best) if one is not None}
    for count, period in (
        (keep.hourly, lambda at: int(at // 3600)),
        (keep.daily, lambda at: local(at).date()),
        (keep.weekly, lambda at: local(at).isocalendar()[:2]),
        (keep.monthly, lambda at: (local(at).year, local(at).month)),
    ):
        kept |= _kept(ordered, count, period)
    return tuple(one.id for one in reversed(ordered) if one.id not in kept)


def _kept(
    ordered: Sequence[Snapshot], count: int, period: Callable[[float], Hashable]
) -> set[str]:
    """Return what the newest `count` periods keep."""
    chosen: dict[Hashable, Snapshot] = {}
    for one in ordered:
        key = period(ts(one))
        if key not in chosen:
            if len(chosen) >= count:
                break
            chosen[key] = one
        elif one.valid and not chosen[key].valid:
            chosen[key] = one
    return {one.id for one in chosen.values()}
