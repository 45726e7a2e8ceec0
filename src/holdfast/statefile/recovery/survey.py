"""Gather all that recovery decides upon: the file, what stands beside it, and who wrote it last."""

from typing import NamedTuple

from holdfast.statefile.intent import parse_intent_name, read_intent
from holdfast.statefile.lock import read_mark, sidecar_name
from holdfast.statefile.place import Place
from holdfast.statefile.recovery.choose import Case
from holdfast.statefile.recovery.judge import (
    Backup,
    FoundTemp,
    Scene,
    State,
    Status,
    beside,
    is_busy,
    judge_backup,
    judge_stranger,
    judge_target,
    judge_temp,
    scene_of,
    weighed_stranger,
)
from holdfast.statefile.recovery.leftovers import Leftovers, Listing, sort_names


class Survey(NamedTuple):
    """One file and what stands beside it.

    `temps` are all of them, ours and foreign; `strangers` the foreign ones that may take its place.
    `dead` maps the names of what is worthless beside a valid file to its size. `unbegun` is a
    transaction whose writer died before it was committed.
    """

    state: State
    why: str | None
    temps: tuple[FoundTemp, ...]
    strangers: tuple[FoundTemp, ...]
    backups: tuple[Backup, ...]
    evidence: tuple[str, ...]
    dead: dict[str, int]
    stamp_ns: int | None
    unbegun: str | None

    @property
    def case(self) -> Case:
        """Return what the choice of a candidate depends on."""
        return Case(self.state, self.temps, self.backups, self.strangers, self.stamp_ns)


def survey(place: Place, now: float, *, locked_by_us: bool, foreign: bool) -> Survey:
    """Look at one file and all beside it.

    Raises:
        OSError: something cannot be read, which says nothing about its content.
    """
    listing = sort_names(place.ops.listdir(place.folder), place.name)
    leftovers = listing.of(place.name, place.stem)
    scene = scene_of(place, now, locked_by_us=locked_by_us)
    ours, others = _temps(scene, leftovers)
    state, why = judge_target(scene)
    dead = [temp for temp in ours if temp.status in (Status.COMPLETE, Status.PARTIAL)]
    dead += dead_drafts(place, listing, now, but=place.stem if locked_by_us else None)
    if foreign:
        dead += [temp for temp in (*ours, *others) if temp.status is Status.FOREIGN]
        others = [weighed_stranger(scene, temp) for temp in others]
    sure = {stranger.name for stranger in leftovers.strangers if stranger.sure}
    backups = [judge_backup(scene, name) for name in leftovers.backups]
    return Survey(
        state=state,
        why=why,
        temps=(*ours, *others),
        strangers=tuple(one for one in others if one.checksum and one.name in sure),
        backups=tuple(backup for backup in backups if backup),
        evidence=tuple(leftovers.evidence),
        dead={temp.name: temp.bytes for temp in dead},
        stamp_ns=_stamp(place),
        unbegun=_unbegun(place),
    )


def _temps(scene: Scene, leftovers: Leftovers) -> tuple[list[FoundTemp], list[FoundTemp]]:
    ours = [judge_temp(scene, name, said) for name, said in leftovers.temps]
    others = [judge_stranger(scene, stranger) for stranger in leftovers.strangers]
    return [temp for temp in ours if temp], [temp for temp in others if temp]


def _stamp(place: Place) -> int | None:
    """Return when a process last began to write the file; None when none of ours ever did.

    Recovery makes an empty lock file where there is none, which says nothing.
    """
    try:
        found = place.ops.lstat(place.folder, sidecar_name(place.stem))
    except FileNotFoundError:
        return None
    return found.st_mtime_ns if found.st_size else None


def _unbegun(place: Place) -> str | None:
    mark = read_mark(place)
    if mark is None or read_intent(place.folder, mark, place.ops) is not None:
        return None
    return mark


def dead_drafts(
    place: Place, listing: Listing, now: float, *, but: str | None = None
) -> list[FoundTemp]:
    """Return the temps of journals that were never finished, as far as their writers are surely dead.

    Who writes one holds the locks of its files, so while any of the folder is held it may be young;
    `but` is the stem of a lock the caller holds himself.

    Raises:
        OSError: something cannot be looked at.
    """
    drafts = [
        (stem, temp)
        for stem, one in listing.beside.items()
        if parse_intent_name(stem) is not None
        for temp in one.temps
    ]
    if not drafts:
        return []
    busy = any(is_busy(beside(place, stem, stem)) for stem in listing.locks if stem != but)
    found = []
    for stem, (name, said) in drafts:
        scene = scene_of(beside(place, stem, stem), now, locked_by_us=True)._replace(busy=busy)
        temp = judge_temp(scene, name, said)
        if temp is not None and temp.status is Status.PARTIAL:
            found.append(temp)
    return found
