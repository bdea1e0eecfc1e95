"""The version of what is installed. importlib.metadata would cost 2 MB and 20 ms at every start."""

from netcrier import __version__ as VERSION

__all__ = ["VERSION"]
