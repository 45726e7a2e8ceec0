"""Limits on open files: a high one for the program that starts others, the usual one for what it starts."""

import contextlib
import os
import sys
from collections.abc import Iterator

# A start needs three: the null device and the two ends of the pipe through which exec reports its failure.
_SPARE = 6


class Headroom:
    """The limit this program was started with, and a few low descriptors kept free for starting others.

    A soft limit can only be given to a child before exec by bearing it oneself for that moment, and under it
    nothing opens unless a descriptor below it is free. Make one early, while low numbers still are. Not for
    programs that start children from several threads.
    """

    def __init__(self) -> None:
        self.inherited = _soft_limit()
        self._reserved: list[int] = []
        self._reserve()

    def raise_own_limit(self) -> None:
        """Raise the own soft limit to the hard one; children keep getting the inherited one."""
        if sys.platform == "win32":
            return
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        with contextlib.suppress(ValueError, OSError):  # macOS says unlimited and means OPEN_MAX
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

    @contextlib.contextmanager
    def limited_to(self, soft: int | None) -> Iterator[bool]:
        """Bear a soft limit for a moment, the inherited one by default; yields whether it is in force.

        It is not when it lies below the reserved descriptors or above what this user may have.
        """
        if sys.platform == "win32":
            yield soft is None
            return
        import resource

        wanted = self.inherited if soft is None else soft
        own_soft, own_hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if wanted == own_soft:
            yield True
            return
        cramped = wanted < own_soft and wanted <= max(self._reserved, default=wanted)
        if cramped or not _bear(wanted, own_hard):
            yield False
            return
        self.close()
        try:
            yield True
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (own_soft, own_hard))
            self._reserve()

    def close(self) -> None:
        """Give the reserved descriptors back."""
        while self._reserved:
            os.close(self._reserved.pop())

    def _reserve(self) -> None:
        # Fewer than wished is no fault: the next start tries again, and says what it lacks.
        with contextlib.suppress(OSError):
            while len(self._reserved) < _SPARE:
                self._reserved.append(os.open(os.devnull, os.O_RDONLY))


def _soft_limit() -> int:
    if sys.platform == "win32":
        return 0
    import resource

    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def _bear(soft: int, own_hard: int) -> bool:
    if sys.platform == "win32":
        return False
    import resource

    unlimited = resource.RLIM_INFINITY
    within = own_hard == unlimited or (soft != unlimited and soft <= own_hard)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, own_hard if within else soft))
    except (ValueError, OSError):
        return False
    return True
