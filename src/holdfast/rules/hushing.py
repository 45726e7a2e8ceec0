"""Decide whether something stands in the way of telling a person about a check: a silence, a failed elder, the hour of the day."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from holdfast.model.alert import Hush, Silence
from holdfast.model.check import Severity

NOTHING = Hush()


@dataclass(frozen=True, slots=True, kw_only=True)
class Hour:
    """The hour of the day where the hub stands, 0 to 23, and the quiet ones: from the first to the beginning of the last."""

    local: int = 0
    quiet: tuple[int, ...] = ()

    def is_quiet(self) -> bool:
        """Tell whether the hour lies in the quiet ones, which may go over midnight; equal ends mean none."""
        if len(self.quiet) != 2:
            return False
        first, end = self.quiet
        if first <= end:
            return first <= self.local < end
        return self.local >= first or self.local < end


def hush_for(
    name: str,
    silences: Iterable[Silence],
    hour: Hour,
    dependencies_bad: Sequence[str],
    now: float,
) -> Hush:
    """Return what stands in the way of telling about one check; `passes` is the severity that is told nevertheless.

    What a person ordered comes first, because nothing passes it; of the quiet hours only a critical wakes people.
    """
    for silence in silences:
        if covers(silence, name, now):
            return Hush(why=_words(silence))
    if dependencies_bad:
        return Hush(why=f"depends on {', '.join(dependencies_bad)}")
    if hour.is_quiet():
        return Hush(why="quiet hours", passes=Severity.CRITICAL)
    return NOTHING


def covers(silence: Silence, name: str, now: float) -> bool:
    """Tell whether a silence is in force and its pattern matches the name of the check."""
    return silence.starts_at <= now < silence.ends_at and fnmatchcase(name, silence.pattern)


def _words(silence: Silence) -> str:
    kind = "maintenance" if silence.maintenance else "silence"
    return f"{kind} by {silence.by}" + (f": {silence.note}" if silence.note else "")
