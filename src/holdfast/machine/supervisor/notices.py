"""The last resort: what a person must hear goes into a file or to a program while no hub is there to tell it."""

import asyncio
import json
import os
from collections import deque
from collections.abc import Mapping
from typing import Any

from holdfast import statefile
from holdfast.clock import Clock, utc_text
from holdfast.errors import StartFailed, StateError
from holdfast.home import Home
from holdfast.machine.probes.errand import VARIABLE, Errands
from holdfast.machine.process.launch import Launch
from holdfast.machine.supervisor.environment import DEFAULT_PATH, INHERITED, own_environment
from holdfast.machine.supervisor.notes import LOG_SIZE, LOGS_KEPT, Notes
from holdfast.model.notice import title_of
from holdfast.model.service import Exit

COMMAND_WITHIN = 30.0
"""Seconds a program may take over one notice."""

WAITING_AT_MOST = 100
"""Notices that may wait for their turn; what comes beyond is told as lost."""

LONGEST_LINE = 4_000
"""Bytes of a notice: even the smallest pipe, of one page, holds it whole, so that nobody waits for its reader."""

SHORT_BODY = 500
"""Characters of the body where the whole notice would be longer; its facts are left out then."""

KEYS_REMEMBERED = 1_000
"""Keys under which a notice went out lately."""


class Notices:
    """Sends each notice once, one at a time, never held back by a cooldown."""

    def __init__(
        self,
        home: Home,
        loop: asyncio.AbstractEventLoop,
        clock: Clock,
        notes: Notes,
        errands: Errands,
    ) -> None:
        self.home = home
        self.loop = loop
        self.clock = clock
        self.notes = notes
        self.errands = errands
        self._file: str | None = None
        self._command: tuple[str, ...] = ()
        self._count = 0
        self._sent: dict[str, None] = {}
        self._waiting: deque[bytes] = deque()
        self._sending: asyncio.Task[None] | None = None

    def set(self, last_resort: Mapping[str, Any] | None) -> None:
        """Go by this from now on: `{"file": PATH}`, `{"command": [WORD...]}`, or None to tell nobody."""
        chosen = last_resort or {}
        self._file = chosen.get("file")
        self._command = tuple(chosen.get("command") or ())

    def hear(self, kind: str, subject: str, facts: Mapping[str, object]) -> None:
        """Tell of an event that concerns a person; others pass."""
        title = title_of(kind, subject)
        if title is not None:
            told = {**facts, "event": kind, "subject": subject}
            body = str(facts.get("why") or facts.get("reason") or "")
            self.send("meta", title, body, told)

    def send(self, kind: str, title: str, body: str, facts: Mapping[str, object]) -> None:
        """Send one notice; `facts` may name its `severity`, and the `key` under which it goes out only once."""
        if not (self._file or self._command):
            return
        self._count += 1
        now = utc_text(self.clock.wall())
        key = str(facts.get("key") or f"{kind}-{now}-{os.getpid()}-{self._count}")
        if key in self._sent:
            return
        self._remember(key)
        notice = {
            "key": key,
            "kind": kind,
            "severity": facts.get("severity", "warning"),
            "title": title,
            "body": body,
            "checks": [],
            "at": now,
        }
        line = _line({**facts, **notice})
        if len(line) >= LONGEST_LINE:
            line = _line({**notice, "body": body[:SHORT_BODY]})
        self._pass_on(line)

    def close(self) -> None:
        """Send nothing any more, and end the program that is at it."""
        self.set(None)
        self._waiting.clear()
        if self._sending is not None:
            self._sending.cancel()

    async def sent(self) -> None:
        """Return once no notice waits any more, each of them sent or given up."""
        if self._sending is not None:
            await asyncio.wait([self._sending])

    def _remember(self, key: str) -> None:
        self._sent[key] = None
        if len(self._sent) > KEYS_REMEMBERED:
            del self._sent[next(iter(self._sent))]

    def _pass_on(self, line: bytes) -> None:
        if self._file:
            self._append(self._file, line)
        elif len(self._waiting) >= WAITING_AT_MOST:
            self._failed(f"{WAITING_AT_MOST} notices wait already; this one was dropped")
        else:
            self._waiting.append(line)
            if self._sending is None:
                self._sending = self.loop.create_task(self._send_all())

    def _append(self, file: str, line: bytes) -> None:
        try:
            statefile.append_line(
                file, line.decode().removesuffix("\n"), max_size=LOG_SIZE, keep=LOGS_KEPT
            )
        except StateError as error:
            self._failed(str(error))

    async def _send_all(self) -> None:
        """Hand one notice after the other to the program, until none waits."""
        try:
            while self._waiting:
                why = await self._handed_over(self._waiting.popleft())
                if why:
                    self._failed(why)
        finally:
            self._sending = None

    async def _handed_over(self, line: bytes) -> str:
        """Run the program with the line on its standard input; return why that failed, nothing when it did not."""
        try:
            reader = _piped(line)
        except OSError as error:
            return f"no pipe could be made: {error.strerror}"
        try:
            async with asyncio.timeout(COMMAND_WITHIN):
                return _fault_of(await self.errands.run(self._launch(reader)))
        except StartFailed as error:
            return str(error)
        except TimeoutError:
            return f"it did not end within {COMMAND_WITHIN:g} s and was killed"
        finally:
            os.close(reader)

    def _launch(self, stdin: int) -> Launch:
        own = own_environment()
        env = {"PATH": own.get("PATH") or DEFAULT_PATH}
        env |= {name: own[name] for name in INHERITED if name in own}
        home = str(self.home.root)
        env |= {"HOLDFAST_HOME": home, VARIABLE: home}
        return Launch(argv=self._command, env=env, cwd=home, stdin=stdin)

    def _failed(self, why: str) -> None:
        way = self._file or " ".join(self._command)
        facts: dict[str, object] = {"severity": "warning", "why": f"{way}: {why}"}
        self.notes.event("notice.failed", "supervisor", facts)


def _fault_of(exit_: Exit) -> str:
    if exit_.signal is not None:
        return f"it was ended by signal {exit_.signal}"
    return f"it ended with exit code {exit_.code}" if exit_.code else ""


def _line(notice: Mapping[str, object]) -> bytes:
    line = json.dumps(notice, ensure_ascii=False, default=str)
    return f"{line}\n".encode("utf-8", "backslashreplace")


def _piped(line: bytes) -> int:
    """Return the read end of a pipe in which the line stands."""
    reader, writer = os.pipe()
    os.write(writer, line)
    os.close(writer)
    return reader
