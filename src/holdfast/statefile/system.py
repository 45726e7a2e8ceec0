"""The one place that decides which operating system this is."""

import sys

if sys.platform == "win32":
    from holdfast.statefile.ops_windows import WindowsOps as SystemOps
elif sys.platform == "darwin":
    from holdfast.statefile.ops_macos import MacOps as SystemOps
else:
    from holdfast.statefile.ops import Ops as SystemOps

SYSTEM = SystemOps()
