"""How serious a line of a log is."""

import enum

from holdfast.errors import UsageError


class Level(enum.IntEnum):
    """The five levels, by the numbers of Python's `logging`."""

    DEBUG = 10
    INFO = 20
    WARNING = 30
    ERROR = 40
    CRITICAL = 50


def level_named(name: str) -> Level:
    """Return the level of a name, in upper or lower case.

    Raises:
        UsageError: no level bears the name.
    """
    try:
        return Level[name.upper()]
    except KeyError:
        raise UsageError(
            f"{name!r} is no level; expected one of: {', '.join(Level.__members__)}"
        ) from None
