"""What the supervisor gives the watchdog to keep over its own death, and what it gets back from there."""

import asyncio
import contextlib
import os
import select
import sys
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any

from holdfast.home import Home
from holdfast.machine import handover
from holdfast.machine.handover import Channel, Flow, Message
from holdfast.machine.process.identity import stat

WELCOMED_WITHIN = 2.0
"""Seconds a watchdog has to hand over what it keeps; one that is stopped must not keep its supervisor."""

SENT_WITHIN = 1.0
"""Seconds the last words may take."""

CROWDED_FOR = 0.05
"""Seconds after which sending is tried again when too many descriptors were under way."""

DROPPED_AFTER = 0.05
"""Seconds a dropped descriptor may be kept on: letting go is never urgent, and waking the watchdog costs a restart time."""

EXITS_KEPT = 10_000


class Custody:
    """The supervisor's end of its conversation with the watchdog; it never waits but in `connect` and `close`.

    Whatever is held is remembered by name, so that every new watchdog gets it all; hold and drop cost nothing
    while there is none. Who closes a descriptor drops its name first.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, home: Home) -> None:
        self.loop = loop
        self.home = home
        self.held: MutableMapping[str, int] = {}
        self.exits: dict[tuple[int, int], int] = {}
        self.fate: Mapping[str, Any] | None = None
        self.watchdog_pid: int | None = None
        self.watchdog_since = 0.0
        self.heard_at = 0.0
        self.on_lost: Callable[[bool], None] = _nobody_listens  # told whether it left in order
        self.on_welcome: Callable[[], None] = _nobody_listens
        self._kept: dict[str, int] = {}
        self._said: dict[str, Message] = {}
        self._channel: Channel | None = None
        self._dropped_late: list[str] = []
        self._is_writing = False
        self._unneeded: set[str] = set()
        self._is_dropping = False
        self._is_left = False
        self._is_new = True

    def connect(self) -> bool:
        """Call the watchdog and take over what it keeps; False when none answers in time. Once, at the start.

        After it `held` has descriptors by name, which belong to the caller, `exits` the wait status of orphans by pid and
        start time, `fate` how the supervisor before this one ended if it had to be replaced.
        """
        if self.call():
            self._await_welcome(self.loop.time() + WELCOMED_WITHIN)
        self._is_new = False
        if self.watchdog_pid is None:
            self._hang_up()
        return self.watchdog_pid is not None

    def call(self) -> bool:
        """Call a watchdog that may have come; `on_welcome` tells when it has answered. Does not wait."""
        if self._channel is not None or sys.platform != "linux":
            return self._channel is not None
        self._channel = handover.call(self.home.watchdog_socket, self._kept.get)
        if self._channel is None:
            return False
        self._is_left = False
        self.loop.add_reader(self._channel.socket.fileno(), self._hear)
        return True

    @property
    def is_ancestor(self) -> bool:
        """Tell whether orphans of this supervisor come to the watchdog, so that it learns how they end."""
        return self.is_above(os.getpid())

    def is_above(self, pid: int) -> bool:
        """Tell whether a process descends from the watchdog."""
        while pid > 1:
            found = stat(pid)
            if found is None:
                return False
            pid = found.ppid
            if pid == self.watchdog_pid:
                return True
        return False

    def hold(self, name: str, fd: int) -> None:
        """Give a descriptor into keeping, in place of the one of that name; it stays the caller's."""
        given_back = self.held.pop(name, None)
        if given_back is not None and given_back != fd:
            os.close(given_back)
        self._kept[name] = fd
        if given_back == fd:
            return
        if self._is_wanted(name):
            self._post({"hold": name}, f"fd {name}")
        else:
            self._unneeded.add(name)

    def drop(self, name: str) -> None:
        """Have the watchdog close what it keeps under this name, soon; before the caller closes its own."""
        self._kept.pop(name, None)
        if name in self._unneeded:
            self._unneeded.discard(name)
            return
        if self._channel is None or self.watchdog_pid is None:
            return
        self._channel.post({"drop": name}, f"fd {name}")
        if not self._is_dropping:
            self._is_dropping = True
            self.loop.call_later(DROPPED_AFTER, self._send_drops)

    def settle(self) -> None:
        """Close and drop what an earlier supervisor left and nobody here has taken."""
        for name, fd in self.held.items():
            os.close(fd)
            self._post({"drop": name}, f"fd {name}")
        self.held.clear()

    def ready(self) -> None:
        """Say that every service is known again and orders are taken."""
        self._say({"ready": True})

    def settings(self, settings: Mapping[str, Any]) -> None:
        """Pass `[watchdog]` on: check_every and stale_after in seconds, failures."""
        self._say({"settings": dict(settings)})

    def beat(self, content: Mapping[str, Any]) -> None:
        """Send a heartbeat, as the file has it, so that a disk which refuses the file is not taken for a death."""
        named = ("pid", "timestamp", "mono", "boot_id", "services")
        self._post({"beat": {name: content.get(name) for name in named}}, "beat")

    def ending(self) -> None:
        """Say that this supervisor ends by order: it is not to be replaced, and the watchdog may go too."""
        self._say({"ending": True})

    def close(self) -> None:
        """Send what is still unsent, for a second at most, and hang up; descriptors stay open."""
        until = self.loop.time() + SENT_WITHIN
        with contextlib.suppress(ConnectionError):
            while self._channel is not None and self._channel.flush() is not Flow.DONE:
                if not self._await_writable(until):
                    break
        self._hang_up()

    def _say(self, message: Message) -> None:
        key = next(iter(message))
        self._said[key] = message
        self._post(message, key)

    def _post(self, message: Message, key: str) -> None:
        if self._channel is not None and self.watchdog_pid is not None:
            self._channel.post(message, key)
            self._flush()

    def _send_drops(self) -> None:
        self._is_dropping = False
        self._flush()

    def _flush(self) -> None:
        if self._channel is None:
            return
        try:
            flow = self._channel.flush()
        except ConnectionError:
            return  # the end of file comes after what it said last, and that is still to be read
        if flow is Flow.CROWDED:
            self.loop.call_later(CROWDED_FOR, self._flush)
        self._write_later(is_full=flow is Flow.FULL)

    def _write_later(self, *, is_full: bool) -> None:
        assert self._channel is not None
        if is_full is self._is_writing:
            return
        self._is_writing = is_full
        if is_full:
            self.loop.add_writer(self._channel.socket.fileno(), self._flush)
        else:
            self.loop.remove_writer(self._channel.socket.fileno())

    def _hear(self) -> None:
        try:
            while self._channel is not None and (received := self._channel.read()) is not None:
                self._take(received.message, received.fd)
        except ConnectionError:
            was_left = self._is_left
            self._hang_up()
            if not self._is_new:
                self.on_lost(was_left)

    def _take(self, message: Message, fd: int | None) -> None:
        self.heard_at = self.loop.time()
        match message:
            case {"held": str(name)} if fd is not None:
                self._take_back(name, fd)
                fd = None
            case {"exits": list(rows)}:
                self._learn(rows)
            case {"fate": dict(fate)} if self._is_new:
                self.fate = fate
            case {"welcome": int(pid)}:
                self.watchdog_since = float(message.get("since", 0.0))
                self._be_welcome(pid)
            case {"leaving": True}:
                self._is_left = True
            case _:  # a word of another version
                pass
        if fd is not None:
            os.close(fd)

    def _take_back(self, name: str, fd: int) -> None:
        if self._is_new:
            self.held[name] = fd
            return
        os.close(fd)  # too late: whoever wanted it has made another by now
        if name not in self._kept:
            self._dropped_late.append(name)

    def _learn(self, rows: list[list[int]]) -> None:
        for pid, start_ticks, status in rows:
            self.exits[pid, start_ticks] = status
        while len(self.exits) > EXITS_KEPT:
            del self.exits[next(iter(self.exits))]

    def _be_welcome(self, pid: int) -> None:
        self.watchdog_pid = pid
        assert self._channel is not None
        self._unneeded = {name for name in self._kept if not self._is_wanted(name)}
        for name in self._kept.keys() - self._unneeded:
            self._channel.post({"hold": name}, f"fd {name}")
        for name in self._dropped_late:
            self._channel.post({"drop": name}, f"fd {name}")
        self._dropped_late.clear()
        for key, message in self._said.items():
            self._channel.post(message, key)
        self._flush()
        self.on_welcome()

    def _is_wanted(self, name: str) -> bool:
        """Tell whether the watchdog needs this one: it learns by itself how its own descendants end."""
        process = handover.process_of(name)
        return process is None or not self.is_above(process[0])

    def _await_welcome(self, until: float) -> None:
        while self._channel is not None and self.watchdog_pid is None:
            left = until - self.loop.time()
            if left <= 0 or sys.platform == "win32":
                return
            poll = select.poll()
            poll.register(self._channel.socket, select.POLLIN)
            poll.poll(left * 1000)
            self._hear()

    def _await_writable(self, until: float) -> bool:
        left = until - self.loop.time()
        if left <= 0 or self._channel is None or sys.platform == "win32":
            return False
        poll = select.poll()
        poll.register(self._channel.socket, select.POLLOUT)
        poll.poll(left * 1000)
        return True

    def _hang_up(self) -> None:
        self.watchdog_pid = None
        if self._channel is None:
            return
        self.loop.remove_reader(self._channel.socket.fileno())
        self._write_later(is_full=False)
        self._channel.close()
        self._channel = None


def _nobody_listens(*_told: bool) -> None:
    return None
