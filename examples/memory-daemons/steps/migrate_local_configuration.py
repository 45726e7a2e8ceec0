"""Move the preferences.txt of earlier versions, one preference a line, into a note."""

import memory

from holdfast import statefile

old = memory.FOLDER / "preferences.txt"
note = memory.NOTES / "preferences.md"
try:
    things = [
        line.strip() for line in old.read_text(encoding="utf-8").splitlines() if line.strip()
    ]
except FileNotFoundError:
    print("nothing to migrate")
else:
    memory.make_folders()
    text = note.read_text(encoding="utf-8") if note.exists() else "# Preferences\n"
    new = [line for thing in things if (line := f"prefer: {thing}") not in text.splitlines()]
    # First the note, then the old file away: after a kill between the two, the next run adds nothing twice.
    statefile.write_atomic(note, "\n".join([text.rstrip("\n"), *new]) + "\n")
    old.unlink()
    print(f"moved {len(new)} preferences into {note}")
