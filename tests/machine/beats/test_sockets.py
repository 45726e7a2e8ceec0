"""Notify sockets take what real clients send, survive a supervisor, and leave nothing behind."""

import array
import asyncio
import contextlib
import os
import shutil
import socket
import stat
import subprocess
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import TypeAlias

import pytest

from holdfast.machine.beats.message import parse
from holdfast.machine.beats.sockets import DRAIN_AT_ONCE, LONGEST, Datagram, NotifySockets

if sys.platform == "win32":
    pytest.skip("there are no notify sockets on Windows", allow_module_level=True)

Start: TypeAlias = Callable[..., "subprocess.Popen[str]"]
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux names the sender")


class Keep:
    """Keeps descriptors as a watchdog does, and hands them to the next supervisor."""

    def __init__(self) -> None:
        self.kept: dict[str, int] = {}
        self.held: MutableMapping[str, int] = {}

    def hold(self, name: str, fd: int) -> None:
        self.drop(name)
        self.kept[name] = os.dup(fd)

    def drop(self, name: str) -> None:
        if name in self.kept:
            os.close(self.kept.pop(name))

    def hand_over(self) -> None:
        self.held = {name: os.dup(fd) for name, fd in self.kept.items()}

    def close(self) -> None:
        for fd in [*self.kept.values(), *self.held.values()]:
            os.close(fd)


class Post:
    """One supervisor's sockets, and all that was heard."""

    def __init__(self, runtime: Path, keep: Keep) -> None:
        self.keep = keep
        self.heard: list[Datagram] = []
        self.came = asyncio.Event()
        self.sockets = NotifySockets(asyncio.get_running_loop(), runtime, keep)
        self.sockets.hear = self._hear

    def _hear(self, found: Datagram) -> None:
        self.heard.append(found)
        self.came.set()

    async def until(self, count: int) -> list[bytes]:
        """Wait until so many datagrams were heard."""
        while len(self.heard) < count:
            self.came.clear()
            await self.came.wait()
        return [found.payload for found in self.heard]

    def die(self) -> None:
        """Let go of everything as a process does that is killed."""
        self.sockets.let_go("api")


Scene: TypeAlias = Callable[[Post], Awaitable[None]]


def play(runtime: Path, *scenes: Scene) -> None:
    """Play scenes one after another, each with sockets of its own and the same keep."""
    keep = Keep()

    async def enact(scene: Scene) -> None:
        post = Post(runtime, keep)
        try:
            await scene(post)
        finally:
            post.die()

    try:
        for scene in scenes:
            keep.hand_over()
            asyncio.run(enact(scene))
    finally:
        keep.close()


def send(path: str, *payloads: bytes) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        for payload in payloads:
            sender.sendto(payload, path)


def open_descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_a_socket_is_for_its_user_alone_and_stands_in_the_folder_of_the_service(
    runtime: Path,
) -> None:
    async def scene(post: Post) -> None:
        path = post.sockets.open("api", 7)

        assert path == str(runtime / "api" / "notify-7.sock")
        found = os.stat(path)
        assert (stat.S_IMODE(found.st_mode), found.st_uid) == (0o600, os.geteuid())
        assert post.sockets.has("api", 7)
        assert not post.sockets.has("api", 6)

    play(runtime, scene)


@on_linux
def test_the_kernel_names_the_sender(runtime: Path) -> None:
    async def scene(post: Post) -> None:
        send(post.sockets.open("api", 1), b"READY=1")

        assert await post.until(1) == [b"READY=1"]
        found = post.heard[0]
        assert (found.pid, found.uid, found.generation) == (os.getpid(), os.geteuid(), 1)

    play(runtime, scene)


def test_the_socket_of_the_generation_before_is_gone_after_the_new_one_is_open(
    runtime: Path,
) -> None:
    async def scene(post: Post) -> None:
        old = post.sockets.open("api", 1)
        new = post.sockets.open("api", 2)

        assert os.listdir(runtime / "api") == ["notify-2.sock"]
        assert list(post.keep.kept) == ["api.notify.2"]
        with pytest.raises(FileNotFoundError):
            send(old, b"WATCHDOG=1")
        send(new, b"WATCHDOG=1")
        await post.until(1)

    play(runtime, scene)


def test_the_same_generation_can_be_opened_twice(runtime: Path) -> None:
    async def scene(post: Post) -> None:
        post.sockets.open("api", 1)
        send(post.sockets.open("api", 1), b"READY=1")
        await post.until(1)

    play(runtime, scene)


def test_a_closed_socket_leaves_nothing_and_its_last_words_are_heard(runtime: Path) -> None:
    async def scene(post: Post) -> None:
        before = open_descriptors()
        send(post.sockets.open("api", 1), b"STOPPING=1")
        post.sockets.close("api")

        assert [found.payload for found in post.heard] == [b"STOPPING=1"]
        assert os.listdir(runtime / "api") == []
        assert post.keep.kept == {}
        assert open_descriptors() == before
        post.sockets.close("api")

    play(runtime, scene)


