"""Pure decisions: (state, event, now) -> (state, effects)."""
