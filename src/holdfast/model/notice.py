"""The events of a machine that a person hears of, and how each is called in one line."""

from collections.abc import Mapping

TITLES: Mapping[str, str] = {
    "supervisor.restarted": "the watchdog restarted the supervisor",
    "watchdog.restarted": "the supervisor restarted the watchdog",
    "service.held": "{subject} is held: its restart limit is used up",
    "service.failed": "{subject} failed and will not start by itself",
    "service.stuck": "{subject} cannot be ended",
    "service.orphan": "{subject} lives on and cannot be proved to be ours",
    "service.flapping": "{subject} keeps starting and ending",
    "service.bad": "{subject} says that it is not well",
    "job.failed": "the job {subject} failed",
    "backup.damaged": "the backup of {subject} is damaged",
    "check.flapping": "the check {subject} changes too often and is held back until it settles",
    "check.settled": "the check {subject} has settled",
    "state.write_failed": "the disk refuses the record of {subject}",
    "state.corrupt": "the record of {subject} could not be read",
}
"""Titles by kind of event; `{subject}` is whom it concerns."""


def title_of(kind: str, subject: str) -> str | None:
    """Return the title of the notice about an event, None for an event that concerns nobody."""
    title = TITLES.get(kind)
    return None if title is None else title.format(subject=subject)
