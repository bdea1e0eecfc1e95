"""Conversations that the analyzer saw, from its conn.log and what was rotated, or --live: the newest last.

Ends with 6 where none matches.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import msgspec
from netcrier.control.methods import FLOWS
from netcrier.control.paths import log_dir
from netcrier.control.types.analyzer import FlowRow, FlowsRequest

from netcrier_ctl.complaint import Failure, start_command
from netcrier_ctl.conversations import Filter, Flow, add_filters, meets, only, ports
from netcrier_ctl.exit_codes import Exit
from netcrier_ctl.log_files import backwards, epoch, open_log
from netcrier_ctl.options import count
from netcrier_ctl.options import duration as duration_type
from netcrier_ctl.render import Column, Style, table
from netcrier_ctl.rotated_logs import rotated, unpacked
from netcrier_ctl.session import Session
from netcrier_ctl.units import NONE, clock, duration, size

ROWS = 20
"""How many are shown unless -n says otherwise."""

LATEST = 3600.0
"""Seconds by which the record of an ended conversation may be written late (the longest time-out), so that --since can
stop reading there."""

LIVE = 10_000
"""Conversations of the table that are looked at: as many as the daemon gives."""

ONGOING = "; those that go on: netctl flows --live"

_COLUMNS = (
    Column("START"), Column("DURATION"), Column("PROTO"), Column("FROM"), Column("TO"), Column("SERVICE"),
    Column("STATE"), Column("SENT"), Column("RECEIVED"), Column("RTT"), Column("RETRANS"),
)  # fmt: skip


_FLOW = msgspec.json.Decoder(Flow)


def add(parser: ArgumentParser) -> None:
    """Which conversations."""
    parser.add_argument("--live", action="store_true", help="those that go on, from the analyzer's table")
    parser.add_argument("--since", type=duration_type, metavar="TIME", help="that were alive so long ago, as 5m")
    parser.add_argument("--until", type=duration_type, metavar="TIME", help="that had begun so long ago, as 1m")
    parser.add_argument("-n", type=count, metavar="COUNT", help=f"how many of the newest ({ROWS}; with --since all)")
    parser.add_argument("--file", type=Path, metavar="FILE", help="another conn.log, as analyzerd --read writes one")
    add_filters(parser)


def run(session: Session, args: Namespace) -> Exit:
    """From the table, or from the log and what was rotated, read from the end."""
    most = args.n if args.n is not None else (None if args.since else ROWS)
    span = Span(session.now() - args.since if args.since else None, session.now() - args.until if args.until else None)
    if args.live:
        found = _live(session, args.filters, span, most)
    else:
        found = matching(_lines(session, args.file, span.begin), args.filters, span, most)
    if session.options.json:
        session.document("flows", {"flows": [msgspec.Raw(line) for _, line in found]})
    elif found:
        lines = table(_COLUMNS, [_cells(flow, session.now()) for flow, _ in found])
        session.screen.line(session.screen.styled(lines[0], Style.HEAD))
        session.screen.lines(lines[1:])
    else:
        session.screen.note("no conversation matches" + ("" if args.live or args.file else ONGOING))
    return Exit.DONE if found else Exit.NOTHING_MATCHED


class Span(msgspec.Struct, frozen=True):
    """Alive at some time between the two, in epoch seconds; None: without a bound."""

    begin: float | None = None
    end: float | None = None

    def has(self, flow: Flow) -> bool:
        """Whether a conversation was alive then. Raises ValueError."""
        late = self.end is not None and epoch(flow.ts) > self.end
        return not late and (self.begin is None or flow.end >= self.begin)


def matching(
    lines: Iterable[bytes], filters: Sequence[Filter], span: Span, most: int | None
) -> list[tuple[Flow, bytes]]:
    """The newest conversations and their records, the oldest first; `lines` come from the end of the log.

    Of a conversation with partial records the newest one counts.
    """
    found: list[tuple[Flow, bytes]] = []
    seen: set[str] = set()
    for line in lines:
        if most is not None and len(found) >= most:
            break
        try:
            flow = _FLOW.decode(line)
            end = flow.end
            wanted = span.has(flow)
        except (msgspec.MsgspecError, ValueError):
            continue  # a torn line
        if span.begin is not None and end < span.begin - LATEST:
            break
        if flow.partial and flow.uid in seen:
            continue
        seen.add(flow.uid)
        if wanted and meets(flow, filters):
            found.append((flow, line))
    return found[::-1]


def _lines(session: Session, file: Path | None, oldest: float | None) -> Iterator[bytes]:
    """Of the log from its end, then of the files that were rotated away, the newest first."""
    daemon, _, instance = session.unit("analyzerd").partition("@")
    path = file or log_dir(daemon, instance or None, session.environ) / "conn.log"
    files = ([path] if path.exists() else []) + ([] if file else rotated(path, oldest))
    if not files:
        hint = f"{start_command('analyzerd')}; --file names another"
        raise Failure(Exit.NOTHING_MATCHED, f"there is no {path}", hint)
    for one in files:
        opened = open_log(one)
        if opened is None:
            continue  # compressed or removed in this moment
        with opened, unpacked(opened, one) as log:
            yield from backwards(log)


def _live(session: Session, filters: Sequence[Filter], span: Span, most: int | None) -> list[tuple[Flow, bytes]]:
    with session.connect(session.unit("analyzerd")) as client:
        answer = client.call(FLOWS, _request(filters))
    if answer.total > len(answer.rows):
        session.screen.note(f"the newest {len(answer.rows):,} of {answer.total:,} conversations are looked at")
    found = [(flow, msgspec.json.encode(row)) for row in answer.rows if (flow := _of(row)) and span.has(flow)]
    return [one for one in found if meets(one[0], filters)][:most][::-1]


def _request(filters: Sequence[Filter]) -> FlowsRequest:
    """As narrow as the analyzer can; what it gives is tested again here."""
    low, high = ports(only(filters, "port") or "0-")
    proto = (only(filters, "proto") or "").lower()
    return FlowsRequest(
        limit=LIVE, host=only(filters, "host"), orig=only(filters, "from"), resp=only(filters, "to"), port_low=low,
        port_high=high, proto=proto if proto in ("tcp", "udp", "icmp") else None,
    )  # fmt: skip


def _of(row: FlowRow) -> Flow:
    return Flow(
        row.start, row.orig, row.resp, row.proto, row.uid, row.orig_port, row.resp_port, row.service, row.duration,
        row.state, orig_ip_bytes=row.sent, resp_ip_bytes=row.received, orig_rtt=row.rtt,
        resp_rtt=None if row.rtt is None else 0.0, orig_retransmits=row.retransmits_sent,
        resp_retransmits=row.retransmits_received,
    )  # fmt: skip


def _cells(flow: Flow, now: float) -> list[str]:
    return [
        clock(epoch(flow.ts), now), duration(flow.duration), flow.proto,
        _end(flow.orig, flow.orig_port, flow.proto), _end(flow.resp, flow.resp_port, flow.proto),
        flow.service or NONE, flow.conn_state or NONE, size(flow.orig_ip_bytes), size(flow.resp_ip_bytes),
        duration(flow.rtt), flow.retransmits or NONE,
    ]  # fmt: skip


def _end(host: str, port: int | None, proto: str) -> str:
    if port is None or proto.startswith("icmp"):
        return host
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
