"""Packets of a capture file (pcap, pcapng): a line each, or one packet's layers and fields. No daemon is needed."""

from __future__ import annotations

import subprocess
import sys
import time
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
from netcrier.control.types.inspection import Ending, Field, Layer, Packet, Problem

from netcrier_ctl.complaint import Failure
from netcrier_ctl.exit_codes import Exit
from netcrier_ctl.render import Column, Style, fitted, printable, table
from netcrier_ctl.session import Session

LINES = 20
"""Packets in the list unless --count says otherwise."""

MOST = 1000
"""Packets of one call: scapy takes about 0.3 ms for each, and --json holds them all."""

PATIENCE = 60.0
"""Seconds for the whole, unless --timeout says otherwise."""

INDENT = "  "
_COLUMNS = (Column("PACKET", right=True), Column("SECONDS", right=True), Column("BYTES", right=True), Column("LAYERS"))
_LINE = msgspec.json.Decoder(Packet | Ending)
_WORDS = {
    Problem.UNREADABLE: "{detail}",
    Problem.NOT_A_CAPTURE: "not a capture file ({detail})",
    Problem.BROKEN: "the capture ends after packet {packets} ({detail})",
    Problem.DISSECTOR: "{detail}",
}
_HINTS = {
    Problem.NOT_A_CAPTURE: "pcap and pcapng files can be read, as tcpdump -w and Wireshark write them",
    Problem.DISSECTOR: "scapy comes with Netcrier: reinstall it",
}


def number(text: str) -> int:
    """argparse's type of a packet's number, from 1."""
    if not text.isdecimal() or not 1 <= int(text) < 2**63:
        raise ArgumentTypeError(f"{text!r} is not a packet's number, which begin with 1")
    return int(text)


def most(text: str) -> int:
    """argparse's type of --count."""
    if not text.isdecimal() or not 1 <= int(text) <= MOST:
        raise ArgumentTypeError(f"{text!r} is not a number from 1 to {MOST}")
    return int(text)


def add(parser: ArgumentParser) -> None:
    """Which packets."""
    parser.add_argument("file", type=Path, metavar="FILE", help="a pcap or pcapng file")
    parser.add_argument("--packet", type=number, metavar="N", help="this packet in full; with --count from it on")
    parser.add_argument("--count", type=most, metavar="N", help=f"how many, in a line each; -v in full ({LINES})")


def run(session: Session, args: Namespace) -> Exit:
    """Asks the analyzer's program, which reads the file with the caller's rights."""
    first = args.packet or 1
    count = args.count or (1 if args.packet else LINES)
    program = [sys.executable, "-P", "-m", "netcrier.analyzerd"]
    words = [*program, "--inspect", str(args.file), "--packet", str(first), "--count", str(count)]
    packets, ending = asked(words, session.options.timeout or PATIENCE)
    whole = session.options.verbose or (args.packet is not None and args.count is None)
    if session.options.json:
        session.document("inspect", {"file": str(args.file), "packets": packets})
    elif whole:
        for packet in packets:
            session.screen.line(session.screen.styled(_head(packet), Style.HEAD))
            session.screen.lines(fitted(line, session.screen.width or len(line)) for line in tree(packet))
    elif packets:
        lines = table(_COLUMNS, [_row(packet, packets[0].time) for packet in packets], session.screen.width)
        session.screen.line(session.screen.styled(lines[0], Style.HEAD))
        session.screen.lines(lines[1:])
    if ending.problem is not None:
        detail = _WORDS[ending.problem].format(packets=ending.packets, detail=ending.detail)
        raise Failure(Exit.FAILED, f"{args.file}: {detail}", _HINTS.get(ending.problem))
    if not packets:
        raise Failure(Exit.NOTHING_MATCHED, f"{args.file} has {_packets(ending.packets)}", _last(ending.packets))
    failed = [str(packet.number) for packet in packets if packet.failure]
    if failed:
        raise Failure(Exit.FAILED, f"{args.file}: not dissected: {_listed(failed)}")
    return Exit.DONE


def asked(words: Sequence[str], patience: float) -> tuple[list[Packet], Ending]:
    """What the program answers within `patience` seconds. Raises Failure."""
    with subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as program:
        try:
            out, said = program.communicate(timeout=patience)
        except subprocess.TimeoutExpired:
            program.kill()
            raise Failure(Exit.DEADLINE, f"not done in {patience:g} s", "--timeout allows more") from None
        except BaseException:
            program.kill()
            raise
    try:
        *packets, ending = [_LINE.decode(line) for line in out.splitlines()]
    except (ValueError, msgspec.MsgspecError):
        ending, packets = None, []
    if not isinstance(ending, Ending):
        reason = said.decode(errors="replace").strip().rpartition("\n")[2]
        raise Failure(Exit.FAILED, f"analyzerd --inspect ended with status {program.returncode}: {reason}")
    return [one for one in packets if isinstance(one, Packet)], ending


def tree(packet: Packet) -> Iterator[str]:
    """The lines of one packet's layers."""
    if packet.failure:
        yield f"{INDENT}{printable(packet.failure)}"
    for layer in packet.layers:
        yield from _layer(layer, INDENT)
    if packet.cut:
        yield f"{INDENT}(not all of it is shown)"


def _layer(layer: Layer, indent: str) -> Iterator[str]:
    yield f"{indent}{printable(layer.name)}"
    shown = [field for field in layer.fields if field.items or field.text not in ("", "[]")]
    width = max((len(field.name) for field in shown), default=0)
    for field in shown:
        yield f"{indent}{INDENT}{printable(field.name).ljust(width)}{INDENT}{printable(_text(field))}".rstrip()
        for item in field.items:
            yield from _layer(item, indent + 2 * INDENT)


def _text(field: Field) -> str:
    """`80 (http)` where the number has a name."""
    named = isinstance(field.value, int) and not field.text.startswith(str(field.value))
    if named and not field.text.startswith("0x"):
        return f"{field.value} ({field.text})"
    return field.text


def _head(packet: Packet) -> str:
    size = f"{packet.length} bytes"
    if packet.captured < packet.length:
        size += f", {packet.captured} of them captured"
    return f"packet {packet.number}  {_time(packet.time)}  {size}"


def _row(packet: Packet, start: float) -> list[str]:
    text = packet.failure or packet.summary
    return [str(packet.number), f"{packet.time - start:.6f}", str(packet.length), text]


def _time(at: float) -> str:
    """Local time to the microsecond."""
    seconds, rest = divmod(round(at * 1e6), 1_000_000)
    return f"{time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(seconds))}.{rest:06d}"


def _packets(count: int) -> str:
    return f"{count:,} packet" if count == 1 else f"{count:,} packets"


def _last(count: int) -> str | None:
    return f"the last is --packet {count}" if count else None


def _listed(names: Sequence[str]) -> str:
    return f"packet {names[0]}" if len(names) == 1 else f"{len(names)} packets, the first is {names[0]}"
