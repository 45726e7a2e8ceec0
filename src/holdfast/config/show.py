"""The effective configuration, defaults filled in and secrets covered."""

from collections.abc import Mapping

from holdfast.config.mask import masked
from holdfast.config.schema import Document
from holdfast.config.settings import Settings
from holdfast.config.shape import record_of, shown
from holdfast.config.toml import write_toml


def plain(settings: Settings) -> dict[str, object]:
    """Return the effective configuration as a table in the words of the file, secrets covered."""
    table = masked(_document(settings))
    assert isinstance(table, dict)
    return table


def render(settings: Settings) -> str:
    """Return the effective configuration as TOML, secrets covered; without secrets in it, it loads again."""
    files = "".join(f"# {path}\n" for path in settings.files)
    return f"{files}\n{write_toml(_escaped(plain(settings)))}"


def _document(settings: Settings) -> dict[str, object]:
    table = shown(record_of(Document), settings.document)
    assert isinstance(table, dict)
    # What was included stands in the table already, and every service has its defaults.
    return {key: value for key, value in table.items() if key not in {"include", "defaults"}}


def _escaped(table: Mapping[str, object]) -> dict[str, object]:
    """Double every dollar sign, which the next reader would take for a reference."""
    return {key: _escaped_value(value) for key, value in table.items()}


def _escaped_value(value: object) -> object:
    match value:
        case str():
            return value.replace("$", "$$")
        case list():
            return [_escaped_value(item) for item in value]
        case dict():
            return _escaped(value)
        case _:
            return value
