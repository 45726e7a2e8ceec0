"""Names of files as they may be sent to a terminal."""


def printable(text: str) -> str:
    r"""Return a text with everything escaped that a terminal would obey instead of show, as `\x1b`."""
    if text.isprintable():
        return text
    return "".join(
        one if one.isprintable() else one.encode("unicode_escape").decode() for one in text
    )
