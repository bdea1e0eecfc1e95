"""What masterd's control socket speaks of trust: group keys, join tokens, nodes that are shut out."""

from __future__ import annotations

from msgspec import Struct


class TokenRequest(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The parameters of `token.create`."""

    ttl: float | None = None
    """Seconds for which it can be used; None: until it is replaced."""
    once: bool = False
    """Whether one node only may use it."""


class Token(Struct, frozen=True, kw_only=True):
    """The result of `token.create`."""

    token: str
    """The join token: a secret."""
    closed_now: bool
    """Whether this call closed the group, which was open until now."""
    expires: float | None = None
    """Epoch seconds, or None."""


class TokenNameRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """The parameters of `token.revoke`."""

    token: str
    """The token's hex id, or the first digits of it, four at least."""


class TokenRow(Struct, frozen=True, kw_only=True):
    """A join token; its secret is not shown again."""

    id: str
    """Hex."""
    state: str
    """`usable`, `used` (up) or `expired`."""
    once: bool
    """Whether one node only may use it."""
    expires: float | None = None
    """Epoch seconds, or None."""
    used_by: str | None = None
    """The first node that used it: its name, or its hex id where it is no longer known."""


class Tokens(Struct, frozen=True):
    """The result of `token.list`."""

    rows: list[TokenRow]
    """Usable ones first."""


class Revoked(Struct, frozen=True, kw_only=True):
    """The result of `node.revoke`: the node is out, and a group key that it has not holds."""

    epoch: int
    """The epoch of the new key."""
    void_token: str | None = None
    """The hex id of the token by which it had joined, where others could use it too: it is void now."""
    closed_now: bool = False
    """Whether this call closed the group, which was open until now: the node could have joined again by another key."""


class LackingNode(Struct, frozen=True, kw_only=True):
    """A node that has not shown yet that it has the group key."""

    node: str
    """Hex id."""
    name: str
    """Host name."""
    seen: float | None = None
    """Epoch seconds when it was last heard."""


class GroupKeyStatus(Struct, frozen=True, kw_only=True):
    """The result of `keys` and `keys.rotate`."""

    epoch: int
    """The epoch of the key that holds."""
    since: float | None
    """Epoch seconds since when; None for a key made by an older version."""
    sealed: int
    """Datagrams that it has sealed, at most."""
    next_epoch: int | None = None
    """The epoch that is announced."""
    next_in_s: float | None = None
    """Seconds until its key holds."""
    holding: int
    """Nodes that have shown that they have the key."""
    lacking: list[LackingNode]
    """Those that have not, by name; at most 100. Each gets it when it asks."""
    lacking_count: int
    """How many they are."""
