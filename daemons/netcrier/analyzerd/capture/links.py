"""Which of the host's links are captured where none is named."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from netcrier.runtime.netlink import Link


@dataclass(frozen=True, slots=True)
class Choice:
    """Names to capture, and names left out because another link shows what crosses them."""

    captured: tuple[str, ...]
    left_out: tuple[str, ...]


def choose(known: Iterable[Link]) -> Choice:
    """All that are up and not loopback, so that nothing counts twice.

    Of a bridge or bond and its ports only the bridge or bond. A VLAN is left out where the link that it sits on is
    captured, which sees its frames with their tags; where that link is a port itself, the VLAN is captured.
    """
    up = {link.index: link for link in known if link.up and not link.loopback}
    left = {index for index, link in up.items() if link.master in up}
    left |= {index for index, link in up.items() if link.parent in up and link.parent not in left}
    return Choice(
        tuple(link.name for index, link in up.items() if index not in left),
        tuple(link.name for index, link in up.items() if index in left),
    )
