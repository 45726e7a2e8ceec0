"""How proof of life reaches the supervisor: notify sockets and heartbeat files."""
