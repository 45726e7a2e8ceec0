"""What every section is made of."""

from msgspec import Meta, Struct


class Section(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of holdfast.toml; what its fields hold is said by the kinds in their annotations."""


def doc(text: str) -> Meta:
    """Return the line about a key that editors show and the reference prints."""
    return Meta(description=text)
