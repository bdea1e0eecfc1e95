"""The compiled kernel behind one door: decode, conversations, TCP state, conn lines."""

from __future__ import annotations

import os
from enum import IntEnum
from typing import TYPE_CHECKING

from netcrier.analyzerd.ports import TCP_SERVERS, UDP_SERVERS
from netcrier.errors import EngineMissingError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from netcrier.analyzerd.engine.kernel import Kernel, Portion, Scout

MISSING = "built without the engine: install gcc and python3-dev, then reinstall"
SEED_SIZE = 24

LOGS = ("conn", "tunnel", "weird")
"""The logs whose lines a kernel writes, by name."""

TUNNEL_DEPTH = 4
"""Tunnels within one another that are followed where nothing else is said (Zeek's Tunnel::max_depth)."""

TUNNEL_DEPTH_MOST = 16
"""The engine's."""

Batch = tuple[str, bytes]
"""A log's name, and whole lines for it."""


class Checksums(IntEnum):
    """What a wrong checksum does to a packet; the values are the engine's."""

    COUNT = 0
    IGNORE = 1
    DROP = 2


def new_kernel(
    *,
    checksums: Checksums = Checksums.COUNT,
    most: int = 1_000_000,
    interface: str = "",
    logs: tuple[str, ...] = LOGS,
    iso: bool = False,
    interim: int = 0,
    streams: int = 0,
    tunnel_depth: int = TUNNEL_DEPTH,
    seed: bytes | None = None,
) -> Kernel:
    """A kernel with its own flow table of at most `most` conversations. Raises EngineMissingError."""
    try:
        from netcrier.analyzerd.engine.kernel import Kernel
    except ImportError as error:
        raise EngineMissingError(MISSING) from error
    if interface:
        import json

        interface = json.dumps(interface)[1:-1]
    return Kernel(
        seed=os.urandom(SEED_SIZE) if seed is None else seed,
        checksums=int(checksums),
        most=most,
        logs=logs,
        iso=iso,
        interim=interim,
        streams=streams,
        tunnel_depth=tunnel_depth,
        interface=interface.encode(),
        tcp_ports=TCP_SERVERS,
        udp_ports=UDP_SERVERS,
    )


def new_scout(kernel: Kernel, compile_: Callable[[int], bytes] | None = None) -> Scout:
    """One that goes ahead of this kernel through a capture file; `compile_` gives the packet filter of a link type."""
    from netcrier.analyzerd.engine.kernel import Scout

    return Scout(kernel, compile_)


def new_portion(size: int) -> Portion:
    """Room for so many bytes of a capture, and for what is found in them."""
    import mmap

    from netcrier.analyzerd.engine.kernel import Portion

    return Portion(mmap.mmap(-1, size, mmap.MAP_PRIVATE))


def batches(kernel: Kernel) -> Iterator[Batch]:
    """What a kernel has written since the last call, log by log; nothing for a log without lines."""
    for log in LOGS:
        if lines := kernel.take(log):
            yield log, lines
