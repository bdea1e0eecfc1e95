"""`analyzerd --read FILE…`: captures to logs, then exit. No event loop, no socket, no store.

All captures go through one flow table, as one wire would. What is whole is analysed, whatever follows it.
"""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from netcrier.analyzerd import engine
from netcrier.analyzerd.capture import file
from netcrier.analyzerd.capture.source import Source
from netcrier.analyzerd.capture.walking import walk
from netcrier.analyzerd.engine import batches
from netcrier.analyzerd.logs.fresh import FreshLog
from netcrier.analyzerd.logs.writer import LogWriter
from netcrier.analyzerd.progress import Progress
from netcrier.analyzerd.stopping import Stopped, Stopping, leave
from netcrier.errors import ConfigError, DecodeError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from netcrier.analyzerd.engine import Batch
    from netcrier.analyzerd.engine.kernel import Kernel

    Compile = Callable[[int], bytes]

DAY = 86_400
ETHERNET = 1
EXIT_DONE = 0
EXIT_FAILED = 1
EXIT_CONFIG = 78

STATUSES = """\
exit status: 0; 1 where a capture was cut short or is none (what is whole is logged), or a log cannot be written;
78 without the engine or for an unknown log; 130 after Ctrl-C, 143 after SIGTERM: what was read is logged, and a second
one ends at once."""

STANDARD_INPUT = Path("-")

QUEUE_MOST = 16 << 20
"""Bytes of lines that wait for the disk before the reading does."""


def parser() -> argparse.ArgumentParser:
    """The flags of `--read`."""
    flags = argparse.ArgumentParser(prog="analyzerd", description="Analyse captures and exit.", epilog=STATUSES)
    flags.add_argument(
        "--read",
        metavar="FILE",
        type=Path,
        nargs="+",
        required=True,
        help="pcap or pcapng, also packed with gzip or zstd; - is standard input; of a folder the captures in it."
        " Several are read in the order of their first packets",
    )
    flags.add_argument("--log-dir", metavar="DIR", type=Path, default=Path(), help="where the logs go (here)")
    flags.add_argument("--filter", metavar="EXPRESSION", default="", help="only packets that match, as pcap-filter(7)")
    flags.add_argument(
        "--checksums",
        choices=[mode.name.lower() for mode in engine.Checksums],
        default="count",
        help="packets with a wrong checksum: count and analyse, do not look, or drop",
    )
    flags.add_argument(
        "--interim",
        metavar="SECONDS",
        type=_seconds,
        default=0,
        help="partial records of conversations that go on for longer (0: none)",
    )
    flags.add_argument(
        "--tunnel-depth",
        metavar="N",
        type=int,
        choices=range(engine.TUNNEL_DEPTH_MOST + 1),
        default=engine.TUNNEL_DEPTH,
        help=f"tunnels within one another that are followed ({engine.TUNNEL_DEPTH})",
    )
    flags.add_argument("--logs", metavar="NAME,…", default=",".join(engine.LOGS), help="which logs to write")
    flags.add_argument("-q", "--quiet", action="store_true", help="no progress on the terminal")
    return flags


def _seconds(text: str) -> int:
    """An interval of up to a day. Raises ArgumentTypeError."""
    if not text.isdecimal() or int(text) > DAY:
        raise argparse.ArgumentTypeError(f"not a number of seconds up to {DAY}: {text}")
    return int(text)


def main(argv: list[str]) -> int:
    """The exit status, of STATUSES."""
    if {"-h", "--help"} & set(argv):  # also in front of the first FILE
        parser().print_help()
        return EXIT_DONE
    flags = parser().parse_args(argv)
    wanted = set(flags.logs.split(","))
    unknown = sorted(wanted - set(engine.LOGS))
    try:
        if unknown:
            raise ConfigError(f"no such log: {', '.join(unknown)} (there are: {', '.join(engine.LOGS)})")
        compile_ = _filter(flags.filter)
        kernel = engine.new_kernel(
            checksums=engine.Checksums[flags.checksums.upper()],
            interim=flags.interim,
            tunnel_depth=flags.tunnel_depth,
            logs=tuple(wanted),
        )
        sources, others = file.captures(flags.read)
        for path in others:
            _complain(f"{path}: passed over: no capture")
        flags.log_dir.mkdir(parents=True, exist_ok=True)
        logs = {name: FreshLog(flags.log_dir / f"{name}.log") for name in sorted(wanted)}
        return Run(kernel, logs, compile_, flags.quiet).read(sources)
    except ConfigError as error:
        _complain(str(error))
        return EXIT_CONFIG
    except OSError as error:
        _complain(f"{error.filename}: {error.strerror}" if error.filename else str(error))
        return EXIT_FAILED
    except KeyboardInterrupt:  # before anything was read
        return 128 + signal.SIGINT


