"""One process and its tree: start it, recognise it, wait for its death, end all of it."""
