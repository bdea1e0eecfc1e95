"""What is measured: each row runs daemons of its own and gives a line of the table."""

from __future__ import annotations

import gc
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

from netcrier.errors import NetcrierError
from netcrier_ctl.lab import Lab
from netcrier_ctl.simulation.memory import memory_place
from netcrier_ctl.simulation.plan import Plan
from netcrier_ctl.simulation.usage import resident_kib, usage_of

from tests.bench import crowd
from tests.bench.peers import serf, uftp
from tests.multitude import Multitude
from tests.site import Site

NETCTL = str(Path(sys.executable).with_name("netctl"))
MEBIBYTE = 1 << 20


class Row:
    """A line of the table: what was measured, ours, the peer's or the bound, and whether ours reaches it."""

    def __init__(self, what: str, ours: str, beside: str, target: str, reached: bool | None = None) -> None:
        """`reached` None: reported only."""
        self.what, self.ours, self.beside, self.target, self.reached = what, ours, beside, target, reached


Rows = Iterator[Row]


def small() -> Rows:
    """256 B to 100 nodes, serf beside it in the same run; with loss; on the disk."""
    events = _serf_events(0)
    quiet = _simulated("--nodes", "100", "--count", "100", "--interval", "200ms")
    ours, peer = quiet["last_receipt_ms"], _spread(events)
    yield Row("256 B to 100 nodes", _ms(ours), f"serf event {_ms(peer)}", "p50 ≤ 40 ms", ours["p50"] <= 40)
    ratio = peer["p50"] / ours["p50"]
    yield Row("  sooner than serf's last event", f"{ratio:.1f} times", "", "≥ 15 times", ratio >= 15)
    yield _cost(quiet)
    lossy = _simulated("--nodes", "100", "--count", "100", "--loss", "5", "--interval", "300ms")
    ours, peer = lossy["last_receipt_ms"], _spread(_serf_events(5))
    yield Row("  5 % lost each way", _ms(ours), f"serf event {_ms(peer)}", "p50 ≤ 150 ms", ours["p50"] <= 150)
    missing = f"{lossy['false_missing']} of {lossy['deliveries']:,}"
    yield Row("  falsely missing", missing, "", "0 of 10,000", lossy["false_missing"] == 0)
    with tempfile.TemporaryDirectory(prefix="netcrier-bench-", dir="/var/tmp") as disk:
        slow = _simulated("--nodes", "100", "--count", "50", "--interval", "200ms", "--state-dir", disk)
    yield Row("  state on the disk of /var/tmp", _ms(slow["last_receipt_ms"]), "", "reported")


def large() -> Rows:
    """1 MiB to 30 nodes, uftp beside it, with and without loss."""
    for loss in (0, 5):
        what = f"1 MiB to 30 nodes, {loss} % lost each way"
        beside, open_group = _uftp_times(loss)
        words = ["--nodes", "30", "--count", "3", "--size", str(MEBIBYTE), "--loss", str(loss), "--timeout", "60s"]
        try:
            ours = _simulated(*words)["last_receipt_ms"]
        except NetcrierError as error:
            yield Row(what, str(error), beside, "≥ 4 times sooner", False)
            continue
        ratio = open_group * 1000 / ours["p50"]
        yield Row(what, f"{_ms(ours)}, {ratio:.1f} times", beside, "≥ 4 times sooner", ratio >= 4)


def lossy() -> Rows:
    """1,000 messages to 10 nodes where 40 % of the datagrams are lost each way."""
    words = ["--nodes", "10", "--count", "1000", "--loss", "40", "--interval", "5ms", "--timeout", "120s"]
    got = _simulated(*words)
    whole = got["delivered"] == got["deliveries"] and not got["duplicates"] and not got["out_of_order"]
    counts = f"{got['delivered']:,} of {got['deliveries']:,} in {got['duration_s']:.1f} s"
    faults = f"{got['duplicates']} twice, {got['out_of_order']} out of order"
    yield Row("40 % lost each way, 1,000 to 10 nodes", counts, faults, "every one once, in order", whole)


