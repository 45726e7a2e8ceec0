"""From the words of a command line: the file, how it is written, and what stands on stdin."""

import argparse
import os
import sys

from holdfast.cli.state.nested import operations
from holdfast.cli.when import seconds
from holdfast.errors import InvalidContent, UsageError
from holdfast.statefile.content import Kind, kind_of
from holdfast.statefile.durability import Durability
from holdfast.statefile.state import Guard, StateFile

_HEX = frozenset("0123456789abcdef")
_SHA256_DIGITS = 64
_ABSENT = "absent"


def state_file(options: argparse.Namespace, only: Kind | None = None) -> StateFile:
    """Return the file meant; one whose name says nothing is what the verb needs.

    Raises:
        UsageError: its name says that it holds something else.
    """
    if options.backups < 0:
        raise UsageError(f"--backups {options.backups} was given; expected 0 or more")
    return StateFile(
        options.path,
        kind=_kind(options.path, only),
        durability=Durability(options.durability),
        backups=options.backups,
        follow=not options.no_follow,
        wait_for=seconds(options.timeout),
        ops=operations(),
    )


def state_file_to_read(path: str, only: Kind) -> StateFile:
    """Return a file that is not going to be changed.

    Raises:
        UsageError: its name says that it holds something else.
    """
    return StateFile(path, kind=_kind(path, only))


def _kind(path: str, only: Kind | None) -> Kind:
    kind = kind_of(os.path.basename(path))
    if only is None or kind is only:
        return kind
    if kind is not Kind.OTHER:
        raise UsageError(
            f"{path} is a {kind.value} file by its name, and this is for {only.value} files; see: holdfast state --help"
        )
    return only


def guard(options: argparse.Namespace) -> Guard:
    """Return under which conditions the file is written.

    Raises:
        UsageError: the expected content is not told by its SHA-256.
    """
    return Guard(expect=expected(options), dry_run=options.dry_run)


def expected(options: argparse.Namespace) -> str | None:
    """Return the version the file must have, or None.

    Raises:
        UsageError: it is no SHA-256.
    """
    if options.expect is None:
        return None
    said: str = options.expect.strip().lower().removeprefix("sha256:")
    if said != _ABSENT and (len(said) != _SHA256_DIGITS or not _HEX.issuperset(said)):
        raise UsageError(
            f"--expect {options.expect!r} was given; expected the 64 hex digits of a SHA-256, as sha256sum "
            "prints them, or `absent`"
        )
    return said


def stdin_bytes() -> bytes:
    """Return all of stdin.

    Raises:
        UsageError: it is closed, or cannot be read.
    """
    if sys.stdin is None:
        raise UsageError("stdin is closed; the content is read from there")
    try:
        return sys.stdin.buffer.read()
    except OSError as error:
        raise UsageError(
            f"stdin cannot be read: {error.strerror}; the content is read from there"
        ) from error


def stdin_text(path: str) -> str:
    """Return all of stdin as text.

    Raises:
        InvalidContent: it is not UTF-8.
        UsageError: it is closed, or cannot be read.
    """
    try:
        return stdin_bytes().decode()
    except UnicodeDecodeError as error:
        raise InvalidContent(
            f"stdin is not UTF-8: byte {error.start} is {error.reason}; {path} is as it was",
            path=path,
        ) from error
