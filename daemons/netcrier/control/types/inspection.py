"""What `analyzerd --inspect` writes and `netctl inspect` reads: JSON lines, a Packet for each, then one Ending."""

from __future__ import annotations

from enum import Enum

from msgspec import Struct


class Field(Struct, frozen=True, kw_only=True):
    """One field of a layer."""

    name: str
    """As scapy names it."""
    text: str
    """The value for people."""
    value: bool | int | str | None = None
    """The value for programs; bytes in hexadecimal, null where it has no plain form."""
    items: list[Layer] = []
    """The layers that it holds, as the records of a DNS answer."""


class Layer(Struct, frozen=True, kw_only=True):
    """One layer of a packet."""

    name: str
    fields: list[Field]


class Packet(Struct, frozen=True, kw_only=True, tag="packet"):
    """One packet of a capture file."""

    number: int
    """From 1."""
    time: float
    """Epoch seconds; 0 where the file has none for it."""
    length: int
    """Bytes on the wire."""
    captured: int
    """Bytes in the file."""
    summary: str = ""
    """The layers in a line."""
    layers: list[Layer] = []
    """The outermost first."""
    cut: bool = False
    """Whether fields or parts of values were left out, because there are too many."""
    failure: str | None = None
    """Why there are no layers."""


class Problem(Enum):
    """Why the file was not read to where it was asked for."""

    UNREADABLE = "unreadable"
    NOT_A_CAPTURE = "not-a-capture"
    BROKEN = "broken"
    """Cut short, or a block that is not what it claims to be; the packets in front of it were read."""
    DISSECTOR = "dissector"
    """The dissector cannot be started."""


class Ending(Struct, frozen=True, kw_only=True, tag="ending"):
    """The last line."""

    packets: int
    """How many packets of the file were passed over or shown."""
    problem: Problem | None = None
    detail: str = ""
