"""Crash-safe state files, usable alone: importing this loads nothing until a name is used."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from holdfast.statefile.append import append_line
    from holdfast.statefile.content import Kind
    from holdfast.statefile.documents import quarantine, read_json, write_json
    from holdfast.statefile.durability import Durability
    from holdfast.statefile.lock import Held, hold, holder, locked
    from holdfast.statefile.recovery.inspect import Report, inspect
    from holdfast.statefile.recovery.rebuild import Rebuilt, rebuild
    from holdfast.statefile.recovery.recover import Recovery, recover
    from holdfast.statefile.state import StateFile
    from holdfast.statefile.transactions import Transaction, transaction
    from holdfast.statefile.write import Result, write_atomic

__all__ = [
    "Durability",
    "Held",
    "Kind",
    "Rebuilt",
    "Recovery",
    "Report",
    "Result",
    "StateFile",
    "Transaction",
    "append_line",
    "hold",
    "holder",
    "inspect",
    "locked",
    "quarantine",
    "read_json",
    "rebuild",
    "recover",
    "transaction",
    "write_atomic",
    "write_json",
]

_HOME = {
    "Durability": "durability",
    "Held": "lock",
    "Kind": "content",
    "Rebuilt": "recovery.rebuild",
    "Recovery": "recovery.recover",
    "Report": "recovery.inspect",
    "Result": "write",
    "StateFile": "state",
    "Transaction": "transactions",
    "append_line": "append",
    "hold": "lock",
    "holder": "lock",
    "inspect": "recovery.inspect",
    "locked": "lock",
    "quarantine": "documents",
    "read_json": "documents",
    "rebuild": "recovery.rebuild",
    "recover": "recovery.recover",
    "transaction": "transactions",
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
