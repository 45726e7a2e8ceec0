"""The program that starts services, sees them die, starts them again and keeps what they print."""
