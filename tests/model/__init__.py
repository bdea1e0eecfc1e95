"""A plain-Python model of the engine: slow, clear, and written apart from it."""
