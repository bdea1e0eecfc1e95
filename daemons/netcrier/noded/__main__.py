"""`noded`: the node's daemon."""

from __future__ import annotations

import sys

from netcrier.runtime.lean import bar_openssl


def main() -> int:
    """Exit status: 0, 75 temporary, 77 missing capability, 78 bad configuration."""
    bar_openssl()
    from netcrier.noded.app import App
    from netcrier.noded.config import Config
    from netcrier.runtime.program import run

    return run("noded", Config, App)


if __name__ == "__main__":
    sys.exit(main())
