"""Records to JSON lines."""
