"""All SQL of the hub, and nothing but."""
