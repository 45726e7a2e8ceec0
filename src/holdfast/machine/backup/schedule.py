"""Decide when changed files are reason enough for a backup: once they were quiet, and not put off for ever."""

from dataclasses import dataclass, field

MOST_TIMES = 10
"""How many times the wished quiet a backup is put off while changes go on."""

RETRY_AFTER = 5.0
"""Seconds until an order is repeated that nobody took."""


@dataclass(slots=True, kw_only=True)
class _Unrest:
    """A project with changes that are in no snapshot yet."""

    first_mono: float
    last_mono: float
    not_before_mono: float = 0.0


@dataclass(slots=True, kw_only=True)
class Changes:
    """Which projects have changed, and since when; all times are readings of the monotonic clock, spans seconds."""

    unrest: dict[str, _Unrest] = field(default_factory=dict)

    def note(self, name: str, mono: float) -> None:
        """Take down that a project changed."""
        known = self.unrest.get(name)
        if known is None:
            self.unrest[name] = _Unrest(first_mono=mono, last_mono=mono)
        else:
            known.last_mono = mono

    def due(self, quiet_for: dict[str, float], mono: float) -> list[str]:
        """Return the projects to be backed up now, the longest unrest first; `quiet_for` is what each wishes."""
        ripe = [
            (one.first_mono, name)
            for name, one in self.unrest.items()
            if name in quiet_for and _is_ripe(one, quiet_for[name], mono)
        ]
        return [name for _, name in sorted(ripe)]

    def ordered(self, name: str) -> None:
        """Take down that a backup was ordered: what changes from now on is reason for another."""
        self.unrest.pop(name, None)

    def put_off(self, name: str, mono: float) -> None:
        """Take down that nobody took the order."""
        if name in self.unrest:
            self.unrest[name].not_before_mono = mono + RETRY_AFTER


def _is_ripe(one: _Unrest, quiet: float, mono: float) -> bool:
    is_quiet = mono - one.last_mono >= quiet
    return mono >= one.not_before_mono and (
        is_quiet or mono - one.first_mono >= MOST_TIMES * quiet
    )
