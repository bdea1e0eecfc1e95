"""Netcrier's daemons: masterd, noded, analyzerd. ARCHITECTURE.md has the picture; each folder here is one layer."""

__version__ = "0.1.0"
