"""Netcrier's daemons: masterd, noded, analyzerd. ARCHITECTURE.md has the picture; each folder here is one layer."""
