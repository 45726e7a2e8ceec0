"""The watchdog: keeps the supervisor alive, and what the supervisor must not lose."""
