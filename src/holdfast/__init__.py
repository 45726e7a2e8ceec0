"""Holdfast keeps daemons, backups and agents alive, and proves it."""

__version__ = "0.1.0"
