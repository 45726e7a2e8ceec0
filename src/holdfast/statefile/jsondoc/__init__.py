"""JSON state files: what did not change keeps its very bytes, and values are changed by path, patch or filter."""
