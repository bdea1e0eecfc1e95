"""The engine and the model see the same conversations in random stacks of layers, whole, cut, in pieces and mangled."""

from __future__ import annotations

import random
from functools import partial
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.mutation import mutate, split
from tests.fuzz.seeds import LINKS as FUZZED_LINKS
from tests.fuzz.seeds import PACKETS, seeds
from tests.layers import CLIENT6, LINKS, SERVER6, TUNNELS, extended, fragments
from tests.unit.analyzerd import frames
from tests.unit.analyzerd.frames import CLIENT, SECOND, SERVER

from .test_model import agree, by_engine, by_model, in_order

PORTS = st.sampled_from([53, 80, 999, 2152, 3544, 4754, 4789, 5000, 5072, 6081])
BODY = st.binary(max_size=60)
ENDS = st.sampled_from([(CLIENT, SERVER), (SERVER, CLIENT), (CLIENT6, SERVER6), (SERVER6, CLIENT6)])
IP = st.one_of(
    st.builds(lambda e, a, b, data: frames.udp(e[0], a, e[1], b, data)[14:], ENDS, PORTS, PORTS, BODY),
    st.builds(
        lambda e, a, b, flags, data: frames.tcp(e[0], a, e[1], b, flags, 9, 9, data)[14:],
        ENDS,
        PORTS,
        PORTS,
        st.sampled_from([2, 16, 18, 24]),
        BODY,
    ),
    st.builds(
        lambda e, protocol, data: frames.ip(e[0], e[1], protocol, data),
        ENDS,
        st.sampled_from([0, 1, 2, 4, 6, 17, 41, 43, 44, 47, 50, 51, 58, 59, 60, 132, 135]),
        BODY,
    ),
)
PIECES = st.one_of(st.none(), st.tuples(st.integers(1, 12), st.integers(0, 3), st.booleans()))
"""Where it is cut in two, which datagram it says it is of, and whether the second part comes first."""

STACK = st.tuples(
    IP,
    st.booleans(),
    st.lists(st.tuples(PIECES, st.sampled_from(sorted(TUNNELS))), max_size=5),
    PIECES,
    st.sampled_from(sorted(LINKS)),
)
CHANGE = st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255)), max_size=2)
CAPTURE = st.tuples(CHANGE, st.one_of(st.none(), st.integers(0, 250)), st.integers(0, 8))
"""Bytes that are changed, how many bytes are captured, and how many of filling follow."""


def in_pieces(packets: list[bytes], pieces: tuple[int, int, bool] | None) -> list[bytes]:
    if pieces is None:
        return packets
    at, ident, backwards = pieces
    return [part for packet in packets for part in fragments(packet, at, ident)[:: -1 if backwards else 1]]


def stacked(stack: Any) -> tuple[int, list[bytes]]:
    """The link type and the frames of a stack; a layer goes around every part of what is inside."""
    packet, more_headers, tunnels, pieces, link = stack
    packets = [extended(packet) if more_headers else packet]
    for inner_pieces, tunnel in tunnels:
        packets = [TUNNELS[tunnel](part) for part in in_pieces(packets, inner_pieces)]
    kind, around = LINKS[link]
    return kind, [around(part) for part in in_pieces(packets, pieces)]


@settings(max_examples=600, deadline=None)
@given(st.lists(st.tuples(STACK, CAPTURE), min_size=1, max_size=4))
def test_engine_and_model_agree_on_any_stack_of_layers(stacks: list[Any]) -> None:
    time, captured = SECOND, []
    for stack, (changes, most, filling) in stacks:
        link, wired = stacked(stack)
        for frame in wired:
            data = bytearray(frame + bytes(filling))
            for place, value in changes:
                if place < len(data):
                    data[place] = value
            time += 1000
            captured.append((time, bytes(data[:most]), len(data), link))
    agree(captured)


def test_every_layer_alone_shows_the_conversation_inside() -> None:
    inner = {
        version: frames.udp(*ends, b"inside")[14:]
        for version, ends in ((4, ("192.168.9.1", 4000, "192.168.9.2", 9999)), (6, ("fd09::1", 4000, "fd09::2", 9999)))
    }
    for version, packet in inner.items():
        for name, (link, around) in LINKS.items():
            rows = agree([(SECOND, frame := around(packet), len(frame), link)])
            assert [row["id.orig_p"] for row in rows] == ([4000, 4000] if name == "A-MSDU" else [4000])[:1], name
        for name, around in TUNNELS.items():
            if version == 4 and "Teredo" in name:
                continue  # carries IPv6 alone
            rows = agree([(SECOND, frame := frames.ethernet(around(packet)), len(frame), 1)])
            assert 9999 in [row["id.resp_p"] for row in rows], name


def bent(chance: random.Random, data: bytes, most: int) -> bytes:
    """Up to three bytes changed, put in or taken out."""
    changed = bytearray(data)
    for _ in range(chance.randrange(1, 4)):
        place = chance.randrange(len(changed) + 1)
        changed[place : place + chance.randrange(2)] = bytes([chance.randrange(256)][: chance.randrange(2)])
    return bytes(changed[:most])


def test_engine_and_model_agree_on_what_the_fuzzer_begins_with_mangled() -> None:
    chance, begun = random.Random(1), [seed for seed in seeds() if seed[0] == PACKETS]
    for number in range(4000):
        data = chance.choice(begun)
        for _ in range(chance.randrange(1, 4)):
            data = mutate(data, 4096, chance.getrandbits(31), partial(bent, chance))
        if len(data) < 2 or data[0] != PACKETS:
            continue
        time, captured = SECOND, []
        for step, frame in split(data):
            time += step * step * 10_000_000
            captured.append((time, frame, len(frame) + (step & 1) * 400, FUZZED_LINKS[data[1] % len(FUZZED_LINKS)]))
        assert in_order(by_engine(captured)) == in_order(by_model(captured)), f"input {number}: {data.hex()}"
