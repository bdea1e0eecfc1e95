"""The program `analyzerd`: `--read FILE` analyses and `--inspect FILE` shows, then exit; otherwise the daemon runs."""

from __future__ import annotations

import gc
import sys


def main(argv: list[str] | None = None) -> int:
    """The exit status."""
    arguments = sys.argv[1:] if argv is None else argv
    words = {argument.partition("=")[0] for argument in arguments}
    if "--read" in words:
        gc.disable()  # a run that ends with its captures, and makes no cycles as they pass
        from netcrier.analyzerd.reading import main as read

        gc.freeze()
        return read(arguments)
    if "--inspect" in words:
        from netcrier.analyzerd.inspecting import main as inspect

        return inspect(arguments)
    from netcrier.analyzerd.app import main as serve

    return serve(arguments)


if __name__ == "__main__":
    sys.exit(main())
