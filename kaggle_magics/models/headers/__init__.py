"""What checkpoint files say about themselves, read from their headers without any library."""
