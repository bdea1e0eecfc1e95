"""Changes of inputs that keep their form: frames are cut short, changed inside, repeated and left out.

libFuzzer alone changes any byte, sizes too, and seldom ends a frame within a header.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable

from .seeds import PACKETS

Change = Callable[[bytes, int], bytes]
"""libFuzzer's own: bytes and how many there may be."""


def split(data: bytes) -> list[tuple[int, bytes]]:
    """The frames of an input behind its two bytes of head, with their steps."""
    found, at = [], 2
    while at + 3 <= len(data):
        size, step = struct.unpack_from("!HB", data, at)
        found.append((step, data[at + 3 : at + 3 + size]))
        at += 3 + size
    return found


def join(head: bytes, packets: list[tuple[int, bytes]]) -> bytes:
    """The reverse."""
    return head + b"".join(struct.pack("!HB", len(frame), step) + frame for step, frame in packets)


def mutate(data: bytes, most: int, seed: int, change: Change) -> bytes:
    """Another input of at most so many bytes."""
    chance = random.Random(seed)
    packets = split(data)
    if not packets or data[0] % 4 != PACKETS or chance.random() < 0.2:
        return change(data, most)
    place = chance.randrange(len(packets))
    step, frame = packets[place]
    act = chance.randrange(6)
    if act < 2:
        packets[place] = (step | 1, frame[: chance.randrange(len(frame) + 1)])
    elif act < 4:
        packets[place] = (step, change(frame, len(frame) + 64))
    elif act == 4:
        packets.insert(chance.randrange(len(packets) + 1), packets[place])
    else:
        packets[place] = packets[-1]
        packets.pop()
    return join(data[:2], packets)[:most]
