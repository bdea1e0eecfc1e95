"""Which of the host's links are captured where none is named."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from netcrier.runtime.netlink import Link


@dataclass(frozen=True, slots=True)
class Choice:
    """Names to capture, and names left out because their master is captured."""

    captured: tuple[str, ...]
    left_out: tuple[str, ...]


def choose(known: Iterable[Link]) -> Choice:
    """All that are up and not loopback; of a bridge and its ports only the bridge, so nothing counts twice."""
    up = [link for link in known if link.up and not link.loopback]
    indexes = {link.index for link in up}
    return Choice(
        tuple(link.name for link in up if link.master not in indexes),
        tuple(link.name for link in up if link.master in indexes),
    )
