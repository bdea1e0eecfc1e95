"""`analyzerd --read FILE`: a capture file to logs, then exit. No event loop, no socket, no store."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from netcrier.analyzerd import engine
from netcrier.analyzerd.capture import file
from netcrier.analyzerd.logs.fresh import FreshLog
from netcrier.analyzerd.logs.writer import LogWriter
from netcrier.errors import ConfigError, DecodeError

EXIT_DONE = 0
EXIT_FAILED = 1
EXIT_CONFIG = 78


def parser() -> argparse.ArgumentParser:
    """The flags of `--read`."""
    flags = argparse.ArgumentParser(prog="analyzerd", description="Analyse a capture file and exit.")
    flags.add_argument("--read", metavar="FILE", type=Path, required=True, help="pcap or pcapng file")
    flags.add_argument("--log-dir", metavar="DIR", type=Path, default=Path(), help="where the logs go (here)")
    flags.add_argument(
        "--checksums",
        choices=[mode.name.lower() for mode in engine.Checksums],
        default="count",
        help="packets with a wrong checksum: count and analyse, do not look, or drop",
    )
    flags.add_argument("--logs", metavar="NAME,…", default=",".join(engine.LOGS), help="which logs to write")
    return flags


def main(argv: list[str]) -> int:
    """0; 1 where the file was cut short or is no capture; 78 without the engine or for an unknown log."""
    flags = parser().parse_args(argv)
    wanted = set(flags.logs.split(","))
    unknown = sorted(wanted - set(engine.LOGS))
    try:
        if unknown:
            raise ConfigError(f"no such log: {', '.join(unknown)} (there are: {', '.join(engine.LOGS)})")
        kernel = engine.new_kernel(checksums=engine.Checksums[flags.checksums.upper()])
        flags.log_dir.mkdir(parents=True, exist_ok=True)
        logs = {name: FreshLog(flags.log_dir / f"{name}.log") for name in sorted(wanted)}
        writer = LogWriter(logs, patient=True)
        writer.start()
        try:
            for name, lines in file.read(kernel, flags.read):
                if name in logs:
                    writer.put(name, lines)
                if writer.state().full:
                    break
        finally:
            writer.close()
        for log in logs.values():
            if log.failure:
                raise log.failure
    except ConfigError as error:
        print(f"analyzerd: {error}", file=sys.stderr)
        return EXIT_CONFIG
    except DecodeError as error:
        print(f"analyzerd: {flags.read}: {error}", file=sys.stderr)
        return EXIT_FAILED
    except OSError as error:
        print(f"analyzerd: {error.filename or flags.read}: {error.strerror}", file=sys.stderr)
        return EXIT_FAILED
    return EXIT_DONE
