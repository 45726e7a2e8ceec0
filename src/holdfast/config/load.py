"""Find a configuration and read it: settings when all is well, else every problem at once."""

import os
import platform
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from msgspec import structs

from holdfast.config.crosscheck import crosscheck
from holdfast.config.notes import notes
from holdfast.config.read import read_document
from holdfast.config.schema import NAMED_SECTIONS, Document
from holdfast.config.sections.service import Program
from holdfast.config.settings import Settings
from holdfast.config.sources import Sources, read_sources
from holdfast.config.specs import specs_of
from holdfast.errors import ConfigError, Problem

FILE_NAME = "holdfast.toml"

P = TypeVar("P", bound=Program)


def load(path: Path, environ: Mapping[str, str] = os.environ) -> Settings:
    """Return what the file and those it includes say.

    Raises:
        ConfigError: they cannot be used; it carries every problem of every file.
    """
    sources = read_sources(path, environ)
    if isinstance(sources, Problem):
        raise ConfigError((sources,))
    document = read_document(sources)
    crosscheck(document, sources)
    if sources.count:
        raise ConfigError(sources.problems())
    document = _completed(document, sources)
    return Settings(
        path=sources.main.path,
        files=tuple(sources.files),
        machine=document.machine.name or "",
        services=specs_of(document.service),
        notes=notes(sources),
        places=_places(document, sources),
        document=document,
    )


def find(explicit: str | None, environ: Mapping[str, str] = os.environ) -> Path:
    """Return the file to read: the one named, `$HOLDFAST_CONFIG`, ./holdfast.toml, then the user's own.

    Raises:
        ConfigError: there is none; it names every place that was tried.
    """
    if explicit:
        return _existing(explicit, "")
    named = environ.get("HOLDFAST_CONFIG")
    if named:
        return _existing(named, " (from $HOLDFAST_CONFIG)")
    tried = (Path(FILE_NAME), config_folder(environ) / FILE_NAME)
    for path in tried:
        if path.exists():
            return path
    raise ConfigError(
        (
            Problem(
                place=FILE_NAME,
                what="no configuration was found; looked for "
                + " and ".join(str(path.absolute()) for path in tried),
                hint="create one with: holdfast init",
            ),
        )
    )


def config_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Return the folder in which this platform keeps a user's configuration of Holdfast."""
    home = environ.get("HOME") or os.path.expanduser("~")
    if sys.platform == "win32":
        return Path(environ.get("APPDATA") or Path(home, "AppData", "Roaming")) / "holdfast"
    if sys.platform == "darwin":
        return Path(home, "Library", "Application Support", "holdfast")
    return Path(environ.get("XDG_CONFIG_HOME") or Path(home, ".config")) / "holdfast"


def _existing(name: str, source: str) -> Path:
    path = Path(os.path.expanduser(name))
    if not path.exists():
        hint = "create one with: holdfast init"
        raise ConfigError((Problem(place=name, what=f"there is no such file{source}", hint=hint),))
    return path


def _completed(document: Document, sources: Sources) -> Document:
    """Fill in what only the machine and the place of the file can tell."""
    name = document.machine.name or platform.node() or "localhost"
    return structs.replace(
        document,
        machine=structs.replace(document.machine, name=name),
        service=_placed("service", document.service, sources),
        job=_placed("job", document.job, sources),
        agent=_placed("agent", document.agent, sources),
    )


def _placed(section: str, programs: Mapping[str, P], sources: Sources) -> dict[str, P]:
    return {
        name: program
        if program.cwd is not None
        else structs.replace(program, cwd=str(sources.origin_of((section, name)).folder))
        for name, program in programs.items()
    }


def _places(document: Document, sources: Sources) -> dict[str, str]:
    return {
        f"{section}.{name}": sources.place_of((section, name))
        for section in NAMED_SECTIONS
        for name in getattr(document, section)
    }
