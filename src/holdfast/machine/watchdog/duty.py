"""What the watchdog does for its supervisor: start it, judge it, end it when it hangs, start the next one."""

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import assert_never

from holdfast import statefile
from holdfast.clock import Clock, boot_id
from holdfast.errors import HoldfastError, StateError
from holdfast.home import Home
from holdfast.machine.watchdog.charge import Charge
from holdfast.machine.watchdog.signs import Signs
from holdfast.model.service import Exit, Now
from holdfast.rules import guarding
from holdfast.rules.guarding import Act, Beat, Guard, Policy

Reply = Callable[[Mapping[str, object]], None]
"""Answers, once, the person who waits for the supervisor to get ready."""

REFUSED = 4
FAILED = 1

_UNREADY = "the supervisor ended before it was ready; see {}"
_TOO_EARLY = "the watchdog was told to end before the supervisor was ready"


class Duty:
    """One guard, carried out; `outcome` is the exit code once there is nothing left to do."""

    def __init__(
        self, home: Home, clock: Clock, charge: Charge, signs: Signs, reply: Reply | None
    ) -> None:
        self.home = home
        self.clock = clock
        self.charge = charge
        self.signs = signs
        self.reply = reply
        self.guard = Guard(is_asked=reply is not None)
        self.policy = guarding.policy_of(_remembered(home), Policy())
        self.outcome: int | None = None
        self.began_at = clock.wall()
        self.services = 0
        self.next_look_mono = clock.monotonic() + self.policy.check_every
        self._beat: Beat | None = None
        self._last_words: Mapping[str, object] = {}

    def now(self) -> Now:
        """Return the moment of a decision."""
        return Now(wall=self.clock.wall(), mono=self.clock.monotonic(), boot_id=boot_id())

    def begin(self) -> None:
        """Take charge of the supervisor that lives, else start one, unless told to end by then.

        A supervisor that ends tells so a watchdog it has just called, and is gone before that one looks.
        """
        if not self.find() and self.outcome is None:
            self.start()

    def find(self) -> bool:
        """Take charge of a supervisor somebody else started, if one holds the lock."""
        if not self.charge.find():
            return False
        self.guard = guarding.found(self.guard, self.charge.pid, self.now())
        self.signs.tell("supervisor.found", "supervisor", pid=self.charge.pid)
        held = f"a supervisor runs already (process {self.charge.pid}); it is watched over from now on"
        self._answer({"error": held, "held": True, "stays": True})
        return True

    def start(self) -> None:
        """Start a supervisor; one that cannot be started has failed as one that dies at once."""
        self._last_words, self._beat = {}, None
        try:
            self.charge.start()
        except (HoldfastError, OSError) as error:
            self._last_words = {"error": str(error), "held": False}
            self.guard = guarding.started(self.guard, 0, self.now())
            self.mourn(Exit())
            return
        self.guard = guarding.started(self.guard, self.charge.pid, self.now())
        self.signs.tell("supervisor.started", "supervisor", pid=self.charge.pid)

    def hear_answer(self) -> None:
        """Take note of what a new supervisor says of its start."""
        said = self.charge.answer()
        if said is None:
            return
        self._last_words = said
        if said.get("ready"):
            self.became_ready()

    def became_ready(self) -> None:
        """Take note that the supervisor takes orders."""
        if self.guard.phase is guarding.Phase.STARTING:
            self.signs.tell("supervisor.ready", "supervisor", pid=self.charge.pid)
        self.guard = guarding.became_ready(self.guard)
        self._answer({"ready": True})
        self.signs.ready()

    def will_end(self) -> None:
        """Take note that the supervisor was told to end, and is not to be replaced."""
        self.guard = replace(self.guard, is_ending=True)

    def mourn(self, how: Exit) -> None:
        """Take note that the supervisor is dead, and do what follows."""
        self.hear_answer()
        if self._last_words.get("held") and self.find():
            return
        self.charge.let_go()
        self.guard, act = guarding.ended(self.guard, how, self.now())
        words = str(self._last_words.get("error") or "")
        self.signs.tell("supervisor.ended", "supervisor", how=guarding.in_words(how), said=words)
        self._do(act)

    def beat(self, said: object) -> None:
        """Take note of a beat that came by message: a full disk must not pass for a death."""
        beat = guarding.beat_of(said)
        if beat is not None and beat.pid == self.charge.pid:
            self._beat = beat
            self.services = _count_in(said, self.services)

    def settle(self, settings: object) -> None:
        """Watch as closely as the configuration says from now on."""
        self.policy = guarding.policy_of(settings, self.policy)
        self.next_look_mono = self.clock.monotonic() + self.policy.check_every

    def take_time(self) -> bool:
        """Do what has become due, and tell whether a look at the supervisor was."""
        now = self.now()
        self.guard, act = guarding.elapsed(self.guard, now)
        self._do(act)
        if now.mono < self.next_look_mono:
            return False
        late_by = now.mono - self.next_look_mono
        self.next_look_mono = now.mono + self.policy.check_every
        stale = self.guard.stale
        self.guard, act = guarding.looked(
            self.policy, self.guard, self._newest_beat(), now, late_by
        )
        if self.guard.stale > stale:
            self.signs.tell("supervisor.stale", "supervisor", looks=self.guard.stale)
        self._do(act)
        return True

    def dues(self) -> list[float]:
        """Return the moments at which something becomes due, on the monotonic clock."""
        due = self.guard.due_mono
        return [self.next_look_mono] if due is None else [self.next_look_mono, due]

    def quit(self) -> None:
        """End in order; the supervisor is not touched."""
        self.outcome = 0

    def say_goodbye(self) -> None:
        """Answer whoever still waits."""
        self._answer({"error": _TOO_EARLY, "held": False})

    def _do(self, act: Act | None) -> None:
        match act:
            case None:
                pass
            case Act.START:
                self.start()
            case Act.ABORT:
                self.signs.tell("supervisor.hung", "supervisor", pid=self.charge.pid)
                self.charge.send("ABRT", "CONT")
            case Act.KILL:
                self.signs.tell("supervisor.killed", "supervisor", pid=self.charge.pid)
                self.charge.send("KILL")
            case Act.LEAVE:
                self.outcome = 0
            case Act.GIVE_UP:
                self._give_up()
            case _:
                assert_never(act)

    def _give_up(self) -> None:
        words = self._last_words
        if "error" not in words:
            words = {"error": _UNREADY.format(self.home.logs / "supervisor.log"), "held": False}
        self._answer(words)
        self.outcome = REFUSED if words.get("held") else FAILED

    def _answer(self, words: Mapping[str, object]) -> None:
        if self.reply is not None:
            self.reply(words)
            self.reply = None
        self.guard = replace(self.guard, is_asked=False)

    def _newest_beat(self) -> Beat | None:
        content = _read(self.home.heartbeat("supervisor"))
        beat = guarding.beat_of(content)
        if beat is None or beat.pid != self.charge.pid:
            return self._beat
        self.services = _count_in(content, self.services)
        return beat if self._beat is None or beat.wall > self._beat.wall else self._beat


def _remembered(home: Home) -> object:
    content = _read(home.config_pointer)
    return content.get("watchdog") if isinstance(content, dict) else None


def _read(path: Path) -> object:
    with contextlib.suppress(OSError, StateError):
        return statefile.read_json(path)
    return None


def _count_in(content: object, default: int) -> int:
    count = content.get("services") if isinstance(content, dict) else None
    return count if type(count) is int else default
