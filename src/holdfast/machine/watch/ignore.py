"""Which files below a watched folder say nothing about a program: version control, caches, what editors leave."""

import os
import re

FOLDERS = frozenset(
    {
        ".git",
        ".hg",
        ".svn",
        ".idea",
        ".hypothesis",
        ".mypy_cache",
        ".pytest_cache",
        ".ruff_cache",
        ".tox",
        ".venv",
        "__pycache__",
        "node_modules",
    }
)

NAMES = re.compile(
    r"""
    .*\.py[cod]         # what Python compiled
    | .*~               # backups of Emacs, vim and others
    | \.?\#.*           # Emacs: locks and unsaved buffers
    | .*\.sw[a-z]       # vim: swap files
    | 4913              # vim: the file by which it tries whether it may write
    | .*___jb_(?:tmp|old|bak)___
    | \.goutputstream-.*
    | \.DS_Store
    """,
    re.VERBOSE,
)


def is_ignored(relative: str) -> bool:
    """Tell whether a path below a watched folder, relative to it, is to be passed over."""
    *folders, name = relative.split(os.sep)
    return not FOLDERS.isdisjoint((*folders, name)) or NAMES.fullmatch(name) is not None
