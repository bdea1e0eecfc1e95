"""Answers of analyzerd's control socket: request to reply, from the workers' counters."""

from __future__ import annotations

import asyncio
import os
import time
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from netcrier.analyzerd.following import Following
from netcrier.analyzerd.wanted import wanted
from netcrier.control.types.analyzer import (
    AnalyzerStatus,
    Captured,
    CapturePart,
    CaptureRequest,
    FlowRow,
    Flows,
    FlowsRequest,
    Stats,
)
from netcrier.errors import UsageError
from netcrier.runtime.version import VERSION

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from netcrier.analyzerd.app import Analyzer
    from netcrier.analyzerd.balance import Balance
    from netcrier.analyzerd.tap import Tap
    from netcrier.control.server import Caller
    from netcrier.control.types.shared import Nothing

MOST_FLOWS = 10_000
APART = frozenset({"received", "analysed", "not_ip", "undecodable", "copies", "lines", "lines_lost", "now"})
"""Counters that `status` has in fields of their own."""


class _Line(
    msgspec.Struct, frozen=True, rename={name: f"id.{name}" for name in ("orig_h", "orig_p", "resp_h", "resp_p")}
):
    """What `flows` needs of a conn line; the keys are the log's."""

    ts: float | str
    uid: str
    orig_h: str
    orig_p: int
    resp_h: str
    resp_p: int
    proto: str
    conn_state: str
    orig_pkts: int
    resp_pkts: int
    orig_ip_bytes: int
    resp_ip_bytes: int
    duration: float = 0.0
    service: str | None = None
    history: str = ""
    orig_rtt: float | None = None
    resp_rtt: float | None = None
    orig_retransmits: int | None = None
    resp_retransmits: int | None = None


_LINES = msgspec.json.Decoder(_Line)


class Handlers:
    """The table of answers."""

    def __init__(self, app: Analyzer) -> None:
        self._app = app
        self.table: Mapping[str, Any] = {
            "status": self._status,
            "stats": self._stats,
            "flows": self._flows,
            "capture": self._capture,
        }

    async def _status(self, _request: Nothing, _caller: Caller) -> AnalyzerStatus:
        app = self._app
        interfaces, everything = [], []
        for tap in app.taps.taps:
            counts = [worker.counts() for worker in tap.workers]
            everything += counts
            interfaces.append(_captured(tap, app.meter.balance(tap, counts)))
        names = everything[0].engine if everything else ()
        counters = {name: sum(one.engine[name] for one in everything) for name in names}
        whole = app.rows()[-1].total
        logs = app.logs.state()
        return AnalyzerStatus(
            version=VERSION,
            pid=os.getpid(),
            started=app.started,
            interfaces=interfaces,
            left_out=list(app.taps.choice.left_out),
            packets_per_s=sum(one.packets_per_s for one in interfaces),
            conversations=counters.get("conversations", 0),
            conversations_most=app.config.table.conversations * len(everything),
            logged=logs.written,
            lost=counters.get("lines_lost", 0) + logs.lost,
            counters={name: value for name, value in counters.items() if name not in APART},
            warnings=self._warnings(),
            received=whole.received,
            analysed=whole.analysed,
            filtered=whole.filtered,
            dropped=whole.dropped_kernel + whole.dropped_ring + whole.dropped_budget + whole.dropped_disk,
            undecodable=whole.undecodable,
        )

    def _warnings(self) -> list[str]:
        app, logs = self._app, self._app.logs.state()
        found = []
        for tap in app.taps.taps:
            found += [f"capture of {tap.name} ended: {one.failure}" for one in tap.workers if one.failure]
            if not tap.present:
                found.append(f"{tap.name} is not there; it is captured again when it comes back.")
        found += [f"{name} is not captured: it needs a restart, or it is not there." for name in app.taps.without]
        if logs.full:
            found.append("The disk is full: lines of the logs wait, and are lost when their queue is full.")
        if app.archive.failure:
            found.append(f"Rotated logs are not compressed or kept within log.budget_mib: {app.archive.failure}.")
        total = app.rows()[-1].total
        if total.dropped_ring:
            found.append(f"{total.dropped_ring:,} packets found no room in the ring: raise capture.blocks.")
        if total.dropped_kernel:
            found.append(
                f"{total.dropped_kernel:,} packets were dropped in front of the ring: ip -s link says by whom."
            )
        return found

    async def _stats(self, _request: Nothing, _caller: Caller) -> Stats:
        return Stats(self._app.rows())

    async def _capture(self, request: CaptureRequest, _caller: Caller) -> AsyncIterator[CapturePart]:
        names = [tap.name for tap in self._app.taps.taps]
        if request.interface is not None and request.interface not in {*names, *self._app.recent.interfaces()}:
            raise UsageError(f"{request.interface} is not captured; {', '.join(names) or 'nothing'} is")
        following = Following(self._app.recent, request)
        try:
            while not following.over:
                parts = following.parts()
                while (part := await asyncio.to_thread(next, parts, None)) is not None:
                    yield part
        finally:
            following.close()

    async def _flows(self, request: FlowsRequest, _caller: Caller) -> Flows:
        if not 1 <= request.limit <= MOST_FLOWS:
            raise UsageError(f"limit must be 1 to {MOST_FLOWS}")
        which = wanted(request, time.time_ns())
        total, lines = 0, b""
        for worker in (worker for tap in self._app.taps.taps for worker in tap.workers):
            with worker.lock:
                found, matching = worker.kernel.held(request.limit, **which)
            total, lines = total + matching, lines + found
        rows = [_row(line) for line in _LINES.decode_lines(lines)] if lines else []
        rows.sort(key=lambda row: row.sent + row.received if request.largest else row.start, reverse=True)
        return Flows(rows[: request.limit], total)


def _captured(tap: Tap, balance: Balance) -> Captured:
    return Captured(
        name=tap.name,
        received=balance.received,
        analysed=balance.analysed,
        filtered=balance.filtered,
        dropped=balance.dropped,
        undecodable=balance.undecodable,
        packets_per_s=tap.rate,
        present=tap.present,
        workers=len(tap.workers),
    )


def _row(line: _Line) -> FlowRow:
    start = datetime.fromisoformat(line.ts).timestamp() if isinstance(line.ts, str) else line.ts
    return FlowRow(
        uid=line.uid,
        start=start,
        duration=line.duration,
        proto=line.proto,
        orig=line.orig_h,
        orig_port=line.orig_p,
        resp=line.resp_h,
        resp_port=line.resp_p,
        service=line.service,
        state=line.conn_state,
        history=line.history,
        sent=line.orig_ip_bytes,
        received=line.resp_ip_bytes,
        packets_sent=line.orig_pkts,
        packets_received=line.resp_pkts,
        rtt=None if line.orig_rtt is None or line.resp_rtt is None else line.orig_rtt + line.resp_rtt,
        retransmits_sent=line.orig_retransmits,
        retransmits_received=line.resp_retransmits,
    )