def test_what_is_sent_while_no_supervisor_lives_arrives(runtime: Path) -> None:
    async def before(post: Post) -> None:
        post.sockets.open("api", 3)
        post.die()
        send(str(runtime / "api" / "notify-3.sock"), b"WATCHDOG=1")

    async def after(post: Post) -> None:
        assert post.sockets.keep("api", 3)
        assert await post.until(1) == [b"WATCHDOG=1"]

    play(runtime, before, after)


def test_a_connected_client_outlives_three_supervisors(runtime: Path) -> None:
    client = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)

    async def first(post: Post) -> None:
        client.connect(post.sockets.open("api", 3))
        client.send(b"STATUS=1")
        await post.until(1)

    async def later(post: Post) -> None:
        assert post.sockets.keep("api", 3)
        client.send(b"STATUS=more")
        assert await post.until(1) == [b"STATUS=more"]

    with contextlib.closing(client):
        play(runtime, first, later, later, later)


def test_a_lost_socket_stands_anew_at_the_same_address(runtime: Path) -> None:
    async def before(post: Post) -> None:
        post.sockets.open("api", 3)
        post.keep.drop("api.notify.3")

    async def after(post: Post) -> None:
        assert not post.sockets.keep("api", 3)
        send(str(runtime / "api" / "notify-3.sock"), b"WATCHDOG=1")
        await post.until(1)
        assert list(post.keep.kept) == ["api.notify.3"]

    play(runtime, before, after)


def test_an_address_that_was_removed_counts_as_lost(runtime: Path) -> None:
    async def before(post: Post) -> None:
        os.unlink(post.sockets.open("api", 3))

    async def after(post: Post) -> None:
        assert not post.sockets.keep("api", 3)
        send(str(runtime / "api" / "notify-3.sock"), b"READY=1")
        await post.until(1)

    play(runtime, before, after)


def test_what_was_given_back_under_a_wrong_name_is_not_used(runtime: Path) -> None:
    async def scene(post: Post) -> None:
        reader, writer = os.pipe()
        os.close(writer)
        post.keep.held["api.notify.3"] = reader

        assert not post.sockets.keep("api", 3)

    play(runtime, scene)


def test_addresses_of_earlier_generations_are_swept_when_a_service_is_kept(runtime: Path) -> None:
    async def before(post: Post) -> None:
        post.sockets.open("api", 3)
        post.die()
        (runtime / "api" / "notify-2.sock").touch()
        (runtime / "api" / "api.out").touch()

    async def after(post: Post) -> None:
        post.sockets.keep("api", 3)
        assert sorted(os.listdir(runtime / "api")) == ["api.out", "notify-3.sock"]

    play(runtime, before, after)


@on_linux
def test_descriptors_that_come_along_never_reach_us(runtime: Path) -> None:
    async def scene(post: Post) -> None:
        path = post.sockets.open("api", 1)
        reader, writer = os.pipe()
        before = open_descriptors()
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.connect(path)
            for count in (1, 5, 253):
                rights = array.array("i", [writer] * count)
                sender.sendmsg(
                    [b"BARRIER=1"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights.tobytes())]
                )
        os.close(writer)
        await post.until(3)

        assert [found.pid for found in post.heard] == [os.getpid()] * 3
        assert os.read(reader, 1) == b""  # nobody holds the other end any more
        os.close(reader)
        assert open_descriptors() == before - 2

    play(runtime, scene)


def test_an_oversized_datagram_is_told_of_as_cut(runtime: Path) -> None:
    async def scene(post: Post) -> None:
        path = post.sockets.open("api", 1)
        send(path, b"x" * (LONGEST + 1))
        await post.until(1)
        send(path, b"x" * LONGEST, b"")
        await post.until(3)

        assert [found.is_cut for found in post.heard] == [True, False, False]

    play(runtime, scene)


def test_a_flood_is_read_in_portions(runtime: Path) -> None:
    async def scene(post: Post) -> None:
        path = post.sockets.open("api", 1)
        turns: list[int] = []
        told = post.sockets.hear

        def hear(found: Datagram) -> None:
            told(found)
            with (
                contextlib.suppress(BlockingIOError),
                socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender,
            ):
                sender.setblocking(False)
                sender.sendto(b"again", path)
            turns.append(len(post.heard))

        post.sockets.hear = hear
        send(path, b"first")
        post.sockets.drain("api")

        assert len(turns) == DRAIN_AT_ONCE

    play(runtime, scene)


def test_whoever_hears_may_close_the_socket(runtime: Path) -> None:
    async def scene(post: Post) -> None:
        path = post.sockets.open("api", 1)
        heard: list[bytes] = []

        def hear(found: Datagram) -> None:
            heard.append(found.payload)
            post.sockets.open("api", 2)

        post.sockets.hear = hear
        send(path, b"1", b"2")
        post.sockets.drain("api")
        assert heard == [b"1"]

    play(runtime, scene)


def test_an_address_too_long_for_the_kernel_is_an_error_and_the_old_socket_stays(
    runtime: Path,
) -> None:
    async def scene(post: Post) -> None:
        long = "a" * 100
        (runtime / long).mkdir()
        with pytest.raises(OSError, match="too long"):
            post.sockets.open(long, 1)
        assert not post.sockets.has(long, 1)

    play(runtime, scene)


