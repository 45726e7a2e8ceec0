"""Jobs as far as no supervisor is needed: when they are due, their records on disk, a run in front."""
