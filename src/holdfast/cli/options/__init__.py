"""What each command takes on its line."""