def absent() -> Rows:
    """A node comes back after 1,000 messages."""
    with _site(3) as site:
        away = site.nodes["n1"]
        away.kill()
        for number in range(1000):
            site.broadcast(b"%d" % number)
        began = time.monotonic()
        away.start()
        up = time.monotonic() - began
        while len(away.lines()) < 1000 and time.monotonic() < began + 60:
            time.sleep(0.02)
        took = time.monotonic() - began
        numbers = site.sequences("n1")
    whole = numbers == list(range(1, 1001))
    text = f"{len(numbers):,} in {took:.2f} s (start {up:.2f} s)"
    yield Row(
        "a node back after 1,000 messages",
        text,
        "in order, once" if whole else "NOT whole",
        "≤ 2 s",
        took <= 2 and whole,
    )


def idle() -> Rows:
    """What a node costs that hears nothing but beacons."""
    with _site(1) as site:
        for number in range(50):
            site.broadcast(b"%d" % number)
        site.wait_received(50)
        process = site.nodes["n1"].process
        assert process
        time.sleep(2)
        before = usage_of([process.pid])
        time.sleep(20)
        share = usage_of([process.pid]).since(before).cpu_s / 20 * 100
        resident = resident_kib(process.pid) / 1024
    yield Row("noded at rest, CPU", f"{share:.3f} %", "", "≤ 0.1 %", share <= 0.1)
    yield Row("noded, resident", f"{resident:.1f} MiB", "", "≤ 40 MB", resident * 1.048576 <= 40)


def thousand() -> Rows:
    """masterd with 1,000 nodes of which all answer, after 100 messages."""
    nodes, messages = 1000, 100
    with _lab(["master", "crowd"]) as lab, _place() as place:
        crowd.enrol(place / "master" / "state" / "masterd", nodes)
        lines = [f"address add {crowd.address_of(number)}/32 dev eth0" for number in range(nodes)]
        lab.run("crowd", ["ip", "-batch", "-"], text="\n".join(lines) + "\n")
        lab.run("master", ["ip", "route", "add", f"{crowd.NETWORK}.0.0/16", "via", lab.address("crowd")])
        words = [sys.executable, "-m", "tests.bench.crowd", str(place / "master/state/masterd"), str(nodes)]
        with (place / "crowd.err").open("wb") as errors:
            lab.spawn("crowd", words, stdout=subprocess.DEVNULL, stderr=errors)
        site = Site(lab, place)
        site.start_master()
        _until(lambda: site.master_status().nodes.here == nodes, "1,000 nodes are heard")
        for number in range(messages):
            site.broadcast(b"%d" % number)
        _until(lambda: _complete(site), "100 messages are complete", 120)
        assert site.master.process
        resident = resident_kib(site.master.process.pid) / 1024
    text = f"{resident:.1f} MiB"
    yield Row("masterd with 1,000 nodes, resident", text, f"{messages} messages", "≤ 80 MB", resident * 1.048576 <= 80)


def flood() -> Rows:
    """50,000 garbage datagrams a second at a node and at the master."""
    with _site(4, extra=("attacker",)) as site:
        group = bytes.fromhex(site.master_status().group_id)
        calm = _delay(site)
        aims = {"at a node": ("n1", 12345), "at the master": ("master", 12346)}
        shapes = {"of any bytes": b"", "with our front": b"NC\x01\x02" + group}
        for shape, front in shapes.items():
            for aim, (host, port) in aims.items():
                words = [
                    sys.executable,
                    "-m",
                    "tests.bench.flood",
                    site.lab.address(host),
                    str(port),
                    "50000",
                    front.hex(),
                ]
                attack = site.lab.spawn("attacker", words, stdout=subprocess.DEVNULL)
                time.sleep(1.0)
                pressed = _delay(site)
                attack.kill(signal.SIGKILL)
                attack.wait()
                ratio = pressed / calm
                text = f"{pressed:.1f} ms, {ratio:.1f} times"
                yield Row(f"flood of 50,000/s {shape}, {aim}", text, f"calm {calm:.1f} ms", "≤ 3 times", ratio <= 3)


def multitude() -> Rows:
    """10,000 virtual nodes in this process, with bad luck from a new seed; every promise is checked."""
    seed = int(os.environ.get("NETCRIER_SEED") or random.SystemRandom().randrange(2**32))
    print(f"seed {seed}: NETCRIER_SEED={seed} repeats this run", flush=True)
    began = time.monotonic()
    virtual = Multitude(10_000, seed)
    gc.collect()
    gc.freeze()  # some millions of objects that stay: each full collection would walk them
    got = virtual.run(messages=5, every=0.4)
    text = f"{got.deliveries:,} once and in order, {got.forged} forgeries refused"
    cost = f"{got.datagrams:,} datagrams, {got.resident_mib:.0f} MiB, {time.monotonic() - began:.0f} s"
    yield Row("10,000 virtual nodes", text, cost, "no promise broken", got.deliveries == 50_000)


