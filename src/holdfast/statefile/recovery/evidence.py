"""Evidence: what was found corrupt stays beside its place as `NAME.corrupt-UTC-CHANCE`."""

import os
from contextlib import suppress

from holdfast.clock import utc_text
from holdfast.statefile.place import Place

MARK = ".corrupt-"


def evidence_name(stem: str, wall: float) -> str:
    """Return a name that no evidence bears yet; `wall` is in seconds since the epoch."""
    stamp = utc_text(wall).replace("-", "").replace(":", "")
    return f"{stem}{MARK}{stamp}-{os.urandom(8).hex()}"


class Evidence:
    """A second name for a corrupt file that is about to be replaced.

    A link, so that there is no moment without a target: whoever repeats a recovery that died would
    take a missing file for one that was deleted on purpose. Renamed only where links are unknown.
    """

    __slots__ = ("_moved", "_place", "name")

    def __init__(self, place: Place, earlier: tuple[str, ...], wall: float) -> None:
        self._place = place
        self._moved = False
        self.name = self._kept(earlier) or self._keep(evidence_name(place.stem, wall))

    def _kept(self, earlier: tuple[str, ...]) -> str | None:
        """Return the evidence a recovery made that died before it replaced the file."""
        place = self._place
        corrupt = place.ops.lstat(place.folder, place.name)
        for name in earlier:
            with suppress(FileNotFoundError):
                found = place.ops.lstat(place.folder, name)
                if (found.st_dev, found.st_ino) == (corrupt.st_dev, corrupt.st_ino):
                    return name
        return None

    def _keep(self, name: str) -> str:
        place = self._place
        try:
            place.ops.link(place.folder, place.name, name)
        except OSError:
            place.ops.replace(place.folder, place.name, name)
            self._moved = True
        return name

    def take_back(self) -> None:
        """Give the file back its only name, after the replacement failed."""
        place = self._place
        with suppress(OSError):
            if self._moved:
                place.ops.replace(place.folder, self.name, place.name)
            else:
                place.ops.unlink(place.folder, self.name)
