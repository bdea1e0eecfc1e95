"""Which conversations of the table a request for `flows` asks for, in the engine's terms."""

from __future__ import annotations

from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

from netcrier.errors import UsageError

if TYPE_CHECKING:
    from netcrier.analyzerd.engine.kernel import Network
    from netcrier.control.types.analyzer import FlowsRequest

ANY: Network = (0, 0, 0, 0)
BITS = 128
HALF = (1 << 64) - 1
PROTOCOLS = {None: 0, "icmp": 1, "tcp": 6, "udp": 17}


def wanted(request: FlowsRequest, now: int) -> dict[str, Any]:
    """Arguments of `Kernel.held`; `now` in nanoseconds. Raises UsageError."""
    if request.proto not in PROTOCOLS:
        raise UsageError("proto is tcp, udp or icmp")
    if not 0 <= request.port_low <= request.port_high <= 65535:
        raise UsageError("port_low and port_high are 0 to 65535, the first not above the second")
    if request.active is not None and not 0 < request.active < 1e9:
        raise UsageError("active is a number of seconds")
    named = (request.host, request.orig, request.resp)
    return {
        "networks": tuple(network(text) for text in named),
        "only6": any(text is not None and ":" in text for text in named),
        "port_low": request.port_low,
        "port_high": request.port_high,
        "protocol": PROTOCOLS[request.proto],
        "largest": request.largest,
        "active": 0 if request.active is None else now - int(request.active * 1e9),
    }


def network(text: str | None) -> Network:
    """An address, or a network as 10.0.7.0/24; None is all. Raises UsageError."""
    if text is None:
        return ANY
    try:
        found = ip_network(text, strict=False)
    except ValueError:
        raise UsageError(f"{text!r} is neither an address nor a network") from None
    address = int(found.network_address) | (0xFFFF << 32 if found.version == 4 else 0)
    mask = (1 << BITS) - (1 << found.max_prefixlen - found.prefixlen)
    return address >> 64, address & HALF, mask >> 64, mask & HALF
