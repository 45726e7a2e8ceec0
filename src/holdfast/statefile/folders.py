"""Make the folders a file needs, so that a power cut does not take them away again."""

import os
from contextlib import suppress

from holdfast.statefile.system.ops import Folder, Ops


def make_folders(path: str, ops: Ops) -> None:
    """Make a folder and those above it that are missing, and sync the folder each new name stands in.

    Raises:
        OSError: one of them cannot be made; those above it stay.
    """
    missing: list[str] = []
    while path:
        try:
            folder = ops.open_folder(path)
        except FileNotFoundError:
            path, name = os.path.split(path.rstrip("/"))
            missing.append(name)
        else:
            _make(folder, missing, ops)
            return
    _make(ops.open_folder("."), missing, ops)


def _make(folder: Folder, missing: list[str], ops: Ops) -> None:
    """Make one folder inside the other, the outermost being the last of the list."""
    while missing:
        name = missing.pop()
        try:
            with suppress(FileExistsError):  # somebody else needed it too
                ops.mkdir(folder, name)
                ops.sync_folder(folder)
            inner = ops.open_folder(name, folder)
        finally:
            _close(folder, ops)
        folder = inner
    _close(folder, ops)


def _close(folder: Folder, ops: Ops) -> None:
    with suppress(OSError):
        ops.close_folder(folder)
