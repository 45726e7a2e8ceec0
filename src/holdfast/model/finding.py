"""What one look of a probe found."""

from dataclasses import dataclass
from enum import StrEnum


class Found(StrEnum):
    """What a look can tell; `unknown` tells nothing of the service, neither good nor bad."""

    WELL = "well"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The outcome of a look, with `why` in words for people where it is not well."""

    found: Found
    why: str = ""


WELL = Finding(found=Found.WELL)


def failed(why: str) -> Finding:
    """Return that the service did not do what was expected."""
    return Finding(found=Found.FAILED, why=why)


def unknown(why: str) -> Finding:
    """Return that nobody could look: this machine, not the service, is to blame."""
    return Finding(found=Found.UNKNOWN, why=why)