@on_linux
def test_a_service_of_another_user_can_send_and_strangers_cannot(
    runtime: Path, start: Start
) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can start a service of another user")
    import pwd

    nobody = pwd.getpwnam("nobody").pw_uid
    program = (
        "import os, socket, sys; os.setuid(int(sys.argv[2]))\n"
        "try: socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b'WATCHDOG=1', sys.argv[1])\n"
        "except PermissionError: print('refused')\n"
    )

    async def scene(post: Post) -> None:
        path = post.sockets.open("api", 1, nobody)
        assert post.sockets.owner("api") == nobody
        python = (sys.executable, "-I", "-S", "-c", program, path)
        assert start(*python, str(nobody + 1)).communicate()[0] == "refused\n"
        assert start(*python, str(nobody)).communicate()[0] == ""
        await post.until(1)
        assert post.heard[0].uid == nobody

    async def adopted_after_a_loss(post: Post) -> None:
        post.keep.held.clear()
        post.keep.drop("api.notify.1")
        assert not post.sockets.keep("api", 1)
        assert post.sockets.owner("api") == nobody
        assert os.stat(runtime / "api" / "notify-1.sock").st_uid == nobody

    play(runtime, scene, adopted_after_a_loss)


async def ended(program: "subprocess.Popen[str]") -> tuple[str, int]:
    """Wait for a program while the loop goes on."""
    out, _ = await asyncio.to_thread(program.communicate, None, 30)
    return out, program.returncode


@on_linux
def test_systemd_notify_is_understood_and_not_kept_waiting(runtime: Path, start: Start) -> None:
    if shutil.which("systemd-notify") is None:
        pytest.skip("systemd-notify is not installed (Debian package systemd)")

    async def scene(post: Post) -> None:
        env = {"PATH": os.environ["PATH"], "NOTIFY_SOCKET": post.sockets.open("api", 1)}
        program = start("systemd-notify", "--ready", "--status=up and well", env=env)

        assert await ended(program) == ("", 0)
        messages = [parse(payload) for payload in await post.until(1)]
        assert messages[0].is_ready
        assert messages[0].text == "up and well"

    play(runtime, scene)


@on_linux
def test_the_sdnotify_package_is_understood(runtime: Path, start: Start) -> None:
    pytest.importorskip("sdnotify")
    program = (
        "import sdnotify; n = sdnotify.SystemdNotifier(debug=True)\n"
        "n.notify('READY=1'); n.notify('STATUS=counting'); n.notify('WATCHDOG=1')\n"
    )

    async def scene(post: Post) -> None:
        env = {"PATH": os.environ["PATH"], "NOTIFY_SOCKET": post.sockets.open("api", 1)}
        assert await ended(start(sys.executable, "-c", program, env=env)) == ("", 0)
        assert await post.until(3) == [b"READY=1", b"STATUS=counting", b"WATCHDOG=1"]

    play(runtime, scene)


def test_our_own_client_says_what_it_means(runtime: Path, start: Start) -> None:
    program = (
        "from holdfast.client import beat, ready\n"
        "assert ready() and beat() and "
        "beat('error', 'no space\\nleft', 7, interval=10, lease=40, project='notes')\n"
    )

    async def scene(post: Post) -> None:
        env = {"PATH": os.environ["PATH"], "NOTIFY_SOCKET": post.sockets.open("api", 1)}
        assert await ended(start(sys.executable, "-c", program, env=env)) == ("", 0)
        up, plain, full = map(parse, await post.until(3))
        assert up.is_ready
        assert (plain.is_beat, plain.status, plain.lease) == (True, "healthy", None)
        assert (full.status, full.error, full.progress) == ("error", "no space left", 7)
        assert (full.interval, full.lease, full.extra) == (10, 40, {"project": "notes"})

    play(runtime, scene)


PROGRAM_IN_C = """
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
int main(void) {
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    strncpy(to.sun_path, getenv("NOTIFY_SOCKET"), sizeof to.sun_path - 1);
    const char *said = "READY=1\\nWATCHDOG=1\\nSTATUS=from C";
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    return sendto(fd, said, strlen(said), 0, (struct sockaddr *)&to, sizeof to) < 0;
}
"""


@on_linux
def test_a_program_in_c_is_understood(runtime: Path, tmp_path: Path, start: Start) -> None:
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("there is no C compiler")
    (tmp_path / "beat.c").write_text(PROGRAM_IN_C)
    subprocess.run([compiler, "-o", "beat", "beat.c"], cwd=tmp_path, check=True)

    async def scene(post: Post) -> None:
        env = {"NOTIFY_SOCKET": post.sockets.open("api", 1)}
        assert (await ended(start(str(tmp_path / "beat"), env=env)))[1] == 0
        said = parse((await post.until(1))[0])
        assert (said.is_ready, said.is_beat, said.text) == (True, True, "from C")

    play(runtime, scene)
