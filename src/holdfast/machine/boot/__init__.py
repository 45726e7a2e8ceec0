"""How Holdfast starts with the machine: written for the service manager of the platform, run by that."""
