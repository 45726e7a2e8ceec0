"""Put all notes into one file; without any note there is something wrong."""

import os
import sys
from pathlib import Path

from holdfast import statefile

PLACE = Path(os.environ["HOME"]) / "notebook"


def main() -> int:
    """Write the export, whole or not at all."""
    notes = sorted((PLACE / "notes").glob("*.md"))
    if not notes:
        print(f"no notes in {PLACE / 'notes'}")
        return 1
    parts = [f"# {note.stem}\n\n{note.read_text(encoding='utf-8').strip()}\n" for note in notes]
    statefile.write_atomic(PLACE / "export.md", "\n".join(parts).encode())
    print(f"notes exported: {len(notes)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
