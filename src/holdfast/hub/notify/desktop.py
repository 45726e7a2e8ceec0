"""A message on the screen of whoever sits at this machine."""

import html
import os
import subprocess
import sys
from collections.abc import Mapping

from holdfast.hub.notify.render import reason
from holdfast.model.alert import Telling
from holdfast.model.check import Severity
from holdfast.model.message import Delivered, Message, Outcome, Refused, TryLater

LONGEST = 4_000
"""Characters of a title or a body; no desktop shows more."""

_APPLE_SCRIPT = (
    "on run argv",
    "display notification (item 2 of argv) with title (item 1 of argv)",
    "end run",
)


def send(message: Message, timeout: float) -> Outcome:
    """Show a message; where there is no desktop it is refused, so that another channel hears of it."""
    if sys.platform == "win32":
        return Refused(
            why="no desktop: notifications of Windows go by an Apprise address, windows://"
        )
    if sys.platform == "darwin":
        return _run(on_macos(message), timeout)
    if not has_session(os.environ, os.getuid()):
        return Refused(why="no desktop: this user has no session bus")
    return _run(on_linux(message), timeout)


def on_linux(message: Message) -> list[str]:
    """Return the words of `notify-send`; the body is escaped, for desktops read markup in it."""
    is_bad = message.severity is Severity.CRITICAL and message.kind is not Telling.RESOLVE
    urgency = "critical" if is_bad else "normal"
    title, body = _shown(message)
    return [
        "notify-send",
        "--app-name=Holdfast",
        f"--urgency={urgency}",
        "--",
        title,
        html.escape(body, quote=False),
    ]


def on_macos(message: Message) -> list[str]:
    """Return the words of `osascript`; the texts are arguments, never a part of the script."""
    script = [word for line in _APPLE_SCRIPT for word in ("-e", line)]
    return ["osascript", *script, "--", *_shown(message)]


def _shown(message: Message) -> tuple[str, str]:
    """Return as much of title and body as a screen has room for and a program can be started with."""
    title, body = (text.replace("\0", "")[:LONGEST] for text in (message.title, message.body))
    return title, body


def has_session(environment: Mapping[str, str], user: int) -> bool:
    """Tell whether a desktop can be there to show something."""
    folder = environment.get("XDG_RUNTIME_DIR") or f"/run/user/{user}"
    return bool(environment.get("DBUS_SESSION_BUS_ADDRESS")) or os.path.exists(f"{folder}/bus")


def _run(words: list[str], timeout: float) -> Outcome:
    try:
        ended = subprocess.run(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=timeout,
            check=False,
        )
    except FileNotFoundError:
        return Refused(why=f"no desktop: {words[0]} is not installed")
    except subprocess.TimeoutExpired:
        return TryLater(why=f"{words[0]} did not end within {timeout:g} s", may_have_arrived=True)
    except OSError as error:
        return TryLater(why=f"{words[0]} cannot be executed: {error.strerror}")
    if ended.returncode == 0:
        return Delivered()
    said = ended.stderr.decode("utf-8", "replace")
    return TryLater(why=reason(f"{words[0]} ended with {ended.returncode}: {said}"))
