"""The verbs of `holdfast state`: state files from a shell."""
