"""What a user's program imports: beats, a structured log, and orders to the supervisor.

from holdfast.client import beat, get_logger

log = get_logger()
log.info("indexed", notes=12)
beat(progress=12)
"""

from importlib import import_module
from typing import TYPE_CHECKING

from holdfast.client.beat import beat, ready, status_text, stopping

if TYPE_CHECKING:
    from holdfast.client.control import Control, connect
    from holdfast.client.log import Logger, get_logger
    from holdfast.client.query import recent

__all__ = [
    "Control",
    "Logger",
    "beat",
    "connect",
    "get_logger",
    "ready",
    "recent",
    "status_text",
    "stopping",
]

# A program that only beats pays for nothing else: the rest is loaded when it is first asked for.
_HOMES = {
    "Control": "control",
    "connect": "control",
    "Logger": "log",
    "get_logger": "log",
    "recent": "query",
}


def __getattr__(name: str) -> object:
    """Load the part of the client that `name` stands in."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
