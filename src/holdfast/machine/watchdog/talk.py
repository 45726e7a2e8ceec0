"""What the watchdog says to those who call, and does at their word."""

import os
from collections import deque
from dataclasses import asdict
from itertools import islice

from holdfast.machine.handover import ROWS_PER_MESSAGE, Flow, Received
from holdfast.machine.watchdog.callers import Caller, Callers
from holdfast.machine.watchdog.duty import Duty
from holdfast.machine.watchdog.orphans import Orphans
from holdfast.machine.watchdog.vault import ExitRow, Vault


class Talk:
    """Greets each new supervisor with all it must know, and keeps what it is given."""

    def __init__(self, callers: Callers, vault: Vault, orphans: Orphans, duty: Duty) -> None:
        self.callers = callers
        self.vault = vault
        self.orphans = orphans
        self.duty = duty

    def listen(self) -> bool:
        """Let in who waits, hear everybody, and tell whether anything was said."""
        for caller in self.callers.admit():
            if self._is_supervisor(caller):
                self._greet(caller)
        said = [(caller, self.callers.hear(caller)) for caller in list(self.callers.present)]
        for caller, heard in said:
            for received in heard:
                self._obey(caller, received)
        return any(heard for _, heard in said)

    def tell_exits(self, rows: list[ExitRow]) -> None:
        """Tell the supervisor of orphans that were just reaped."""
        for caller in self._greeted():
            for at in range(0, len(rows), ROWS_PER_MESSAGE):
                piece = rows[at : at + ROWS_PER_MESSAGE]
                caller.channel.post({"exits": piece}, key=f"exits after {piece[0]}")

    def tell_alive(self) -> None:
        """Tell the supervisor that the watchdog lives, also when no disk takes its heartbeat."""
        for caller in self._greeted():
            caller.channel.post({"alive": True})

    def say_goodbye(self) -> None:
        """Tell the supervisor that this end is in order."""
        for caller in self._greeted():
            caller.channel.post({"leaving": True})
        self.flush()

    def flush(self) -> dict[int, Flow]:
        """Send what can be sent, and return where more waits."""
        held_up: dict[int, Flow] = {}
        for caller in list(self.callers.present):
            try:
                flow = caller.channel.flush()
            except ConnectionError:
                # What it said last is still to be read; the end of file comes after it.
                continue
            if flow is not Flow.DONE:
                held_up[caller.channel.socket.fileno()] = flow
        return held_up

    def _greeted(self) -> list[Caller]:
        return [caller for caller in self.callers.present if caller.is_greeted]

    def _is_supervisor(self, caller: Caller) -> bool:
        charge = self.duty.charge
        if caller.pid == charge.pid:
            return True
        # One that we did not start: it has its lock by now, or it would not call.
        return caller.pid == charge.holder() and self.duty.find()

    def _greet(self, caller: Caller) -> None:
        for older in self._greeted():
            self.callers.show_out(older)
        caller.is_greeted = True
        self.orphans.reap(self.duty.charge.pid)
        channel, fate = caller.channel, self.duty.guard.fate
        for name in self.vault.to_hand_over():
            channel.post({"held": name}, key=f"fd {name}")
        for number, rows in enumerate(_pieces(deque([*self.orphans.exits, *self.vault.exits()]))):
            channel.post({"exits": rows}, key=f"exits {number}")
        channel.post({"fate": None if fate is None else asdict(fate)})
        channel.post({"welcome": os.getpid(), "since": self.duty.began_at})

    def _obey(self, caller: Caller, received: Received) -> None:
        fd = received.fd
        match received.message:
            case {"leave": True}:
                self.duty.signs.tell("watchdog.relieved", "watchdog", by=caller.pid)
                self.duty.quit()
            case {"hold": str(name)} if caller.is_greeted and fd is not None:
                self.vault.keep(name, fd)
                fd = None
            case message:
                if caller.is_greeted:
                    self._take_note(message)
        if fd is not None:
            os.close(fd)

    def _take_note(self, message: object) -> None:
        match message:
            case {"drop": str(name)}:
                self.vault.drop(name)
            case {"beat": beat}:
                self.duty.beat(beat)
            case {"ready": True}:
                self.vault.forget_ended()
                self.duty.became_ready()
            case {"settings": settings}:
                self.duty.settle(settings)
            case {"ending": True}:
                self.duty.will_end()
            case _:  # a word of another version
                pass


def _pieces(rows: deque[ExitRow]) -> list[list[ExitRow]]:
    left = iter(rows)
    pieces = []
    while piece := list(islice(left, ROWS_PER_MESSAGE)):
        pieces.append(piece)
    return pieces
