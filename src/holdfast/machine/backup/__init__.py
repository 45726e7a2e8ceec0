"""Snapshots of a project: the engines that keep them, and what is believed of them."""
