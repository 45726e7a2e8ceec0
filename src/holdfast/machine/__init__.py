"""The wing that keeps things alive: processes, the supervisor, the watchdog."""
