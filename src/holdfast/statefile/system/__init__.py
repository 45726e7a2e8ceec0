"""The one seam between state files and the operating system they stand on."""
