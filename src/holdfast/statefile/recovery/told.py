"""What recovery tells: what was done to a file or a folder, and which files of one it could not mend."""

import os
from typing import Any, NamedTuple

from holdfast.errors import CommittedNotDurable, Corrupt, LockTimeout, StateError, StateIOError
from holdfast.statefile.recovery.verdict import Outcome


class Recovery(NamedTuple):
    """What was done to one file, or with `dry_run` would be; for a folder to each of its `parts`.

    `source` took the place of the file, `evidence` is where the corrupt content is now; `removed`
    are dead temps, of so many `bytes` together; `transactions` are those that were settled.
    """

    path: str
    outcome: Outcome
    source: str | None = None
    removed: tuple[str, ...] = ()
    bytes: int = 0
    evidence: str | None = None
    transactions: tuple[str, ...] = ()
    dry_run: bool = False
    parts: tuple["Recovery", ...] = ()

    @property
    def is_untouched(self) -> bool:
        """Tell whether nothing was done, or would be."""
        is_same = self.outcome in (Outcome.INTACT, Outcome.FOLDER)
        return is_same and not self.removed and not self.transactions

    def plain(self) -> dict[str, Any]:
        """Return it in values that JSON knows."""
        parts = [part.plain() for part in self.parts]
        return self._asdict() | {"outcome": self.outcome.value, "parts": parts}


class NotAllMended(StateError):
    """Some files of a folder could not be mended: `failures` says why, `done` what became of all others.

    Raised as one of its subclasses, which is also the gravest of the failures.
    """

    def __init__(self, message: str, done: Recovery, failures: tuple[StateError, ...]) -> None:
        StateError.__init__(self, message, path=done.path)
        self.done = done
        self.failures = failures


class NotAllFree(NotAllMended, LockTimeout):
    """At least one was locked."""


class NotAllDurable(NotAllMended, CommittedNotDurable):
    """At least one is mended, but a power cut may undo that."""


class NotAllWhole(NotAllMended, Corrupt):
    """At least one is corrupt, or missing."""


class NotAllReached(NotAllMended, StateIOError):
    """The operating system refused at least one; `errno_name` is of the first."""

    def __init__(self, message: str, done: Recovery, failures: tuple[StateError, ...]) -> None:
        NotAllMended.__init__(self, message, done, failures)
        names = [one.errno_name for one in failures if isinstance(one, StateIOError)]
        self.errno_name = names[0]


_BY_EXIT_CODE = {one.exit_code: one for one in (NotAllFree, NotAllDurable, NotAllWhole)}


def together(done: Recovery, failures: tuple[StateError, ...]) -> NotAllMended:
    """Return one error for what failed in a folder; the highest exit code counts as the gravest."""
    count = len(failures)
    listed = "".join(f"\n  {failure}" for failure in failures)
    message = (
        f"{count} file{'' if count == 1 else 's'} of {done.path} could not be recovered:{listed}"
        f"\n{_rest(done)}"
    )
    gravest = max(failure.exit_code for failure in failures)
    return _BY_EXIT_CODE.get(gravest, NotAllReached)(message, done, failures)


def _rest(done: Recovery) -> str:
    names = [os.path.basename(part.path) for part in done.parts if not part.is_untouched]
    names += [f"transaction {txn}" for txn in done.transactions] + list(done.removed)
    if not names:
        return "nothing else was changed; all other files are whole"
    verb = "could be mended or cleaned up" if done.dry_run else "mended or cleaned up"
    return f"{verb}: {', '.join(names)}; all other files are whole"
