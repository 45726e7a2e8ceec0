"""Nothing reaches a file but through Ops, and a real SIGKILL at any system call leaves the old or the new content."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from holdfast.statefile import write_atomic
from holdfast.statefile.recovery.recover import recover
from holdfast.statefile.system.ops import Ops
from holdfast.statefile.temp import checksum, temp_name

if sys.platform != "linux":
    pytest.skip("strace is of Linux", allow_module_level=True)
if shutil.which("strace") is None:
    pytest.skip("strace is not installed", allow_module_level=True)

pytestmark = pytest.mark.timeout(300)

OLD = b'{"content": "old"}\n'
NEW = b'{"content": "new, and longer than the old one"}\n'
CUT = b'{"content": "ol'

_LOOKS_AT = "newfstatat|fstat|lstat|stat"
_SYSTEM_CALLS = {
    "open_folder": "openat",
    "close_folder": "close",
    "key": _LOOKS_AT,
    "check_name": "",
    "lstat": _LOOKS_AT,
    "readlink": "readlinkat",
    "mkdir": "mkdirat",
    "listdir": rf"(?:(?:dup|dup3|fcntl|getdents64|lseek|close|{_LOOKS_AT}) ?)+",
    "open": "openat",
    "close": "close",
    "close_copy": "(?:dup|dup3|fcntl)(?: fcntl)* close",
    "fstat": _LOOKS_AT,
    "read": "read",
    "write": "write",
    "reserve": "(?:fallocate)?",
    "seek": "lseek",
    "truncate": "ftruncate",
    "chown": "fchown",
    "chmod": "fchmod",
    "attributes": "(?:flistxattr ?)+",
    "attribute": "(?:fgetxattr ?)+",
    "set_attribute": "fsetxattr",
    "remove_attribute": "fremovexattr",
    "start_writing": "fadvise64",
    "sync_file": "fsync",
    "sync_folder": "fsync",
    "replace": "renameat2?",
    "rename_new": "",
    "link": "linkat",
    "unlink": "unlinkat",
    "symlink": "symlinkat",
    # These ask the kernel about processes, and touch no state file.
    "origin": ".*",
    "process_age": ".*",
    "start_of": ".*",
    "lock": "flock",
    "unlock": "flock",
    "is_locked": "flock(?: flock)?",
    "is_alive": "",
    "pid": "",
    "uid": "",
    "pause": "",
}
"""Which system calls each call of Ops makes: for two that call others, those stand by themselves."""

_NO_FILE = {
    *(
        "brk",
        "mmap",
        "mremap",
        "munmap",
        "madvise",
        "mprotect",
        "futex",
        "getrandom",
        "sched_yield",
    ),
    *("getpid", "gettid", "getuid", "geteuid", "getgid", "getegid", "kill", "rt_sigaction"),
    *("rt_sigprocmask", "clock_gettime", "clock_nanosleep", "sigaltstack"),
}

_PROGRAM = """
import json, os, sys
from holdfast.statefile.system.ops import Ops
from holdfast.statefile.recovery.recover import recover
from holdfast.statefile.state import StateFile
from holdfast.statefile.transactions import transaction
from holdfast.statefile.write import write_atomic
from holdfast.statefile.durability import Durability

NEW = %r

class Marking(Ops):
    pass

def mark(word):
    os.access("/holdfast/" + word, os.F_OK)

def marked(name):
    def marking(self, *facts, **named):
        mark("begin/" + name)
        try:
            return getattr(super(Marking, self), name)(*facts, **named)
        finally:
            mark("end/" + name)
    return marking

for name, member in list(vars(Ops).items()):
    if callable(member) and not name.startswith("_"):
        setattr(Marking, name, marked(name))

def write(folder, ops):
    write_atomic(folder + "/state.json", NEW, ops=ops)

def write_at_atomic(folder, ops):
    write_atomic(folder + "/state.json", NEW, durability=Durability.ATOMIC, ops=ops)

