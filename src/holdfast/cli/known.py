"""The names a command may be given: services that have a record, and logs that have a file."""

import os
from collections.abc import Iterable
from collections.abc import Set as AbstractSet

from holdfast.errors import UnknownName
from holdfast.home import NAME, Home


def services(home: Home) -> frozenset[str]:
    """Return the names of the services this home has a record of."""
    return _stems(str(home.services), ".json")


def logs(home: Home) -> frozenset[str]:
    """Return the names of the logs that exist, those of Holdfast itself among them."""
    return _stems(str(home.logs), ".log")


def require(names: Iterable[str], among: AbstractSet[str], kind: str) -> None:
    """Return when every name is known.

    Raises:
        UnknownName: some are not; the message names them, and one that looks alike.
    """
    unknown = [name for name in names if name not in among]
    if not unknown:
        return
    import difflib

    alike = difflib.get_close_matches(unknown[0], among, n=1)
    listed = ", ".join(sorted(among)[:20]) or "none; start some with: holdfast up"
    hint = f"did you mean {alike[0]}?" if alike else f"known: {listed}"
    raise UnknownName(f"there is no {kind} {', '.join(map(repr, unknown))}; {hint}")


def _stems(folder: str, suffix: str) -> frozenset[str]:
    try:
        found = os.listdir(folder)
    except OSError:
        return frozenset()
    stems = (name.removesuffix(suffix) for name in found if name.endswith(suffix))
    return frozenset(stem for stem in stems if NAME.fullmatch(stem))
