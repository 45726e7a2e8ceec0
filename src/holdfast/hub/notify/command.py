"""A message to a program: JSON on its standard input, the parts in its environment."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from typing import IO

from holdfast.hub.environment import of_a_program
from holdfast.hub.notify.render import payload, reason
from holdfast.model.message import Delivered, Message, Outcome, Refused, TryLater

LONGEST_VARIABLE = 30_000
"""Bytes of one variable; Linux refuses to start a program with one beyond 131,072, Windows beyond 32,767 characters."""


def send(words: Sequence[str], message: Message, timeout: float) -> Outcome:
    """Run a program; exit code 0 means that it told somebody. It is killed after `timeout` seconds."""
    with tempfile.TemporaryFile() as said:
        try:
            code = _run(words, message, timeout, said)
        except (FileNotFoundError, PermissionError) as error:
            return Refused(why=f"{words[0]} cannot be executed: {error.strerror}")
        except OSError as error:
            return TryLater(why=f"{words[0]} cannot be executed: {error.strerror}")
        if code == 0:
            return Delivered()
        if code is None:
            why = f"{words[0]} did not end within {timeout:g} s and was killed"
            return TryLater(why=why, may_have_arrived=True)
        return TryLater(why=reason(f"{words[0]} ended with {code}: {_last_line(said)}"))


def _run(words: Sequence[str], message: Message, timeout: float, said: IO[bytes]) -> int | None:
    """Return the exit code; None when it had to be killed."""
    # Errors go to a file: a program that leaves something running in the background would keep a pipe open.
    with subprocess.Popen(
        list(words),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=said,
        env=of_a_program(_variables(message)),
        start_new_session=True,
    ) as program:
        try:
            program.communicate(payload(message) + b"\n", timeout=timeout)
        except subprocess.TimeoutExpired:
            _kill(program)
            return None
        return program.returncode


def _variables(message: Message) -> dict[str, str]:
    parts = {
        "KEY": message.key,
        "KIND": message.kind.value,
        "SEVERITY": message.severity.value,
        "TITLE": message.title,
        "BODY": message.body,
        "CHECKS": ",".join(message.checks),
    }
    return {f"HOLDFAST_{name}": _short(text) for name, text in parts.items()}


def _short(text: str) -> str:
    """Return a text that a program can be given in its environment; the whole stands on its standard input."""
    return (
        text.replace("\0", "").encode(errors="replace")[:LONGEST_VARIABLE].decode(errors="ignore")
    )


def _kill(program: "subprocess.Popen[bytes]") -> None:
    if sys.platform == "win32":
        program.kill()
        return
    try:
        os.killpg(program.pid, signal.SIGKILL)
    except ProcessLookupError:
        program.kill()


def _last_line(said: IO[bytes]) -> str:
    said.seek(0)
    lines = said.read(100_000).decode("utf-8", "replace").split("\n")
    return next((line for line in reversed(lines) if line.strip()), "it said nothing")
