"""What each section of holdfast.toml holds: names, kinds, defaults and one line for people."""
