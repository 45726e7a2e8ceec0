"""What the kernel tells of changed files, for any number of watched paths, and which paths it cannot watch."""

import os
from collections.abc import Callable, Iterable, Sequence
from typing import Literal, Protocol, TypeAlias


class Notifier(Protocol):
    """What collects the kernel's words: `watchfiles.RustNotify`."""

    def watch(
        self, debounce_ms: int, step_ms: int, timeout_ms: int, stop_event: None, /
    ) -> set[tuple[int, str]] | Literal["signal", "stop", "timeout"]:
        """Return what changed since the last call."""

    def close(self) -> None:
        """End the collecting."""


Opener: TypeAlias = Callable[[Sequence[str], bool], Notifier]
"""Begin to watch paths, `True` with everything below them; OSError when the kernel refuses."""


NO_TEXT = "Unable to decode path"
"""What watchfiles says when a name is not UTF-8; it ends then, with all it was watching."""


class Eyes:
    """Watches folders with all that is below them, and files by the folder they lie in.

    A file is often replaced, not written: who watches the file itself goes on looking at the old one.
    """

    def __init__(self, opener: Opener) -> None:
        self.opener = opener
        self.blind: dict[str, str] = {}
        """The paths that are not watched, and why."""
        self.unread: set[str] = set()
        """The paths of which something was told that nobody could read: a name that is no text."""
        self._open: list[tuple[Notifier, list[str]]] = []
        self._last_words: set[str] = set()

    def turn_to(self, roots: Iterable[str]) -> None:
        """Watch these existing paths and no others; what happens meanwhile to one that stays is not missed."""
        old, self._open, self.blind = self._open, [], {}
        wanted = sorted(set(roots))
        self._watch_all(wanted)
        self._last_words |= self._collect(old)
        for notifier, _ in old:
            notifier.close()
        if old and self.blind:  # both at once may have been too much
            self._watch_all(sorted(self.blind))

    def changes(self) -> set[str]:
        """Return the paths of which the kernel told since the last call; waits for none."""
        found, self._last_words = self._last_words | self._collect(self._open), set()
        return found

    def close(self) -> None:
        """Watch nothing any more."""
        self.turn_to(())

    def _collect(self, notifiers: list[tuple[Notifier, list[str]]]) -> set[str]:
        found: set[str] = set()
        for notifier, roots in list(notifiers):
            try:
                told = notifier.watch(1, 1, 1, None)
            except RuntimeError as error:  # a new folder was one too many, or a fault of its own
                notifier.close()
                notifiers.remove((notifier, roots))
                self._give_up(notifiers, roots, str(error))
                continue
            if isinstance(told, set):
                found.update(path for _, path in told)
        return found

    def _give_up(
        self, notifiers: list[tuple[Notifier, list[str]]], roots: list[str], why: str
    ) -> None:
        """Go on without a notifier that failed; one that only met a strange name is replaced at once."""
        if NO_TEXT not in why:
            self.blind |= dict.fromkeys(roots, why)
            return
        self.unread.update(roots)
        if notifiers is self._open:
            self._watch_all(roots)

    def _watch_all(self, roots: list[str]) -> None:
        for is_folder in (True, False):
            some = [root for root in roots if os.path.isdir(root) is is_folder]
            # If all at once fails, one by one, so that only those suffer that are too much.
            if some and not self._watch(some, recursive=is_folder):
                for root in some:
                    self._watch([root], recursive=is_folder)

    def _watch(self, roots: list[str], *, recursive: bool) -> bool:
        targets = roots if recursive else sorted({os.path.dirname(root) for root in roots})
        try:
            notifier = self.opener(targets, recursive)
        except OSError as error:
            self.blind |= dict.fromkeys(roots, str(error))
            return False
        self._open.append((notifier, roots))
        for root in roots:
            self.blind.pop(root, None)
        return True


def open_notifier(paths: Sequence[str], recursive: bool) -> Notifier:
    """Begin to watch by watchfiles.

    Raises:
        OSError: a path is gone or may not be read, or a limit of the kernel is reached.
    """
    from watchfiles._rust_notify import RustNotify

    # Its last argument, which is to ignore what may not be read, ignores the limits of the kernel with it.
    return RustNotify(list(paths), False, False, 0, recursive, False)
