"""Say which session was saved last."""

import memory

saved = memory.sessions()
if saved:
    session = memory.load(saved[-1])
    print(f"session {int(saved[-1].stem)}, saved {session.get('saved_at', 'at an unknown time')}")
else:
    print("no session saved yet")
