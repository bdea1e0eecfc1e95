"""One end of a conversation: where its numbers start, what it sent, and what is in order."""

from __future__ import annotations

from dataclasses import dataclass, field

from .packets import Packet

FIN, SYN, RST, ACK = 1, 2, 4, 16


def near(number: int, known: int) -> int:
    """The integer that is `number` modulo 2**32 and nearest to `known`."""
    return known + ((number - known + 2**31) % 2**32) - 2**31


@dataclass
class End:
    """One end of a conversation."""

    address: str
    port: int
    packets: int = 0
    ip_bytes: int = 0
    payload: int = 0
    active: bool = False
    state: str = "inactive"
    before: str = "inactive"
    start: int = 0
    last: int = 0
    acked: int = 0
    fin: int | None = None
    ordered: int = 1
    ranges: list[tuple[int, int]] = field(default_factory=list)
    followed: bool = True
    closed: bool = False
    ended: bool = False
    seen: bool = False
    letters: set[str] = field(default_factory=set)
    places: dict[str, int] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def enter(self, state: str) -> None:
        if state != self.state:
            self.before, self.state = self.state, state

    @property
    def clean(self) -> bool:
        return self.state == "established" or (self.state == "closed" and self.before == "established")

    def relative(self, number: int) -> int:
        """`number` counted from the start; before the numbers have wrapped it is the nearer way there, and may be less
        than 0, as Zeek has it."""
        wrapped = number >> 32 > self.start >> 32
        return number - self.start if wrapped else near(number, self.start) - self.start

    def size(self, other: End) -> int:
        """Payload bytes by sequence numbers."""
        if (self.before, self.state, other.state) == ("syn", "reset", "inactive") and self.acked > self.start + 1:
            return 0
        size = max(0, max(self.last, self.acked) - self.start)
        return max(0, size - 1 - (self.fin is not None)) if size else 0

    def begin(self, p: Packet, size: int) -> None:
        """Where its numbers start: at its SYN, or just before the first packet seen."""
        if self.state == "inactive":
            self.start = self.acked = p.seq if p.flags & SYN else p.seq - 1
            self.last = p.seq + (size if p.flags & SYN else 0)
        elif p.flags & SYN:
            again = self.state in ("established", "partial") or (self.state, self.before) == ("reset", "inactive")
            if again or (self.state in ("syn", "synack") and p.seq != self.start % 2**32):
                self.start = self.acked = p.seq
                self.last = p.seq + size

    def sent(self, start: int, size: int) -> None:
        """Payload from `start` on, relative, was seen."""
        stop, start = start + size, max(start, self.acked - self.start)
        if not self.followed or stop <= start or stop <= self.ordered:
            return
        self.ranges.append((start, stop))
        self.absorb()
        unanswered = self.acked - self.start in (0, 1)
        if (unanswered and self.ranges and max(stop for _, stop in self.ranges) - self.ordered > 16384) or (
            not unanswered and self.ordered - (self.acked - self.start) > 10485760
        ):
            self.followed, self.ranges = False, []

    def absorb(self) -> None:
        """Take in the ranges that have become in order."""
        for start, stop in sorted(self.ranges):
            if start <= self.ordered:
                self.ordered = max(self.ordered, stop)
        self.ranges = [one for one in self.ranges if one[1] > self.ordered]