ROWS: Mapping[str, Callable[[], Rows]] = MappingProxyType(
    {function.__name__: function for function in (small, large, lossy, absent, idle, thousand, flood, multitude)}
)


def _simulated(*words: str) -> dict[str, Any]:
    done = subprocess.run(
        [NETCTL, "simulate", "--json", *words], capture_output=True, text=True, timeout=600, check=False
    )
    if not done.stdout:
        raise NetcrierError(done.stderr.strip().splitlines()[0] if done.stderr else f"exit status {done.returncode}")
    document = json.loads(done.stdout)
    assert isinstance(document, dict)
    return document


def _serf_events(loss: int) -> list[float]:
    """Milliseconds until the last of 100 nodes had each of ten events; of events that some never had, none."""
    hosts = [f"h{number}" for number in range(101)]
    with _lab(hosts) as lab, serf(lab) as peer:
        lab.loss(loss)
        time.sleep(2)
        times = [
            max(found.values()) for number in range(10) if len(found := peer.event(f"bench{number}", "x" * 256)) == 101
        ]
    return [seconds * 1000 for seconds in times]


def _uftp_times(loss: int) -> tuple[str, float]:
    """As text, and the median of the open group in seconds."""
    with _lab([f"h{number}" for number in range(31)]) as lab:
        lab.loss(loss)
        texts, medians = [], []
        for name, listed in (("uftp", False), ("clients listed", True)):
            try:
                medians.append(statistics.median(uftp(lab, MEBIBYTE, 3, listed=listed)))
                texts.append(f"{name} {medians[-1]:.2f} s")
            except NetcrierError as error:
                texts.append(f"{name}: {error}")
    return ", ".join(texts), medians[0]


def _cost(got: dict[str, Any]) -> Row:
    each = got["delivered"]
    text = (
        f"{got['datagrams'] / each:.2f} datagrams, {got['bytes'] / each:.0f} B, {got['cpu_s'] / each * 1000:.2f} ms CPU"
    )
    return Row("  a delivery costs", text, "", "reported")


def _delay(site: Site) -> float:
    """Milliseconds from the call until the last receipt: the median of 31 messages."""
    times = []
    for _ in range(31):
        began = time.monotonic()
        sent = site.broadcast(b"x" * 256, os.urandom(8).hex())
        while site.master_status().last and not _complete(site, sent.id):
            time.sleep(0.0005)
        times.append(time.monotonic() - began)
        time.sleep(0.05)
    return statistics.median(times) * 1000


def _complete(site: Site, identity: str | None = None) -> bool:
    """Whether the newest message has every receipt."""
    last = site.master_status().last
    return last is not None and last.received == last.expected and identity in (None, last.id)


def _until(condition: Callable[[], bool], what: str, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise NetcrierError(f"not within {seconds:.0f} s: {what}")
        time.sleep(0.05)


@contextmanager
def _place() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="netcrier-bench-", dir=memory_place(Plan(nodes=5))) as name:
        yield Path(name)


def _lab(hosts: list[str]) -> Lab:
    return Lab(hosts, memory_place(Plan(nodes=5)))


@contextmanager
def _site(nodes: int, extra: tuple[str, ...] = ()) -> Iterator[Site]:
    """A master and nodes n1, n2 … that are enrolled; state in memory."""
    hosts = [f"n{number}" for number in range(1, nodes + 1)]
    with _lab(["master", *hosts, *extra]) as lab, _place() as place:
        site = Site(lab, place)
        site.start_master()
        for host in hosts:
            site.start_node(host)
        site.wait_enrolled()
        yield site


def _ms(spread: dict[str, Any]) -> str:
    return f"p50 {spread['p50']:.0f} ms, p99 {spread['p99']:.0f} ms" if spread["p50"] is not None else "none complete"


def _spread(values: list[float]) -> dict[str, float]:
    if not values:
        raise NetcrierError("serf: no event reached all nodes")
    return {"p50": statistics.median(values), "p99": max(values)}