class Run:
    """One kernel, and the logs that it fills."""

    def __init__(self, kernel: Kernel, logs: dict[str, FreshLog], compile_: Compile | None, quiet: bool) -> None:
        """`compile_` gives the packet filter of a link type, where one is asked for."""
        self._kernel, self._logs, self._compile, self._quiet = kernel, logs, compile_, quiet
        self._done = 0
        """Bytes of the captures before the one that is read."""
        self._stopping = Stopping()
        self._progress = Progress(sys.stderr, 0)
        self._writer = LogWriter(logs, patient=True, most=QUEUE_MOST, counting=False)

    def read(self, paths: list[Path]) -> int:
        """Every capture in turn, then what the kernel still holds; the exit status. Raises ConfigError, OSError."""
        status = EXIT_DONE
        if not self._quiet:
            self._progress = Progress(sys.stderr, _size(paths))
        self._writer.start()
        try:
            with self._stopping:
                for number, path in enumerate(paths, 1):
                    if not self._one(path, len(paths) - number):
                        status = EXIT_FAILED
                    if self._stopping.signal:
                        status = self._stopping.status
                        break
                while self._kernel.flush(part=True):
                    self._put(batches(self._kernel))
                self._put(batches(self._kernel))
        finally:
            self._writer.close()
        self._check()
        return status

    def _one(self, path: Path, after: int) -> bool:
        """Whether it was whole, or a signal ended it; `after` it as many more are to come."""
        name = "standard input" if path == STANDARD_INPUT else str(path)
        try:
            with self._stopping.by(leave):
                source = Source(None if path == STANDARD_INPUT else path)
        except OSError as error:
            _complain(f"{name}: {error.strerror}")
            return False
        except Stopped:
            self._say_stopped(name, 0.0, after)
            return True
        progress = self._progress
        label = f"{source.name}, {after} more to come" if after else source.name
        try:
            with file.ahead(self._kernel, source, self._compile) as found, self._stopping.by(found.stop):
                for written in walk(self._kernel, found):
                    self._put(written)
                    if not self._quiet:
                        progress.show(label, self._done + source.done, self._kernel.counters["received"])
        except DecodeError as error:
            progress.clear()
            _complain(f"{source.name}: {error}")
            return False
        finally:
            progress.clear()
            self._done += source.size
            source.close()
        if self._stopping.signal:
            self._say_stopped(name, source.done / source.size if source.size else None, after)
        return True

    def _say_stopped(self, name: str, share: float | None, after: int) -> None:
        assert self._stopping.signal
        where = name if share is None else f"{name} at {share:.0%}"
        rest = f", {after} more captures were not begun" if after else ""
        packets = self._kernel.counters["received"]
        _complain(f"{self._stopping.signal.name}: stopped in {where}{rest}; {packets:,} packets read are logged")

    def _put(self, written: Iterable[Batch]) -> None:
        for name, lines in written:
            if name in self._logs:
                self._writer.put(name, lines)
        if self._writer.state().full:
            self._check()

    def _check(self) -> None:
        for log in self._logs.values():
            if log.failure:
                raise log.failure


def _filter(expression: str) -> Compile | None:
    """What compiles it; a wrong one is told at once. Raises ConfigError."""
    if not expression:
        return None
    from netcrier.analyzerd.capture.bpf import program_for  # here, for ctypes takes a while to load

    compiled = program_for(expression)
    compiled(ETHERNET)
    return compiled


def _size(paths: list[Path]) -> int:
    """Bytes of all of them as they are stored; 0 where nobody knows."""
    return sum(path.stat().st_size for path in paths) if all(path.is_file() for path in paths) else 0


def _complain(text: str) -> None:
    print(f"analyzerd: {text}", file=sys.stderr)
