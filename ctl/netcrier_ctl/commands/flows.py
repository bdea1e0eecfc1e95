"""Conversations that the analyzer saw, from its conn.log: the newest last. Ends with 6 where none matches."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec
from netcrier.control.paths import log_dir

from netcrier_ctl.complaint import Failure, start_command
from netcrier_ctl.exit_codes import Exit
from netcrier_ctl.log_files import backwards, epoch, open_log
from netcrier_ctl.options import count
from netcrier_ctl.options import duration as duration_type
from netcrier_ctl.render import Column, Style, table
from netcrier_ctl.session import Session
from netcrier_ctl.units import NONE, clock, duration, size

ROWS = 20
"""How many are shown unless -n says otherwise."""

LATEST = 3600.0
"""Seconds by which the record of an ended conversation may be written late (the longest time-out), so that --since can
stop reading there."""

_COLUMNS = (
    Column("START"), Column("DURATION"), Column("PROTO"), Column("FROM"), Column("TO"), Column("SERVICE"),
    Column("STATE"), Column("SENT"), Column("RECEIVED"),
)  # fmt: skip


class Flow(msgspec.Struct, frozen=True, rename={"orig": "id.orig_h", "orig_port": "id.orig_p", "resp": "id.resp_h",
                                                "resp_port": "id.resp_p"}):  # fmt: skip
    """What is shown of a record of conn.log; its keys are Zeek's."""

    ts: float | str
    orig: str
    resp: str
    proto: str
    orig_port: int | None = None
    resp_port: int | None = None
    service: str | None = None
    duration: float | None = None
    conn_state: str | None = None
    orig_bytes: int | None = None
    resp_bytes: int | None = None
    orig_ip_bytes: int | None = None
    resp_ip_bytes: int | None = None

    @property
    def end(self) -> float:
        """Epoch seconds of the last packet."""
        return epoch(self.ts) + (self.duration or 0.0)


Test = Callable[[Flow], bool]
_FLOW = msgspec.json.Decoder(Flow)


def host_test(text: str) -> Test:
    """argparse's type of --host: an address, or a network as 10.0.7.0/24."""
    from ipaddress import ip_address, ip_network

    try:
        network = ip_network(text, strict=False)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is neither an address nor a network, as 10.0.7.11 or 10.0.7.0/24") from None
    return lambda flow: any(ip_address(end) in network for end in (flow.orig, flow.resp))


def add(parser: ArgumentParser) -> None:
    """Which conversations."""
    parser.add_argument("--host", type=host_test, metavar="ADDRESS", help="with this end; 10.0.7.0/24 for a network")
    parser.add_argument("--since", type=duration_type, metavar="TIME", help="that were alive so long ago, as 5m")
    parser.add_argument("-n", type=count, metavar="COUNT", help=f"how many of the newest ({ROWS}; with --since all)")
    parser.add_argument("--file", type=Path, metavar="FILE", help="another conn.log, as analyzerd --read writes one")


def run(session: Session, args: Namespace) -> Exit:
    """Reads the log from its end."""
    daemon, _, instance = session.unit("analyzerd").partition("@")
    path = args.file or log_dir(daemon, instance or None, session.environ) / "conn.log"
    file = open_log(path)
    if file is None:
        raise Failure(
            Exit.NOTHING_MATCHED, f"there is no {path}", f"{start_command('analyzerd')}; --file names another"
        )
    most = args.n if args.n is not None else (None if args.since else ROWS)
    oldest = session.now() - args.since if args.since else None
    with file:
        found = matching(backwards(file), args.host, oldest, most)
    if session.options.json:
        session.document("flows", {"flows": [msgspec.Raw(line) for _, line in found]})
    elif found:
        lines = table(_COLUMNS, [_cells(flow, session.now()) for flow, _ in found])
        session.screen.line(session.screen.styled(lines[0], Style.HEAD))
        session.screen.lines(lines[1:])
    else:
        session.screen.note("no conversation matches")
    return Exit.DONE if found else Exit.NOTHING_MATCHED


def matching(
    lines: Iterable[bytes], test: Test | None, oldest: float | None, most: int | None
) -> list[tuple[Flow, bytes]]:
    """The newest conversations and their records, the oldest first; `lines` come from the end of the log."""
    found: list[tuple[Flow, bytes]] = []
    for line in lines:
        if most is not None and len(found) >= most:
            break
        try:
            flow = _FLOW.decode(line)
            end = flow.end
        except (msgspec.MsgspecError, ValueError):
            continue  # a torn line
        if oldest is not None and end < oldest:
            if end < oldest - LATEST:
                break
            continue
        if test is None or test(flow):
            found.append((flow, line))
    return found[::-1]


def _cells(flow: Flow, now: float) -> list[str]:
    sent = flow.orig_bytes if flow.orig_bytes is not None else flow.orig_ip_bytes
    received = flow.resp_bytes if flow.resp_bytes is not None else flow.resp_ip_bytes
    return [
        clock(epoch(flow.ts), now), duration(flow.duration), flow.proto,
        _end(flow.orig, flow.orig_port, flow.proto), _end(flow.resp, flow.resp_port, flow.proto),
        flow.service or NONE, flow.conn_state or NONE, size(sent), size(received),
    ]  # fmt: skip


def _end(host: str, port: int | None, proto: str) -> str:
    if port is None or proto.startswith("icmp"):
        return host
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
