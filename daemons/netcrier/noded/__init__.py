"""The node's daemon: verifies, journals, logs, answers."""
