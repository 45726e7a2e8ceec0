"""Count the open points, lines that begin with `- [ ]`, in all notes."""

import memory

OPEN = "- [ ]"

points = [
    path.name
    for path in memory.notes()
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines()
    if line.lstrip().startswith(OPEN)
]
where = ", ".join(dict.fromkeys(points))
print(f"open points: {len(points)}, in {where}" if points else "no incomplete work")
