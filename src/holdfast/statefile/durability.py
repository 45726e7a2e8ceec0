"""What an acknowledged write survives."""

import enum


class Durability(enum.Enum):
    """What an acknowledged write survives.

    `ATOMIC`: the death of any process. `FILE`: also a power cut, which leaves the old or the new
    content. `FULL`: a power cut leaves the new content.
    """

    ATOMIC = "atomic"
    FILE = "file"
    FULL = "full"
