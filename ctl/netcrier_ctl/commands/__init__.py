"""One file a command; each has `add` (its arguments) and `run`."""
