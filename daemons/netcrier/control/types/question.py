"""What masterd's control socket speaks about questions to nodes: `ping` and `query`."""

from __future__ import annotations

from msgspec import Struct


class PingRequest(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The parameters of `ping`."""

    to: str = ""
    """A selector, as `role=web,site!=fra`; empty: every node."""
    timeout: float = 2.0
    """Seconds in which nodes may answer, more than 0 and at most 3600."""


class QueryRequest(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The parameters of `query`."""

    name: str
    """The handler's name."""
    body: bytes = b""
    """What the handler gets on its standard input, at most 512 bytes."""
    to: str = ""
    """A selector, as `role=web,site!=fra`; empty: every node."""
    timeout: float = 10.0
    """Seconds in which nodes may answer, more than 0 and at most 3600."""


class AnswerRow(Struct, frozen=True, kw_only=True):
    """What one node answered, or that it did not."""

    node: str
    """Hex id."""
    name: str
    """Host name."""
    address: str
    """The address it was last heard from, or empty."""
    state: str
    """`answered`, `failed` (exit status not 0, or a signal), `refused` (no such handler, not trusted, busy …) or
    `silent`."""
    code: int | None = None
    """The handler's exit status; 256 + n: ended by signal n; from 512 on, why it did not run (PROTOCOL.md). None while
    the node is silent."""
    reason: str = ""
    """`code` in words, empty for 0."""
    output: bytes = b""
    """What the handler wrote to standard output, at most 16 KiB."""
    size: int = 0
    """Bytes that it wrote, also those that were cut off."""
    after_ms: float | None = None
    """Milliseconds from the question to the whole answer."""
    rtt_ms: float | None = None
    """The network's round trip in milliseconds: without the time that the node took. None where it is not known."""
    seen: float | None = None
    """Epoch seconds when the node was last heard."""