def create(folder, ops):
    write_atomic(folder + "/state.json", NEW, create_only=True, mode=0o640, ops=ops)

def write_with_all(folder, ops):
    write_atomic(folder + "/state.json", NEW, backups=2, parents=True, expect=%r, ops=ops)

def update(folder, ops):
    StateFile(folder + "/state.json", ops=ops).update(lambda old: json.loads(NEW))

def recover_it(folder, ops):
    recover(folder + "/state.json", ops=ops)

def change_two(folder, ops):
    paths = [folder + "/a.json", folder + "/b.json"]
    with transaction(*paths, ops=ops) as together:
        for path in paths:
            together.write(path, NEW)

do, before, folder = globals()[sys.argv[1]], sys.argv[2], sys.argv[3]
do(before, Marking())
mark("go")
do(folder, Marking())
mark("done")
"""


def old_file(folder: Path) -> None:
    (folder / "state.json").write_bytes(OLD)
    (folder / "state.json").chmod(0o640)
    os.setxattr(folder / "state.json", "user.origin", b"a test")


def nothing(folder: Path) -> None:
    return


def cut_file_and_whole_temp(folder: Path) -> None:
    (folder / "state.json").write_bytes(CUT)
    (folder / temp_name("state.json", len(NEW), checksum(NEW), "0" * 16)).write_bytes(NEW)


def two_old_files(folder: Path) -> None:
    (folder / "a.json").write_bytes(OLD)
    (folder / "b.json").write_bytes(OLD)


Prepare = Callable[[Path], None]
DEEDS: dict[str, Prepare] = {
    "write": old_file,
    "write_at_atomic": old_file,
    "write_with_all": old_file,
    "update": old_file,
    "create": nothing,
    "recover_it": cut_file_and_whole_temp,
    "change_two": two_old_files,
}


class Made(NamedTuple):
    """One system call, the how manieth of its name in the program, and the call of Ops it was made in; -1 for none."""

    name: str
    number: int
    inside: int


class Bench:
    """Runs a deed under strace, each time in a folder of its own."""

    def __init__(self, root: Path, deed: str) -> None:
        self._root = root
        self._deed = deed
        self._runs = 0

    def run(self, *options: str) -> tuple[Path, "subprocess.CompletedProcess[bytes]"]:
        self._runs += 1
        folders = [self._root / f"{use}{self._runs:03}" for use in ("before", "folder")]
        for folder in folders:
            folder.mkdir()
            DEEDS[self._deed](folder)
        program = _PROGRAM % (NEW, sha256(OLD))
        words = [sys.executable, "-c", program, self._deed, *map(str, folders)]
        done = subprocess.run(
            ["strace", "-qq", *options, "--", *words],
            # A cache of its own: the counts must not depend on who compiled what meanwhile.
            env={
                **os.environ,
                "PYTHONDONTWRITEBYTECODE": "",
                "PYTHONHASHSEED": "0",
                "PYTHONPYCACHEPREFIX": str(self._root / "compiled"),
            },
            capture_output=True,
            check=False,
        )
        return folders[1], done

    def trace(self) -> tuple[list[str], list[Made]]:
        """Return what was called between go and done: of Ops, and of the system on files."""
        trace = self._root / "trace"
        self.run("-o", os.devnull)  # compiles
        _, done = self.run("-f", "-o", str(trace))
        assert done.returncode == 0, done.stderr
        lines = [line.split(maxsplit=1) for line in trace.read_text("latin-1").splitlines()]
        assert len({pid for pid, _ in lines}) == 1, "more than one thread"
        return read_trace([line for _, line in lines])


def read_trace(lines: list[str]) -> tuple[list[str], list[Made]]:
    of_ops: list[str] = []
    inside = [-1]
    made: list[Made] = []
    numbers: Counter[str] = Counter()
    has_begun = False
    for line in lines:
        name = line.partition("(")[0]
        numbers[name] += 1
        said = re.search(r'"/holdfast/([a-z_/]+)"', line)
        match said[1].split("/") if said else []:
            case ["go"]:
                has_begun = True
            case ["done"]:
                return of_ops, made
            case ["begin", which] if has_begun:
                inside.append(len(of_ops))
                of_ops.append(which)
            case ["end", _] if has_begun:
                inside.pop()
            case [] if has_begun and name not in _NO_FILE:
                made.append(Made(name, numbers[name], inside[-1]))
    raise AssertionError("the program never came to its end")


def sha256(content: bytes) -> str:
    import hashlib

    return hashlib.sha256(content).hexdigest()


def test_every_call_of_ops_is_in_the_table() -> None:
    calls = {name for name, one in vars(Ops).items() if callable(one) and name[0] != "_"}

    assert calls == set(_SYSTEM_CALLS)


@pytest.mark.parametrize("deed", DEEDS)
def test_every_system_call_on_a_file_is_one_of_ops_and_every_call_of_ops_is_what_it_says(
    tmp_path: Path, deed: str
) -> None:
    of_ops, made = Bench(tmp_path, deed).trace()

    assert [call for call in made if call.inside == -1] == []
    for index, which in enumerate(of_ops):
        names = " ".join(call.name for call in made if call.inside == index)
        assert re.fullmatch(_SYSTEM_CALLS[which], names), f"{which} made {names}"


@pytest.mark.parametrize("deed", DEEDS)
def test_a_kill_at_any_system_call_leaves_old_or_new_and_recovery_cleans_up(
    tmp_path: Path, deed: str
) -> None:
    bench = Bench(tmp_path, deed)
    found = set()
    _, made = bench.trace()
    for call in made:
        kill = f"inject={call.name}:signal=KILL:when={call.number}"
        folder, done = bench.run("-o", os.devnull, "-e", f"trace={call.name}", "-e", kill)

        assert done.returncode == -signal.SIGKILL, f"{call} was not reached: {done.stderr!r}"
        found.add(AFTER[deed](folder))
        assert hidden(folder) == [], f"left by a kill at {call}"
    assert found == WANTED[deed]


def hidden(folder: Path) -> list[str]:
    return [
        name for name in os.listdir(folder) if name.endswith(".tmp") or name.startswith(".txn-")
    ]


def after_write(folder: Path) -> bytes | None:
    target = folder / "state.json"
    left = target.read_bytes() if target.exists() else None
    assert left in (OLD, NEW, None)
    if left is not None:
        assert target.stat().st_mode & 0o777 == 0o640
        recover(target, ops=Ops())
        assert target.read_bytes() == left
    else:
        write_atomic(target, NEW, ops=Ops())
    return left


def after_recover(folder: Path) -> bytes | None:
    target = folder / "state.json"
    left = target.read_bytes()
    assert left in (CUT, NEW)
    recover(target, ops=Ops())
    assert target.read_bytes() == NEW
    evidence = [name for name in os.listdir(folder) if ".corrupt-" in name]
    assert [(folder / name).read_bytes() for name in evidence] == [CUT]
    return left


def after_change(folder: Path) -> bytes | None:
    recover(folder, ops=Ops())
    left = [(folder / name).read_bytes() for name in ("a.json", "b.json")]
    assert left in ([OLD] * 2, [NEW] * 2)
    return left[0]


AFTER: dict[str, Callable[[Path], bytes | None]] = {
    "write": after_write,
    "write_at_atomic": after_write,
    "write_with_all": after_write,
    "update": after_write,
    "create": after_write,
    "recover_it": after_recover,
    "change_two": after_change,
}
WANTED: dict[str, set[bytes | None]] = {
    "write": {OLD, NEW},
    "write_at_atomic": {OLD, NEW},
    "write_with_all": {OLD, NEW},
    "update": {OLD, NEW},
    "create": {None, NEW},
    "recover_it": {CUT, NEW},
    "change_two": {OLD, NEW},
}
