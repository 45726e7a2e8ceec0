"""Looks at a service from outside: each asks one thing, within a limit, and leaves nothing behind."""
