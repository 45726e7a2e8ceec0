"""Where a value of the configuration stands: what its relative paths and its `${VAR}` mean."""

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from holdfast.config.unfit import Unfit

_REFERENCE = re.compile(r"\$\$|\$\{([^}]*)\}|\$\{")
_NAMED = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Origin:
    """The folder of the file a value stands in, and the environment of whoever reads it."""

    folder: Path
    environ: Mapping[str, str]

    def expand(self, text: str) -> str:
        """Return `text` with `${VAR}` and `${VAR:-default}` filled in; `$$` is a dollar sign.

        Raises:
            Unfit: a variable is not set and has no default, or a reference is malformed.
        """
        return self.expand_all((text,))[0]

    def expand_all(self, texts: Iterable[str]) -> tuple[str, ...]:
        """Return every text expanded.

        Raises:
            Unfit: as for one text; all variables that are not set are named together.
        """
        missing: dict[str, None] = {}
        expanded = tuple(
            _REFERENCE.sub(lambda found: self._fill(found, missing), text) for text in texts
        )
        if missing:
            first = next(iter(missing))
            raise Unfit(
                f"not set in the environment: {', '.join(missing)}",
                hint=f"set it, or write a default: ${{{first}:-value}}",
            )
        for text in expanded:
            _require_plain(text)
        return expanded

    def resolve(self, path: str) -> str:
        """Return `path` as an absolute one: `~` is a home folder, anything relative starts at the file's folder."""
        if path == "~" or path.startswith(("~/", "~\\")):
            home = self.environ.get("HOME") or os.path.expanduser("~")
            path = os.path.join(home, path[2:])
        return str(self.folder / os.path.expanduser(path))

    def _fill(self, found: re.Match[str], missing: dict[str, None]) -> str:
        if found[0] == "$$":
            return "$"
        named = _NAMED.fullmatch(found[1] or "")
        if named is None:
            raise Unfit(
                f"malformed reference {found[0]}",
                hint="write ${VAR} or ${VAR:-default}, and $$ for a dollar sign",
            )
        name, default = named.groups()
        value = self.environ.get(name)
        if default is not None:
            return value or default
        if value is None:
            missing[name] = None
        return value or ""


def _require_plain(text: str) -> None:
    if "\0" in text:
        raise Unfit("contains a NUL character")
    if any("\ud800" <= char <= "\udfff" for char in text):
        raise Unfit("contains bytes that are not UTF-8, from a variable of the environment")
