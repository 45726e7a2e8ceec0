"""What the kernel tells, and what becomes of paths it does not watch."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import pytest

from holdfast.machine.watch.eyes import Eyes, open_notifier

WITHIN_S = 30.0


def seen(eyes: Eyes, wanted: Path) -> set[str]:
    """Look until the kernel has told of a path."""
    deadline = time.monotonic() + WITHIN_S
    found: set[str] = set()
    while str(wanted) not in found:
        assert time.monotonic() < deadline, found
        found |= eyes.changes()
    return found


class Words:
    """A notifier that says what it is told to say."""

    def __init__(self, *told: "set[tuple[int, str]] | RuntimeError") -> None:
        self.told = list(told)
        self.is_closed = False

    def watch(
        self, debounce_ms: int, step_ms: int, timeout_ms: int, stop_event: None, /
    ) -> set[tuple[int, str]] | Literal["signal", "stop", "timeout"]:
        if not self.told:
            return "timeout"
        word = self.told.pop(0)
        if isinstance(word, RuntimeError):
            raise word
        return word

    def close(self) -> None:
        self.is_closed = True


class Kernel:
    """Opens notifiers, at most `room` at once, and none at all for a path that is too much."""

    def __init__(self, room: int = 100, too_much: str = "") -> None:
        self.room = room
        self.too_much = too_much
        self.opened: list[tuple[list[str], bool, Words]] = []

    def open(self, paths: Sequence[str], recursive: bool) -> Words:
        living = [words for _, _, words in self.opened if not words.is_closed]
        if len(living) >= self.room or self.too_much in paths:
            raise OSError("OS file watch limit reached.")
        words = Words()
        self.opened.append((list(paths), recursive, words))
        return words


def test_a_change_anywhere_below_a_folder_is_seen(tmp_path: Path) -> None:
    eyes = Eyes(open_notifier)
    eyes.turn_to([str(tmp_path)])
    below = tmp_path / "sub"
    below.mkdir()
    seen(eyes, below)
    (below / "a").write_text("x")
    seen(eyes, below / "a")
    assert eyes.blind == {}
    eyes.close()
    assert eyes.changes() == set()


def test_a_file_is_seen_again_and_again_although_it_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "conf"
    path.write_text("0")
    eyes = Eyes(open_notifier)
    eyes.turn_to([str(path)])
    for number in range(3):
        other = tmp_path / "other"
        other.write_text(str(number))
        other.rename(path)
        seen(eyes, path)
    eyes.close()


def test_what_was_told_before_the_eyes_turned_is_not_lost() -> None:
    kernel = Kernel()
    eyes = Eyes(kernel.open)
    eyes.turn_to(["/"])
    first = kernel.opened[0][2]
    first.told = [{(1, "/etc/x")}]
    eyes.turn_to(["/", "/proc"])
    assert first.is_closed
    assert eyes.changes() == {"/etc/x"}


def test_only_what_is_too_much_for_the_kernel_is_blind() -> None:
    kernel = Kernel(too_much="/proc")
    eyes = Eyes(kernel.open)
    eyes.turn_to(["/", "/proc"])
    assert eyes.blind == {"/proc": "OS file watch limit reached."}
    assert [paths for paths, _, _ in kernel.opened] == [["/"]]


def test_where_old_and_new_eyes_are_too_much_together_the_new_ones_open_after_the_old_ones() -> (
    None
):
    kernel = Kernel(room=1)
    eyes = Eyes(kernel.open)
    eyes.turn_to(["/"])
    eyes.turn_to(["/", "/proc"])
    assert eyes.blind == {}
    assert kernel.opened[-1][0] == ["/", "/proc"]


def test_a_limit_reached_later_makes_blind_too() -> None:
    kernel = Kernel()
    eyes = Eyes(kernel.open)
    eyes.turn_to(["/"])
    kernel.opened[0][2].told = [RuntimeError("error in underlying watcher")]
    assert eyes.changes() == set()
    assert eyes.blind == {"/": "error in underlying watcher"}
    assert kernel.opened[0][2].is_closed


def test_a_name_that_is_no_text_blinds_nobody() -> None:
    kernel = Kernel()
    eyes = Eyes(kernel.open)
    eyes.turn_to(["/", "/proc"])
    kernel.opened[0][2].told = [RuntimeError("Unable to decode path 'caf\\xe9' to string")]
    assert eyes.changes() == set()
    assert (eyes.blind, eyes.unread) == ({}, {"/", "/proc"})
    kernel.opened[-1][2].told = [{(1, "/proc/1")}]
    assert eyes.changes() == {"/proc/1"}


def test_the_real_kernel_refuses_a_path_that_is_gone(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No path"):
        open_notifier([str(tmp_path / "no")], True)
