"""One proof of life, and what is remembered of those a process has sent.

Times named `*_mono` are seconds on the monotonic clock, all other moments seconds since the epoch.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from holdfast.model.service import Health

ERROR_STATUS = "error"
"""The status by which a program says that it lives and fails."""

PLAIN_STATUS = "healthy"
"""What a beat means that says nothing else."""


class Refusal(StrEnum):
    """Why a beat does not count."""

    GENERATION = "generation"
    BOOT = "boot"
    FUTURE = "future"
    SENDER = "sender"
    MAIN = "main"
    SIZE = "size"
    FORM = "form"


@dataclass(frozen=True, slots=True, kw_only=True)
class Beat:
    """What a program said of itself at one moment; None where it said nothing.

    `interval` and `lease` are seconds: how often it means to beat, and how long it asks to be believed.
    """

    wall: float
    mono: float
    pid: int | None = None
    generation: int | None = None
    boot_id: str | None = None
    status: str = PLAIN_STATUS
    error: str | None = None
    progress: float | None = None
    interval: float | None = None
    lease: float | None = None
    text: str | None = None
    extra: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Liveness:
    """All that is remembered of the beats of one process between two of them.

    `base_mono` is the moment from which its lease runs, None while none runs: before the service is running, and while
    the lease is suspended. `late` counts looks in a row that found the lease over or no progress made, the last of them
    at `late_mono`. `health` is what was last judged.
    """

    base_mono: float | None = None
    progress_mono: float | None = None
    until_mono: float | None = None
    late: int = 0
    late_mono: float = 0.0
    deferrals: int = 0
    suspended: bool = False
    health: Health = Health.OK
    errors: int = 0
    last: Beat | None = None
    lease: float | None = None
    text: str | None = None
    error: str | None = None
    extra: Mapping[str, object] = field(default_factory=dict)
