"""Where repositories and restored projects stand, told by their files alone."""

import os
import re

from holdfast.errors import Refused
from holdfast.model.backup import EngineName

MARKER = "holdfast-copy.json"
"""The file that makes a folder a repository of the copy engine."""

_REMOTE = re.compile(r"(sftp|rest|s3|b2|azure|gs|rclone|swift):")


def is_remote(repository: str) -> bool:
    """Tell whether a repository is one that restic reaches by other means than a folder."""
    return _REMOTE.match(repository) is not None


def repository_of(repository: str) -> EngineName | None:
    """Return which engine's repository stands there; None where there is none."""
    if is_remote(repository):
        return EngineName.RESTIC
    if os.path.isfile(os.path.join(repository, MARKER)):
        return EngineName.COPY
    parts = ("config", "keys", "data")
    if all(os.path.exists(os.path.join(repository, part)) for part in parts):
        return EngineName.RESTIC
    return None


def inside(path: str, folder: str) -> bool:
    """Tell whether a path stands in a folder, or is it."""
    real, root = os.path.realpath(path), os.path.realpath(folder)
    return real == root or real.startswith(root.rstrip(os.sep) + os.sep)


def may_restore_to(to: str, *, force: bool) -> None:
    """Refuse to restore over what stands in a folder, unless forced.

    Raises:
        Refused: it is not empty, or no folder.
    """
    if not os.path.lexists(to):
        return
    if not os.path.isdir(to):
        raise Refused(f"{to} is not a folder; name one that is empty or not there")
    if os.listdir(to) and not force:
        raise Refused(
            f"{to} is not empty; name a folder that is, or use --force to restore over what is there"
        )
