"""One simulation: sends the messages, waits for their receipts, and counts what became of them.

It looks into the daemons' logs and does not follow receipts by the control socket: what it costs is not in the figures.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from netcrier.control.client import Client
from netcrier.control.methods import BROADCAST, RECEIPTS
from netcrier.control.types.broadcast import BroadcastRequest, ReceiptsRequest
from netcrier.errors import NetcrierError

from netcrier_ctl.lab import Lab
from netcrier_ctl.simulation.plan import Plan
from netcrier_ctl.simulation.records import GrowingLog, MasterLine, NodeLine
from netcrier_ctl.simulation.report import Figures, spread_of
from netcrier_ctl.simulation.site import MASTER, Site
from netcrier_ctl.simulation.usage import resident_kib, usage_of

CHECK = 0.002  # seconds between two looks into a log
LOG_LIMIT = 5.0  # seconds for the nodes' logs to have what the master knows to be received
RECEIVED = frozenset({"received", "delivered", "handled"})


@dataclass(slots=True)
class Sent:
    """One message: its id, when `broadcast` was called, and when the last receipt was in."""

    id: str
    called: float
    complete: float | None = None


@dataclass(slots=True)
class Deliveries:
    """What the nodes' logs hold: when the last node had each message, and how often lines were wrong."""

    last: dict[str, float] = field(default_factory=dict)
    seen: dict[str, set[str]] = field(default_factory=dict)
    delivered: int = 0
    duplicates: int = 0
    out_of_order: int = 0


class Run:
    """See the module."""

    def __init__(self, plan: Plan, lab: Lab, progress: Callable[[str], None]) -> None:
        self._plan, self._lab, self._progress = plan, lab, progress
        self._site = Site(lab)
        self._master_log: GrowingLog[MasterLine]
        self._node_logs: dict[str, GrowingLog[NodeLine]]
        self._found = Deliveries()
        self._newest: dict[str, int] = {}
        self._sent: dict[str, Sent] = {}
        self._open: set[str] = set()
        self._false_missing = 0
        self._incomplete = 0

    def run(self) -> Figures:
        """Start, send, count. Raises NetcrierError where a daemon fails."""
        plan, site = self._plan, self._site
        began = time.monotonic()
        with site.start(self._progress) as master:
            start_s = time.monotonic() - began
            self._master_log = GrowingLog(site.log(MASTER), MasterLine)
            self._node_logs = {host: GrowingLog(site.log(host), NodeLine) for host in site.nodes}
            if plan.loss:
                self._lab.loss(plan.loss)
            own = [site.pids[MASTER]]
            before, own_before = usage_of(site.pids.values()), usage_of(own)
            began = time.monotonic()
            self._send(master)
            duration_s = time.monotonic() - began
            used, own_used = usage_of(site.pids.values()).since(before), usage_of(own).since(own_before)
            self._settle()
        found, sent = self._found, self._sent.values()
        return Figures(
            deliveries=plan.deliveries,
            delivered=found.delivered,
            duplicates=found.duplicates,
            false_missing=self._false_missing,
            last_delivery_ms=spread_of([found.last[one.id] - one.called for one in sent if self._everywhere(one.id)]),
            last_receipt_ms=spread_of([one.complete - one.called for one in sent if one.complete is not None]),
            datagrams=used.datagrams,
            bytes=used.bytes,
            cpu_s=round(used.cpu_s, 6),
            out_of_order=found.out_of_order,
            incomplete=self._incomplete,
            nodes=plan.nodes,
            loss_percent=plan.loss,
            size=plan.size,
            messages=plan.count,
            duration_s=round(duration_s, 3),
            start_s=round(start_s, 3),
            master_cpu_s=round(own_used.cpu_s, 6),
            master_resident_kib=resident_kib(site.pids[MASTER]),
            node_resident_kib=max(resident_kib(site.pids[host]) for host in site.nodes),
        )

    def _send(self, master: Client) -> None:
        """All messages; returns when each is complete or its time is over."""
        plan = self._plan
        began = time.monotonic()
        for number in range(plan.count):
            if plan.interval is not None:
                time.sleep(max(0.0, began + number * plan.interval - time.monotonic()))
            body = (b"%d " % number).ljust(plan.size, b".")[: plan.size]
            called = time.time()
            one = Sent(master.call(BROADCAST, BroadcastRequest(body=body, request=os.urandom(16).hex())).id, called)
            self._sent[one.id] = one
            self._open.add(one.id)
            self._read_master()
            self._progress(f"{number + 1:,} of {plan.count:,} messages sent, {len(self._open)} open")
            if plan.interval is None:
                self._await(master)
        self._await(master)

    def _await(self, master: Client) -> None:
        """Until no message is open, or the time of the newest is over: then the open ones are judged."""
        end = time.monotonic() + self._plan.timeout
        while self._open and time.monotonic() < end:
            time.sleep(CHECK)
            self._read_master()
        if not self._open:
            return
        if complaint := self._site.complaint():
            raise NetcrierError(complaint)
        self._read_nodes()
        for identity in self._open:
            rows = master.call(RECEIPTS, ReceiptsRequest(identity)).rows
            missing = {row.name for row in rows if row.state not in RECEIVED}
            self._false_missing += len(missing & self._found.seen.get(identity, set()))
            self._incomplete += 1
        self._open.clear()

    def _settle(self) -> None:
        """Until the nodes' logs have every delivery, within bounds."""
        end = time.monotonic() + LOG_LIMIT
        self._read_nodes()
        while self._found.delivered < self._plan.deliveries and time.monotonic() < end:
            time.sleep(CHECK)
            self._read_nodes()

    def _everywhere(self, identity: str) -> bool:
        return len(self._found.seen.get(identity, ())) == self._plan.nodes

    def _read_master(self) -> None:
        for line in self._master_log.fresh():
            if line.event == "complete" and line.id in self._sent:
                self._sent[line.id].complete = line.ts
                self._open.discard(line.id)

    def _read_nodes(self) -> None:
        for host, log in self._node_logs.items():
            for line in log.fresh():
                if line.logged is not None and line.id in self._sent:
                    self._count(host, line.id, line.logged)

    def _count(self, host: str, identity: str, logged: float) -> None:
        found = self._found
        hosts = found.seen.setdefault(identity, set())
        if host in hosts:
            found.duplicates += 1
            return
        hosts.add(host)
        found.delivered += 1
        found.last[identity] = max(logged, found.last.get(identity, 0.0))
        found.out_of_order += int(identity) < self._newest.get(host, 0)
        self._newest[host] = max(int(identity), self._newest.get(host, 0))
