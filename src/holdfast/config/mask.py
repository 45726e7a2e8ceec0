"""Which parts of a configuration nobody reads over a shoulder."""

import re
from collections.abc import Iterable

MASK = "***"

_SECRET_NAME = re.compile(
    r"pass(word|wd|phrase)?(_|$)|secret|token|credential|(^|_)key(_|$)|_pw$", re.IGNORECASE
)
_PASSWORD = re.compile(r"(://[^/@\s:]*:)[^/@\s]+(@)")
_CHANNEL = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]*)://(.+)", re.DOTALL)
_OPEN_CHANNELS = frozenset({"file", "desktop"})


def masked(plain: object, path: tuple[str, ...] = ()) -> object:
    """Return a table of the configuration with passwords, tokens and addresses of channels covered."""
    key = path[-1] if path else ""
    if isinstance(plain, dict):
        return {name: masked(value, (*path, name)) for name, value in plain.items()}
    if isinstance(plain, list):
        if plain and all(isinstance(word, str) for word in plain):
            return list(_words(plain))
        return [masked(item, path) for item in plain]
    if not isinstance(plain, str):
        return plain
    if path[:1] == ("notify",) and key == "url":
        return mask_channel(plain)
    if path[-2:-1] == ("env",) and is_secret_name(key):
        return MASK
    return mask_text(plain)


def is_secret_name(name: str) -> bool:
    """Tell whether a variable or an option of that name usually holds a secret."""
    return _SECRET_NAME.search(name.lstrip("-").replace("-", "_")) is not None


def mask_channel(url: str) -> str:
    """Return the scheme of a channel's URL: with most services the rest is the key to it."""
    found = _CHANNEL.fullmatch(url)
    if found is None or found[1].lower() in _OPEN_CHANNELS:
        return url
    return f"{found[1]}://{MASK}"


def mask_text(text: str) -> str:
    """Return `text` without the passwords of URLs in it."""
    return _PASSWORD.sub(rf"\g<1>{MASK}\g<2>", text)


def _words(words: Iterable[str]) -> Iterable[str]:
    """Cover what follows options like --password, in the same word or the next."""
    before = ""
    for word in words:
        option, equals, _ = word.partition("=")
        if equals and is_secret_name(option):
            yield f"{option}={MASK}"
        elif before.startswith("-") and "=" not in before and is_secret_name(before):
            yield MASK
        else:
            yield mask_text(word)
        before = word
