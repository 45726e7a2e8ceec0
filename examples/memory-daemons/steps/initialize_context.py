"""Make the folders, and a first note when there is none."""

import memory

WELCOME = """# Welcome

Write notes into this folder: the daemons index them, save the session, and commit what changed.
A line like the next one is a preference; the daemon that learns them counts it.

prefer: testing

- [ ] kill a daemon and watch it come back
"""

memory.make_folders()
found = len(list(memory.notes()))
if not found:
    (memory.NOTES / "welcome.md").write_text(WELCOME, encoding="utf-8")
print(f"notes: {found}, in {memory.NOTES}" if found else f"wrote {memory.NOTES / 'welcome.md'}")
