"""Answers of analyzerd's control socket: request to reply, from the workers' counters."""

from __future__ import annotations

import os
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from netcrier.control.types.analyzer import AnalyzerStatus, Captured, FlowRow, Flows, FlowsRequest
from netcrier.errors import UsageError
from netcrier.runtime.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Mapping

    from netcrier.analyzerd.app import Analyzer
    from netcrier.analyzerd.worker import Worker
    from netcrier.control.server import Caller
    from netcrier.control.types.shared import Nothing

MOST_FLOWS = 10_000
BALANCE = ("received", "analysed", "filtered", "dropped", "undecodable")
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


_LINES = msgspec.json.Decoder(_Line)


class Handlers:
    """The table of answers."""

    def __init__(self, app: Analyzer) -> None:
        self._app = app
        self.table: Mapping[str, Any] = {"status": self._status, "flows": self._flows}

    async def _status(self, _request: Nothing, _caller: Caller) -> AnalyzerStatus:
        app = self._app
        counters: dict[str, int] = {}
        interfaces = []
        for worker in app.workers:
            with worker.lock:
                seen = worker.kernel.counters
            interfaces.append(_captured(worker, seen, app.rates.get(worker.ring.interface, 0.0)))
            for name, value in seen.items():
                counters[name] = counters.get(name, 0) + value
        totals = {name: sum(getattr(one, name) for one in interfaces) for name in BALANCE}
        lost = app.logs.state().lost if app.logs else 0
        return AnalyzerStatus(
            version=VERSION,
            pid=os.getpid(),
            started=app.started,
            interfaces=interfaces,
            left_out=list(app.choice.left_out),
            packets_per_s=sum(one.packets_per_s for one in interfaces),
            conversations=counters.get("conversations", 0),
            conversations_most=app.config.table.conversations * len(app.workers),
            logged=counters.get("lines", 0) - lost,
            lost=counters.get("lines_lost", 0) + lost,
            counters={name: value for name, value in counters.items() if name not in APART},
            warnings=self._warnings(totals["dropped"]),
            **totals,
        )

    def _warnings(self, dropped: int) -> list[str]:
        app = self._app
        found = [f"capture of {one.ring.interface} ended: {one.failure}" for one in app.workers if one.failure]
        if app.logs and app.logs.state().full:
            found.append("The disk is full: lines of the logs wait, and are lost when their queue is full.")
        if dropped:
            found.append(f"{dropped} packets were dropped by the kernel: raise capture.blocks.")
        return found

    async def _flows(self, request: FlowsRequest, _caller: Caller) -> Flows:
        if not 1 <= request.limit <= MOST_FLOWS:
            raise UsageError(f"limit must be 1 to {MOST_FLOWS}")
        total, lines = 0, b""
        for worker in self._app.workers:
            with worker.lock:
                total += worker.kernel.counters["conversations"]
                lines += worker.kernel.held(request.limit)
        rows = [_row(line) for line in _LINES.decode_lines(lines)] if lines else []
        rows.sort(key=lambda row: row.start, reverse=True)
        return Flows(rows[: request.limit], total)


def _captured(worker: Worker, seen: dict[str, int], rate: float) -> Captured:
    dropped = worker.ring.dropped()
    return Captured(
        name=worker.ring.interface,
        received=seen["received"] + seen["copies"] + dropped,
        analysed=seen["analysed"] + seen["not_ip"],
        filtered=seen["copies"],
        dropped=dropped,
        undecodable=seen["undecodable"],
        packets_per_s=rate,
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
    )
