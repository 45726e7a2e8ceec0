"""Run a program in front of the caller: its streams and signals are the caller's, the end of its output is kept."""

import contextlib
import os
import selectors
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import IO, TypeAlias

from holdfast.machine.jobs.tail import TAIL_BYTES

Child: TypeAlias = "subprocess.Popen[bytes]"
Ended: TypeAlias = Callable[[int, bytes], None]

_STDOUT, _STDERR = 1, 2
_PASSED_ON = ("SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGINT", "SIGQUIT")
_OF_A_TERMINAL = frozenset({"SIGINT", "SIGQUIT"})
_CHUNK = 65_536
_CHUNKS = 17
"""Reads in a row: as much as a pipe can hold at most, and the look at its end."""


@dataclass(slots=True)
class _Output:
    """What a program prints: the pipes that are copied, the files that are read back, and the last of it."""

    copied: dict[int, IO[bytes]] = field(default_factory=dict)
    began: dict[int, int] = field(default_factory=dict)
    content: bytearray = field(default_factory=bytearray)

    def add(self, chunk: bytes) -> None:
        """Keep the last of it; one byte more than is wanted tells that the beginning is cut."""
        self.content += chunk
        del self.content[: -TAIL_BYTES - 1]

    def last(self) -> bytes:
        """Return the last of what was printed until now."""
        return bytes(self.content) + b"".join(
            _written_since(fd, at) for fd, at in self.began.items()
        )


def run_in_front(command: Sequence[str], ended: Ended) -> int:
    """Run a program to its end and return its code, negative for a signal; `ended` gets it with the last of its output.

    The program finds the streams it would have found without us. What goes into a pipe is copied on its way, until its
    end, as whoever reads that pipe does; two streams into one place stay one, so that their order holds. What goes into
    a file is read back on Linux; what goes to a terminal or to /dev/null is not remembered. What would end this
    process meanwhile is for the program to decide.

    Raises:
        OSError: it could not be executed.
    """
    if sys.platform == "win32":
        with _signals() as hand_over:
            code = _finished(command, hand_over)
        ended(code, b"")
        return code
    output = _Output(began=_files())
    with _woken_by_death() as wake:
        with _signals() as hand_over:
            stdout, stderr = _pipes()
            child = subprocess.Popen(command, stdout=stdout, stderr=stderr)
            hand_over(child)
            output.copied = {
                target: stream
                for target, stream in ((_STDOUT, child.stdout), (_STDERR, child.stderr))
                if stream is not None
            }
            _copy_until(lambda: child.poll() is not None, output, wake)
        ended(child.returncode, output.last())
        # What it started may go on printing: whoever reads our pipe would wait for it too.
        _copy_until(lambda: not output.copied, output, wake)
    return child.returncode


def _finished(command: Sequence[str], hand_over: Callable[[Child], None]) -> int:
    child = subprocess.Popen(command)
    hand_over(child)
    return child.wait()


def _pipes() -> tuple[int | None, int | None]:
    """Return what stdout and stderr are to be: a pipe to copy from where they go into one, else what they are."""
    stdout, stderr = (_is(stat.S_ISFIFO, fd) for fd in (_STDOUT, _STDERR))
    if stdout and stderr and os.path.sameopenfile(_STDOUT, _STDERR):
        return subprocess.PIPE, subprocess.STDOUT
    return subprocess.PIPE if stdout else None, subprocess.PIPE if stderr else None


def _files() -> dict[int, int]:
    """Return which streams are read back, those that go into a file, and how long it is now."""
    fds = [fd for fd in (_STDOUT, _STDERR) if _is(stat.S_ISREG, fd)]
    if len(fds) > 1 and os.path.sameopenfile(*fds):
        fds.pop()
    return {fd: os.fstat(fd).st_size for fd in fds}


def _is(kind: Callable[[int], bool], fd: int) -> bool:
    try:
        return kind(os.fstat(fd).st_mode)
    except OSError:  # the caller closed it
        return False


def _written_since(fd: int, began: int) -> bytes:
    """Return the last of what a file has got since; our own descriptor may only write, so it is opened anew."""
    try:
        with open(f"/proc/self/fd/{fd}", "rb") as file:
            file.seek(max(began, os.fstat(fd).st_size - TAIL_BYTES - 1))
            return file.read()
    except OSError:
        return b""


def _copy_until(is_over: Callable[[], bool], output: _Output, wake: int) -> None:
    """Copy what a program prints to where it would have gone, and what is there already once it is over."""
    with selectors.DefaultSelector() as selector:
        selector.register(wake, selectors.EVENT_READ)
        for stream in output.copied.values():
            selector.register(stream, selectors.EVENT_READ)
        while not is_over():
            if any(key.fd == wake for key, _ in selector.select()):
                os.read(wake, _CHUNK)
            for target in tuple(output.copied):
                _copy(target, output, selector)
        for target in tuple(output.copied):
            _copy(target, output, selector)


def _copy(target: int, output: _Output, selector: selectors.BaseSelector) -> None:
    """Move what is there, a full pipe at most; at its end let go of it."""
    if sys.platform == "win32":
        return
    stream = output.copied[target]
    os.set_blocking(stream.fileno(), False)
    try:
        for _ in range(_CHUNKS):
            chunk = os.read(stream.fileno(), _CHUNK)
            if not chunk:
                break
            output.add(chunk)
            _write(target, chunk)
        else:
            return
    except BlockingIOError:
        return
    except BrokenPipeError:
        pass  # nobody reads us any more: the kernel tells the program so once we let go
    selector.unregister(stream)
    output.copied.pop(target).close()


def _write(target: int, chunk: bytes) -> None:
    while chunk:
        try:
            chunk = chunk[os.write(target, chunk) :]
        except BlockingIOError:
            with selectors.DefaultSelector() as room:
                room.register(target, selectors.EVENT_WRITE)
                room.select()


@contextlib.contextmanager
def _woken_by_death() -> Iterator[int]:
    """Give a descriptor that becomes readable with every signal, the one of a child's death among them."""
    if sys.platform == "win32":
        raise OSError("signals wake nobody on Windows")
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    before = signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    woken = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    try:
        yield reader
    finally:
        signal.set_wakeup_fd(woken)
        signal.signal(signal.SIGCHLD, before)
        os.close(reader)
        os.close(writer)


@contextlib.contextmanager
def _signals() -> Iterator[Callable[[Child], None]]:
    """Pass signals on to the program once it is there; those a terminal sends reach it by themselves.

    What was ignored before stays ignored: `nohup` is obeyed.
    """
    children: list[Child] = []
    early: list[int] = []
    of_the_terminal = _OF_A_TERMINAL if _is_in_front() else frozenset()

    def pass_on(number: int, _frame: object) -> None:
        if not children:
            early.append(number)
        elif signal.Signals(number).name not in of_the_terminal:
            children[0].send_signal(number)

    def hand_over(child: Child) -> None:
        children.append(child)
        for number in early:
            child.send_signal(number)

    numbers = [getattr(signal, name) for name in _PASSED_ON if hasattr(signal, name)]
    heard = [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, pass_on) for number in heard}
    try:
        yield hand_over
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _is_in_front() -> bool:
    """Tell whether a terminal sends its signals to this group of processes."""
    if sys.platform == "win32":
        return True
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)
