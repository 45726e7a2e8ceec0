"""The kinds of values a key of holdfast.toml may hold: how each is read, described and shown."""
