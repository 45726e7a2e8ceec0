"""Say what is known: how many notes, and what is preferred."""

import memory

index = memory.load(memory.CONTEXT).get("notes", {})
preferences = memory.load(memory.PREFERENCES)
words = sum(entry["words"] for entry in index.values())
wanted = ", ".join(list(preferences)[:3]) or "nothing yet"
print(f"notes: {len(index)}, words: {words}, preferred: {wanted}")
