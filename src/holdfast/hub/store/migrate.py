"""The versions of the tables: numbered files in `migrations/`, and what of them a database still lacks."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources

from holdfast.errors import StoreError


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """One step forward; the checksum tells when its file was changed after a database had taken it."""

    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """Return the SHA-256 of the text in hex."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def shipped() -> tuple[Migration, ...]:
    """Return the migrations of this program, in order."""
    folder = resources.files("holdfast.hub.store").joinpath("migrations")
    files = [file for file in folder.iterdir() if file.name.endswith(".sql")]
    return tuple(
        Migration(
            name=file.name.removesuffix(".sql"),
            sql="\n".join(file.read_text("utf-8").splitlines()),
        )
        for file in sorted(files, key=lambda each: each.name)
    )


def pending(
    program: Sequence[Migration], recorded: Mapping[str, str], *, database: str
) -> tuple[Migration, ...]:
    """Return what a database still lacks; `recorded` holds the checksums it has, by name.

    Raises:
        StoreError: it is newer than this program, or was made from other files.
    """
    unknown = sorted(recorded.keys() - {each.name for each in program})
    if unknown:
        raise StoreError(
            f"{database} was made by a newer Holdfast: it has {unknown[-1]}, this program knows tables "
            f"up to {_newest(program)}; upgrade Holdfast, or put back a backup from before"
        )
    for each in program:
        if recorded.get(each.name, each.checksum) != each.checksum:
            raise StoreError(
                f"{database} was made with another {each.name} than this program has; the tables are not "
                "what it expects: use the Holdfast that made it, or put back a backup"
            )
    return _following(program, recorded, database)


def _following(
    program: Sequence[Migration], recorded: Mapping[str, str], database: str
) -> tuple[Migration, ...]:
    lacking = tuple(each for each in program if each.name not in recorded)
    if lacking and recorded and lacking[0].name < max(recorded):
        raise StoreError(
            f"{database} lacks {lacking[0].name} and has {max(recorded)}, which comes after it; the tables "
            "are not what this program expects: use the Holdfast that made it, or put back a backup"
        )
    return lacking


def _newest(program: Sequence[Migration]) -> str:
    return program[-1].name if program else "none"
