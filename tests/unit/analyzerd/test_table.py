"""The flow table: its hash has a seed, its limit holds, what is worth most stays."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from itertools import permutations

import pytest
from netcrier.analyzerd import engine

from . import frames
from .frames import ACK, CLIENT, FIN, SECOND, SERVER, SYN

WORD = 2**64 - 1
PLACES = 4096


def mix(a: int, b: int) -> int:
    product = (a & WORD) * (b & WORD)
    return (product & WORD) ^ (product >> 64)


def tag(seed: bytes, source: int, sport: int, target: int, dport: int) -> int:
    """The hash of a UDP conversation over IPv4, as the engine makes it from its seed."""
    a, b, c = (int.from_bytes(seed[i : i + 8], "little") for i in (0, 8, 16))
    a |= 1
    ends = [
        mix((0xFFFF00000000 | address) ^ a, b + port * 0x9E3779B97F4A7C15)
        for address, port in ((source, sport), (target, dport))
    ]
    return (mix(((sum(ends)) & WORD) ^ c, a + 17) >> 16) & 0xFFFFFFFF


def crafted(seed: bytes, count: int) -> list[bytes]:
    """Datagrams that all want the same few places of an index under this seed."""
    chance = random.Random(1)
    found: list[bytes] = []
    while len(found) < count:
        source, sport = chance.getrandbits(24) | 0x0A000000, chance.randrange(20_000, 60_000)
        if tag(seed, source, sport, 0x0A000002, 9999) % PLACES < 16:
            found.append(frames.udp(".".join(str(part) for part in source.to_bytes(4, "big")), sport, SERVER, 9999))
    return found


def test_a_crafted_set_of_addresses_makes_long_runs_only_under_the_seed_that_it_was_made_for() -> None:
    known = bytes(range(24))
    attack = crafted(known, 300)
    runs = {}
    for seed in (known, bytes(range(1, 25)), None):
        kernel = engine.new_kernel(seed=seed)
        for frame in attack:
            kernel.packet(frame, SECOND)
        assert kernel.counters["conversations"] == len(attack)
        runs[seed] = kernel.longest_run()
    assert runs[known] >= 250
    assert max(run for seed, run in runs.items() if seed != known) <= 20


def test_the_seed_is_another_at_every_start() -> None:
    uids = set()
    for _ in range(20):
        kernel = engine.new_kernel()
        kernel.packet(frames.udp(CLIENT, 1, SERVER, 2), SECOND)
        kernel.flush()
        uids.add(json.loads(kernel.take())["uid"])
    assert len(uids) == 20


def shake(port: int) -> list[bytes]:
    return [
        frames.tcp(CLIENT, port, SERVER, 80, SYN, 1),
        frames.tcp(SERVER, 80, CLIENT, port, SYN | ACK, 9, 2),
        frames.tcp(CLIENT, port, SERVER, 80, ACK, 2, 10),
    ]


def test_a_syn_flood_takes_no_established_conversation_from_the_table() -> None:
    kernel = engine.new_kernel(most=2000)
    for port in range(1000, 2000):
        for frame in shake(port):
            kernel.packet(frame, SECOND)
    for i in range(30_000):
        address = f"172.{16 + (i >> 16)}.{i >> 8 & 255}.{i & 255}"
        kernel.packet(frames.tcp(address, 1, SERVER, 80, SYN, i), SECOND + i * 10_000)
    assert kernel.counters["conversations"] == 2000
    assert all(json.loads(line)["conn_state"] == "S0" for line in kernel.take().splitlines())
    kernel.flush()
    states = [json.loads(line)["conn_state"] for line in kernel.take().splitlines()]
    assert states.count("S1") == 1000


def closed(port: int) -> list[bytes]:
    return [
        *shake(port),
        frames.tcp(CLIENT, port, SERVER, 80, FIN | ACK, 2, 10),
        frames.tcp(SERVER, 80, CLIENT, port, FIN | ACK, 10, 3),
    ]


KINDS: dict[str, Callable[[int], list[bytes]]] = {
    "established": shake,
    "attempt": lambda port: shake(port)[:1],
    "closed": closed,
    "one-sided": lambda port: [frames.udp(CLIENT, port, SERVER, 9999)],
}


@pytest.mark.parametrize("order", list(permutations(KINDS))[::5], ids=" ".join)
def test_at_the_limit_the_least_worth_is_written_first(order: tuple[str, ...]) -> None:
    """Whatever came first: attempts, then closed, one-sided UDP, and established ones from the idlest on."""
    kernel = engine.new_kernel(most=32)
    for place, kind in enumerate(order):
        for i in range(8):
            for frame in KINDS[kind](1000 * (place + 1) + i):
                kernel.packet(frame, SECOND + (place * 8 + i) * SECOND // 10)
    assert kernel.counters["conversations"] == 32
    written = []
    for port in range(9000, 9032):
        for frame in shake(port):
            kernel.packet(frame, 4 * SECOND + SECOND // 2)
        (line,) = kernel.take().splitlines()
        written.append(json.loads(line))
    assert kernel.counters["evicted"] == 32
    kinds = [(row["proto"], row["conn_state"]) for row in written]
    assert kinds == [("tcp", "S0")] * 8 + [("tcp", "SF")] * 8 + [("udp", "S0")] * 8 + [("tcp", "S1")] * 8
    ticks = [int(row["ts"] * 4) for row in written[24:]]
    assert ticks == sorted(ticks), "the idlest first, to a quarter of a second: the wheel's tick"


def test_looking_ahead_changes_no_record() -> None:
    packets = []
    for i in range(20_000):
        packets.append(
            (
                SECOND + i,
                frames.udp(f"10.{i >> 16}.{i >> 8 & 255}.{i & 255}", 1000 + i % 7, SERVER, 9999, b"x" * (i % 40)),
            )
        )
    packets += [(2 * SECOND + i, frame) for i, (_, frame) in enumerate(packets)]
    data = frames.pcap(packets, nanoseconds=True)
    records = []
    for whole in (True, False):
        kernel = engine.new_kernel(seed=bytes(24))
        if whole:
            for _ in frames.walk(kernel, data):
                pass
        else:
            for time, frame in packets:
                kernel.packet(frame, time)
        kernel.flush()
        records.append(sorted(kernel.take().splitlines()))
    assert records[0] == records[1]
    assert len(records[0]) == 20_000
