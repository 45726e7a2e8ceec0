"""Captured output: from the pipes of services into their log files."""
