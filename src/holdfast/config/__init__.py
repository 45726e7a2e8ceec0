"""From holdfast.toml to validated frozen values, with every problem of the file reported at once."""
