"""The program `analyzerd`: `--read FILE` analyses and exits, otherwise the daemon runs."""

from __future__ import annotations

import sys


def main(argv: list[str] | None = None) -> int:
    """The exit status."""
    arguments = sys.argv[1:] if argv is None else argv
    if any(argument == "--read" or argument.startswith("--read=") for argument in arguments):
        from netcrier.analyzerd import reading

        return reading.main(arguments)
    from netcrier.analyzerd import app

    return app.main(arguments)


if __name__ == "__main__":
    sys.exit(main())
