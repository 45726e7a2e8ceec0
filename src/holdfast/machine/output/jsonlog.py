"""The JSON form of captured output: one object a line, with the time, the stream and the text."""

import json

OPENING = b'{"at":"'
"""How every line begins; by it a line that a kill cut short is known."""

_quote = json.JSONEncoder(ensure_ascii=False).encode


def encode_lines(lines: bytes, stream: str, at: str) -> list[bytes]:
    """Return one object for each line of `lines`, which end in a line end."""
    head = _head(stream, at)
    texts = lines.decode(errors="backslashreplace").split("\n")
    return [f"{head}{_quote(text)}}}\n".encode() for text in texts[:-1]]


def encode_part(part: bytes, stream: str, at: str) -> bytes:
    """Return the object for a piece of a line whose end is still to come: it says `"partial": true`."""
    text = part.decode(errors="backslashreplace")
    return f'{_head(stream, at)}{_quote(text)},"partial":true}}\n'.encode()


def _head(stream: str, at: str) -> str:
    return f'{{"at":"{at}","stream":"{stream}","line":'


def whole_characters(piece: bytes) -> int:
    """Return the length of `piece` without a UTF-8 character that is cut at its end."""
    for back in range(1, min(3, len(piece)) + 1):
        byte = piece[-back]
        if byte >= 0xC0:
            wanted = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return len(piece) - back if wanted > back else len(piece)
        if byte < 0x80:
            break
    return len(piece)
