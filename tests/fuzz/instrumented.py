"""The readers of captures with their branches counted; imported before anything else has imported them."""

from __future__ import annotations

import atheris

with atheris.instrument_imports(include=["netcrier.analyzerd.capture"]):
    from netcrier.analyzerd.capture import file, walking
    from netcrier.analyzerd.capture.frames import frames
    from netcrier.analyzerd.capture.source import Source

__all__ = ["Source", "file", "frames", "walking"]
