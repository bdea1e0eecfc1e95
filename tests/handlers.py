"""Programs of a handlers' folder, for tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = pytest.mark.skipif(os.getuid() != 0, reason="handlers belong to root: needs root")


def handler(place: Path, script: str, name: str = "probe", mode: int = 0o755) -> Path:
    """A shell script in the folder `place`, which is made if it is not there."""
    place.mkdir(parents=True, exist_ok=True)
    place.chmod(0o755)
    path = place / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(mode)
    return path
