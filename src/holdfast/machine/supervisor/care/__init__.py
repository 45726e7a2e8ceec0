"""What is done for a service while it lives: each attendant looks after one side of it."""
