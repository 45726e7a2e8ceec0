"""Crash-safe state files, usable alone: importing this loads nothing until a name is used."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from holdfast.statefile.append import append_line
    from holdfast.statefile.documents import quarantine, read_json, write_json
    from holdfast.statefile.lock import Held, hold, holder, locked
    from holdfast.statefile.write import Durability, Result, write_atomic

__all__ = [
    "Durability",
    "Held",
    "Result",
    "append_line",
    "hold",
    "holder",
    "locked",
    "quarantine",
    "read_json",
    "write_atomic",
    "write_json",
]

_HOME = {
    "Durability": "write",
    "Held": "lock",
    "Result": "write",
    "append_line": "append",
    "hold": "lock",
    "holder": "lock",
    "locked": "lock",
    "quarantine": "documents",
    "read_json": "documents",
    "write_atomic": "write",
    "write_json": "documents",
}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value: object = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value
