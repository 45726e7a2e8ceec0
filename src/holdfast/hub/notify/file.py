"""A message as one line of JSON at the end of a file."""

import os
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

from holdfast import statefile
from holdfast.errors import LockTimeout, StateError
from holdfast.hub.notify.render import payload
from holdfast.model.message import Delivered, Message, Outcome, Refused, TryLater

LARGEST = 10_000_000
KEPT = 5
TAIL = 1_000_000
"""Bytes at the end in which a repeat is looked for; it follows its first try closely."""


def send(url: str, message: Message) -> Outcome:
    """Append a message, unless it stands there already: a crash between sending and marking repeats it."""
    split = urlsplit(url)
    path = url2pathname(split.path)
    if split.netloc not in ("", "localhost") or not os.path.isabs(path):
        shown = unquote(url.partition("://")[2])
        return Refused(why=f"{shown} is not an absolute path; write file:///folder/name")
    try:
        with statefile.locked(path):
            if not _holds(path, message.key):
                line = payload(message).decode()
                statefile.append_line(path, line, max_size=LARGEST, keep=KEPT)
    except LockTimeout as error:
        return TryLater(why=str(error))
    except (StateError, OSError) as error:
        return TryLater(why=f"{path} cannot be written: {error}")
    return Delivered()


def _holds(path: str, key: str) -> bool:
    try:
        with open(path, "rb") as source:
            source.seek(max(0, os.fstat(source.fileno()).st_size - TAIL))
            # Only whole lines count: a try that broke off in the middle of one told nobody.
            whole = source.read().rpartition(b"\n")[0]
    except FileNotFoundError:
        return False
    return any(
        f'"key":"{key}"'.encode() in line and line.endswith(b"}") for line in whole.split(b"\n")
    )
