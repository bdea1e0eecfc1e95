"""The programs in handlers.d: which may run, how each is run, and what becomes of it."""
