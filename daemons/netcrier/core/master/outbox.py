"""The master's side of numbering: what the next number is, and what digest and chain each sent number has.

Rules: numbers of a lane begin at 1 in each term and have no gap; a number is withdrawn only if its commit failed,
before anything was sent.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from netcrier.wire.beacon import LaneSpan
from netcrier.wire.envelope import NO_CHAIN, Digest, chained


@dataclass(slots=True)
class OutLane:
    """One lane of the master. `lowest` is the first number still kept; `base` the chain before, None if forgotten."""

    lane: int
    lowest: int = 1
    base: Digest | None = NO_CHAIN
    digests: list[Digest] = field(default_factory=list)
    chains: list[Digest] = field(default_factory=list)

    @property
    def highest(self) -> int:
        """The newest number; 0 before the first."""
        return self.lowest - 1 + len(self.digests)

    def chain_at(self, sequence: int) -> Digest | None:
        """The chain at this number; None outside of what is kept."""
        if sequence == self.lowest - 1:
            return self.base
        at = sequence - self.lowest
        return self.chains[at] if 0 <= at < len(self.chains) else None

    def digest_at(self, sequence: int) -> Digest | None:
        """The digest of this number; None outside of what is kept."""
        at = sequence - self.lowest
        return self.digests[at] if 0 <= at < len(self.digests) else None

    def append(self, digest: Digest) -> None:
        """The next number has this digest."""
        before = self.chain_at(self.highest)
        assert before is not None, "a lane of which everything is forgotten"
        self.digests.append(digest)
        self.chains.append(chained(before, digest))

    def withdraw(self) -> None:
        """Undo the last `append`."""
        self.digests.pop()
        self.chains.pop()

    def drop_below(self, lowest: int) -> None:
        """Everything before this number is no longer kept."""
        assert lowest <= self.highest + 1
        if lowest > self.lowest:
            self.base = self.chain_at(lowest - 1)
            gone = lowest - self.lowest
            self.lowest, self.digests, self.chains = lowest, self.digests[gone:], self.chains[gone:]

    def span(self) -> LaneSpan:
        """For the beacon."""
        return LaneSpan(self.lane, self.highest, self.lowest if self.digests else 0)
