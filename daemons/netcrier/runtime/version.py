"""The version of what is installed, read once."""

from __future__ import annotations

from importlib.metadata import version

VERSION = version("netcrier")
