"""Benchmarks: side by side with the peers, in one run on one machine. Not run by pytest."""
