"""Looks at files, addresses and programs that a check is about."""
