"""The one place that decides which operating system this is."""

import sys

if sys.platform == "win32":
    from holdfast.statefile.system.windows import WindowsOps as SystemOps
elif sys.platform == "darwin":
    from holdfast.statefile.system.macos import MacOps as SystemOps
else:
    from holdfast.statefile.system.ops import Ops as SystemOps

SYSTEM = SystemOps()
