"""What masterd's control socket speaks of the nodes that it knows."""

from __future__ import annotations

from msgspec import Struct


class NodeRow(Struct, frozen=True, kw_only=True):
    """One node of the roster."""

    node: str
    """Hex id."""
    name: str
    """Host name."""
    address: str
    """The address it was last heard from, or empty."""
    state: str
    """`here`, `away`, `waiting`, `revoked` or `duplicate`."""
    seen: float | None = None
    """Epoch seconds when it was last heard."""
    rtt_ms: float | None = None
    """Round trip in milliseconds; None before it was measured."""
    behind: int = 0
    """Messages sent and not yet acknowledged by it."""
    via: str = ""
    """The carrier that reaches it."""
    tags: dict[str, str] = {}
    """Its tags."""
    trust: str = ""
    """`token`, `first-use`, `approved`, `waiting` or `revoked`."""
    note: str = ""
    """What is to be known of the way to it, or empty."""
    gaps: int = 0
    """Messages that the master dropped before the node came back; of the newest 1000 dropped ones."""
    successor_of: str | None = None
    """Hex id of the node that had this name before: a new key under a known name."""


class NodesRequest(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The parameters of `nodes`."""

    to: str = ""
    """Only the nodes that this selector means; empty: all."""


class Nodes(Struct, frozen=True):
    """The result of `nodes`."""

    rows: list[NodeRow]
    """By name."""


class NodeRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """The parameters of `node.explain`, `node.approve`, `node.revoke` and `node.forget`."""

    node: str
    """Host name, or the hex id or an unambiguous beginning of it."""
