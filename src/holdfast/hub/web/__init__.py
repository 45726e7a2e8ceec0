"""The hub over HTTP: ping addresses and the API."""
