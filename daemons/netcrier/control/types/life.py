"""One node's life, as the master knows it: `node.explain`."""

from __future__ import annotations

from msgspec import Struct

from netcrier.control.types.roster import NodeRow


class LaneLife(Struct, frozen=True, kw_only=True):
    """How far a node has come in one lane, as its newest report in this run of the master says."""

    lane: int
    """0 the queue, 1 urgent."""
    term: int
    """The term in which the node has the lane; lower than the master's while it finishes an earlier one."""
    sent: int
    """The newest number that the master has of that term."""
    received: int
    """Everything up to this number is in its journal, or passed for good."""
    delivered: int
    """Everything up to this number is in its log."""


class NodeLife(Struct, frozen=True, kw_only=True):
    """The result of `node.explain`."""

    row: NodeRow
    """As `nodes` lists it."""
    joined: float | None
    """Epoch seconds when it was let in; None where it was not, or by a master that did not keep that."""
    port: int
    """The UDP port where it was last heard from."""
    boot: int
    """How often it has started."""
    term: int
    """The master's."""
    silent_after_s: float
    """Seconds without a word after which a node counts as away."""
    single_since: float | None = None
    """Epoch seconds since when it is served one by one."""
    epoch: int = 0
    """The newest group key that it has shown in this run of the master; 0: none yet."""
    group_epoch: int
    """The group key that holds."""
    dropped: int = 0
    """Datagrams that its kernel has dropped for want of buffer."""
    solicited: int = 0
    """How often it was asked for a receipt since it was last heard."""
    lanes: list[LaneLife] = []
    """Empty where it has not reported in this run of the master."""
    lacking: list[str] = []
    """The oldest messages that it has not acknowledged, at most 10."""
    lacking_count: int = 0
    """How many they are."""
