"""What the crash lab stands on: system calls that fail or kill, and disks in a room of their own that lose their power."""

import contextlib
import os
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import ClassVar

import pytest

from holdfast.statefile.system.ops import Folder, Ops

# What asks about processes, or nobody: it cannot fail as a disk does.
_NO_CALLS = frozenset(
    ("check_name", "key", "pid", "uid", "is_alive", "pause", "origin", "process_age", "start_of")
)
_CALLS = [
    name
    for name, member in vars(Ops).items()
    if callable(member) and not name.startswith("_") and name not in _NO_CALLS
]

SHUT_DOWN = 0x8004587D
WITHOUT_FLUSHING_THE_LOG = 2


class Died(BaseException):
    """The process is gone: nothing after this has an effect."""


class FragileOps(Ops):
    """Before the call of a chosen number: fails once with an error, does a deed, or dies."""

    Died: ClassVar[type[BaseException]] = Died

    def __init__(
        self, at: int = 0, error: int | None = None, deed: Callable[[], object] | None = None
    ) -> None:
        super().__init__()
        self.made: list[str] = []
        self.open_fds: set[int] = set()
        self._at = at
        self._error = error
        self._deed = deed
        self._dead = False

    def before(self, name: str) -> None:
        if self._dead:
            raise Died
        self.made.append(name)
        if len(self.made) != self._at:
            return
        if self._error is not None:
            raise OSError(self._error, os.strerror(self._error))
        if self._deed is not None:
            self._deed()
            return
        self._dead = True
        raise Died

    def after(self, name: str, answer: object, facts: tuple[object, ...]) -> None:
        if name == "open_folder" and isinstance(answer, Folder):
            self.open_fds.add(answer.fd)
        elif name == "open" and isinstance(answer, int):
            self.open_fds.add(answer)
        elif name == "close" and isinstance(facts[0], int):
            self.open_fds.discard(facts[0])
        elif name == "close_folder" and isinstance(facts[0], Folder):
            self.open_fds.discard(facts[0].fd)

    def bury(self) -> None:
        """Close what the kernel would close."""
        for fd in self.open_fds:
            os.close(fd)
        self.open_fds.clear()


def _fragile(name: str) -> Callable[..., object]:
    def call(self: FragileOps, *facts: object, **named: object) -> object:
        self.before(name)
        answer: object = getattr(super(FragileOps, self), name)(*facts, **named)
        self.after(name, answer, facts)
        return answer

    return call


for _name in _CALLS:
    setattr(FragileOps, _name, _fragile(_name))


@pytest.fixture
def fragile() -> Iterator[type[FragileOps]]:
    """Return the class of calls that fail or kill; what each of them left open is closed after the test."""
    made: list[FragileOps] = []

    class Kept(FragileOps):
        def __init__(
            self,
            at: int = 0,
            error: int | None = None,
            deed: Callable[[], object] | None = None,
        ) -> None:
            super().__init__(at, error, deed)
            made.append(self)

    yield Kept
    for ops in made:
        ops.bury()


def is_root() -> bool:
    return sys.platform != "win32" and os.geteuid() == 0


class Disk:
    """A file system in an image, mounted where only its room sees it; `root` is where the tests reach it."""

    def __init__(self, room: "Room", kind: str, options: str = "") -> None:
        self.image = room.folder / f"{kind}.img"
        self._room = room
        self._kind = kind
        self._options = f"loop,{options}" if options else "loop"
        self.place = room.folder / kind
        self.root = room.inside(self.place)

    def mount(self) -> "Disk":
        self._room.mount(self.place, "-t", self._kind, "-o", self._options, str(self.image))
        return self

    def unmount(self) -> None:
        self._room.run("umount", str(self.place))

    def cut_power(self) -> None:
        """Have the file system forget all that is not on the disk; nothing can be written any more."""
        if sys.platform != "win32":
            from fcntl import ioctl

            fd = os.open(self.root, os.O_RDONLY)
            try:
                ioctl(fd, SHUT_DOWN, struct.pack("I", WITHOUT_FLUSHING_THE_LOG))
            finally:
                os.close(fd)

    def restore_power(self) -> None:
        """Mount what is on the disk; nobody may have a file on it open."""
        self.unmount()
        self.mount()


class Room:
    """A mount namespace that ends, with all that is mounted in it, when its keeper or this process dies."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        user = [] if is_root() else ["--user", "--map-root-user"]
        self._keeper = subprocess.Popen(
            ["unshare", *user, "--mount", "--propagation", "private", "sh", "-c", "echo; cat"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._keeper.stdout is not None
        if not self._keeper.stdout.readline():
            self.close()
            pytest.skip("this machine lets this user make no mount namespace")

    def inside(self, path: Path) -> Path:
        """Return where a path of the room is seen from outside."""
        return Path(f"/proc/{self._keeper.pid}/root{path}")

    def run(self, *command: str) -> None:
        """Run a command in the room."""
        done = self._run(*command)
        assert done.returncode == 0, f"{command}: {done.stderr}"

    def succeeds(self, *command: str) -> bool:
        """Run a command in the room, and tell whether it succeeded."""
        return self._run(*command).returncode == 0

    def _run(self, *command: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [*self.entering(), *command], capture_output=True, text=True, check=False
        )

    def entering(self) -> list[str]:
        """Return the words before a command that is to run in the room."""
        user = [] if is_root() else ["--user", "--preserve-credentials"]
        return ["nsenter", "--target", str(self._keeper.pid), "--mount", *user, "--"]

    def mount(self, place: Path, *options: str) -> Path:
        """Mount something in the room; the test is skipped where that is not allowed."""
        if not place.exists():
            place.mkdir()
        done = self._run("mount", *options, str(place))
        if done.returncode:
            pytest.skip(f"mount {' '.join(options)}: {done.stderr.strip()}")
        return self.inside(place)

    def tmpfs(self, options: str) -> Path:
        """Mount an empty file system in memory, and return where it is seen."""
        return self.mount(self.folder / "tmpfs", "-t", "tmpfs", "-o", options, "tmpfs")

    def disk(self, kind: str, *, size_mb: int, options: str = "") -> Disk:
        """Make a disk with a file system of a kind, and mount it."""
        disk = Disk(self, kind, options)
        self.make_image(disk.image, kind, size_mb)
        return disk.mount()

    def make_image(self, image: Path, kind: str, size_mb: int) -> None:
        """Make a file system in a file; the test is skipped where it could not be mounted."""
        if not is_root() or not Path("/dev/loop-control").exists():
            pytest.skip("only root, on a machine with loop devices, can mount a disk image")
        maker = f"mkfs.{kind}"
        if shutil.which(maker) is None:
            pytest.skip(f"{maker} is not installed")
        with image.open("wb") as file:
            file.truncate(size_mb << 20)
        quietly = ["-q", "-F"] if kind == "ext4" else ["-q", "-f"]
        subprocess.run([maker, *quietly, str(image)], check=True, capture_output=True)

    def close(self) -> None:
        """End the room."""
        assert self._keeper.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._keeper.stdin.close()
        self._keeper.wait()
        assert self._keeper.stdout is not None
        self._keeper.stdout.close()


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    """Return a room of one's own in which things can be mounted."""
    if sys.platform != "linux":
        pytest.skip("mount namespaces are of Linux")
    if any(shutil.which(tool) is None for tool in ("unshare", "nsenter", "mount")):
        pytest.skip("util-linux is not installed")
    made = Room(tmp_path / "room")
    try:
        yield made
    finally:
        made.close()
