"""Where a node answers a beacon: at an address that the beacon lists, by the way that it came where it can."""

from __future__ import annotations

from netcrier.core.events import Address

_ONE_LINK = "fe80:"
"""How the addresses begin that hold on one link alone (fe80::/10 as hosts use it)."""


def answer_address(listed: tuple[str, ...], port: int, source: Address) -> Address:
    """For a beacon from `source` that lists these addresses: the source where it is listed, else the first listed of
    its family that is not of one link, else the first such of the other, else one of the source's own link. An empty
    list means the source itself."""
    if not listed:
        return source
    host, percent, zone = source[0].partition("%")
    if host in listed:
        return source[0], port
    wide = [one for one in listed if not one.startswith(_ONE_LINK)]
    alike = [one for one in wide if (":" in one) == (":" in host)]
    best = next(iter([*alike, *wide]), None)
    if best is not None:
        return best, port
    return (f"{listed[0]}{percent}{zone}", port) if zone else source
