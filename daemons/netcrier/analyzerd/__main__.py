"""The program `analyzerd`: `--read FILE` analyses and exits, otherwise the daemon runs."""

from __future__ import annotations

import sys


def main(argv: list[str] | None = None) -> int:
    """The exit status."""
    arguments = sys.argv[1:] if argv is None else argv
    if any(argument == "--read" or argument.startswith("--read=") for argument in arguments):
        from netcrier.analyzerd.reading import main as read

        return read(arguments)
    from netcrier.analyzerd.app import main as serve

    return serve(arguments)


if __name__ == "__main__":
    sys.exit(main())
