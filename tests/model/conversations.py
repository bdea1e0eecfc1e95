"""Packets to conversation records: the model of the engine's flow table, TCP state and byte accounting.

Sequence numbers are unwrapped to plain integers, ranges are kept in lists, nothing is bounded but the time-outs.
"""

from __future__ import annotations

from netcrier.analyzerd.ports import TCP_SERVERS, UDP_SERVERS

from .endpoint import ACK, FIN, RST, SYN, End, near
from .packets import Packet

SECOND = 1_000_000_000
ATTEMPT = LINGER = 5 * SECOND
HALF_CLOSE, IDLE, TCP_IDLE = 3 * SECOND, 60 * SECOND, 300 * SECOND
JUMP = 1 << 20
EARLY = ("inactive", "syn", "synack")


class Conversation:
    """One conversation, from its first packet on."""

    def __init__(self, p: Packet) -> None:
        self.first = self.last = p.time
        self.protocol, self.paired = p.protocol, p.paired
        self.orig, self.resp = End(p.source, p.sport), End(p.target, p.dport)
        self.history = ""
        self.missed = 0
        self.partial = self.deferred = self.no_tunnel = False
        self.vlans = p.vlans
        self.ends: int | None = None
        self.half: int | None = None
        if _flips(p):
            self.flip()

    def flip(self) -> None:
        self.orig, self.resp = self.resp, self.orig
        self.history += "^"
        self.partial = False

    def due(self) -> int:
        """When it is written if nothing more comes."""
        if self.protocol != 6:
            return self.last + IDLE
        if self.ends is not None:
            return self.ends
        states = (self.orig.state, self.resp.state)
        due = self.last + (IDLE if all(state in EARLY for state in states) else TCP_IDLE)
        if states[0] in ("syn", "synack") and states[1] == "inactive":
            due = min(due, self.first + ATTEMPT)
        elif self.half is not None:
            due = min(due, self.half)
        elif (self.orig.closed or self.resp.closed) and "reset" in states:
            due = min(due, self.last + LINGER)
        return due

    def reused(self, p: Packet) -> bool:
        if not p.flags & SYN or (p.flags & ACK and self.orig.state != "inactive"):
            return False
        end = self.resp if p.flags & ACK else self.orig
        if self.ends is not None or (self.orig.closed and self.resp.closed):
            return True
        reversed_ = end.state == "synack" and self.resp.state == "inactive" and p.seq == self.resp.start % 2**32
        return p.seq != end.start % 2**32 and not (reversed_ and not p.flags & ACK)

    def sides(self, p: Packet) -> tuple[End, End]:
        """Sender and receiver."""
        own = (p.source, p.sport) == (self.orig.address, self.orig.port)
        return (self.orig, self.resp) if own else (self.resp, self.orig)

    def too_deep(self) -> None:
        """A tunnel in it is not followed."""
        if "X" not in self.history:
            self.history += "X"

    def letter(self, end: End, code: str) -> None:
        self.history += code if end is self.orig else code.lower()

    def once(self, end: End, code: str) -> bool:
        """Write a letter the first time; whether it was there."""
        key = "S" if code == "H" else code
        if key in end.letters:
            return True
        end.letters.add(key)
        self.letter(end, code)
        return False

    def scaled(self, end: End, code: str) -> None:
        count = end.counts[code] = end.counts.get(code, 0) + 1
        if str(count).strip("0") == "1":
            self.letter(end, code)

    def take(self, p: Packet) -> None:
        """One packet of this conversation."""
        end, other = self.sides(p)
        if p.headless:
            return
        if p.protocol == 6:
            self._tcp(end, other, p)
            end, _ = self.sides(p)
        else:
            self.last = p.time
            end.active = True
            end.payload += p.payload
            if p.protocol == 17:
                self.once(end, "D")
            elif not p.whole:
                return
        end.packets += 1
        end.ip_bytes += p.ip_bytes

    def _tcp(self, end: End, other: End, p: Packet) -> None:
        if not end.seen:
            self._begin(end, p)
        size = (p.flags & SYN > 0) + (p.flags & FIN > 0) + (0 if p.flags & RST else p.payload)
        end.begin(p, size)
        seq = near(p.seq, end.last)
        relative = end.relative(seq)
        self._tell(end, p, relative)
        if not p.window and not p.flags & RST and other.state != "closed" and end.state != "reset":
            self.scaled(end, "W")
        if not (self.orig.closed and self.resp.closed):
            self.last = p.time
        if p.flags & FIN:
            end.fin = relative + size
        acked = self._answered(other, p) if p.flags & ACK else 0
        self._advance(end, p, near(p.seq + size, end.last))
        closes = self._move(end, other, p)
        end, other = self.sides(p)
        if p.flags & ACK:
            self._acknowledged(other, end, acked)
        end.seen = True
        if p.payload and p.whole and not p.flags & RST and relative >= 0:
            end.sent(relative + (p.flags & SYN > 0), p.payload)
        self._check_end(end, other)
        if closes:
            self._close(end, other)

    def _answered(self, other: End, p: Packet) -> int:
        """Up to where the packet acknowledges what the other end sent, relative."""
        if other.state == "inactive":
            other.start = other.last = other.acked = p.ack - 1
            return 1
        number = near(p.ack, other.acked)
        acked = other.relative(number)
        if acked >= 0 and not p.flags & RST and not (p.ack == 0 and number - other.acked > JUMP):
            other.acked = max(other.acked, number)
        return max(0, acked)

    def _begin(self, end: End, p: Packet) -> None:
        """Whether the conversation's beginning was missed."""
        if end is self.orig:
            self.partial = not p.flags & SYN or bool(p.flags & ACK)
        elif not self.partial:
            self.partial = not p.flags & SYN

    def _tell(self, end: End, p: Packet, relative: int) -> None:
        kinds = [flag for flag in (SYN, FIN, RST) if p.flags & flag]
        if len(kinds) > 1:
            self.once(end, "I" if FIN in kinds and RST in kinds else "Q")
        elif kinds:
            code = {SYN: "H" if p.flags & ACK else "S", FIN: "F", RST: "R"}[kinds[0]]
            place = (relative + (p.payload if kinds[0] == FIN else 0)) % 2**32
            key = "S" if kinds[0] == SYN else code
            if self.once(end, code) and place != end.places.get(key, 0):
                self.letter(end, code)
            end.places[key] = place
        elif p.payload:
            self.once(end, "D")
        elif p.flags & ACK:
            self.once(end, "A")

    def _advance(self, end: End, p: Packet, past: int) -> None:
        step = past - end.last
        if p.flags & (SYN | RST) and abs(step) > JUMP:
            return
        if p.flags & FIN and (end.last - end.start) % 2**32 == 1:  # Zeek looks at 32 bits
            end.last = past if step >= 0 else end.last + step % 2**32
        elif end.state == "reset":
            return
        elif step > 0:
            end.last = past
        elif p.payload:
            self.scaled(end, "T")

    def _move(self, end: End, other: End, p: Packet) -> bool:
        if end.state == "inactive":
            return self._wake(end, other, p)
        if end.state in ("syn", "synack"):
            for flag, state in ((FIN, "closed"), (RST, "reset")):
                if p.flags & flag:
                    end.enter(state)
            return bool(p.flags & (FIN | RST))
        if end.state in ("established", "partial"):
            return self._live(end, other, p)
        if end.state == "closed" and p.flags & RST and other.state != "closed":
            end.enter("reset")
            return not end.closed
        return False

    def _live(self, end: End, other: End, p: Packet) -> bool:
        if p.flags & SYN and (end.state, other.state) == ("partial", "inactive") and not p.flags & ACK:
            end.enter("syn")
        if p.flags & FIN and not p.flags & RST:
            end.enter("closed")
            if (other.state, other.before) == ("reset", "closed"):
                other.enter("closed")
        if p.flags & RST:
            end.enter("reset")
        return bool(p.flags & (FIN | RST))

    def _wake(self, end: End, other: End, p: Packet) -> bool:
        from_orig = end is self.orig
        if p.flags & SYN and from_orig:
            end.enter("synack" if p.flags & ACK else "syn")
        elif p.flags & SYN:
            if not p.flags & ACK and other.state == "synack" and p.seq == end.start % 2**32:
                self.flip()
                other.enter("established")
                end.seen = True
            if other.state == "syn":
                other.enter("established")
            end.enter("established")
        if p.flags & FIN:
            end.enter("closed")
        if p.flags & RST:
            end.enter("reset")
        if end.state == "inactive" and not (not from_orig and not p.payload and self.orig.state == "syn"):
            if p.flags & ACK and other.state == "established":
                end.enter("established")
                self.partial, end.seen = False, True
            else:
                end.enter("partial")
        return bool(p.flags & (FIN | RST))

    def _gap(self, end: End, other: End, size: int) -> None:
        if end.clean and other.clean:
            self.scaled(end, "G")
            self.missed += size

    def _acknowledged(self, end: End, other: End, acked: int) -> None:
        upto = min(acked, end.fin - 1) if end.fin is not None else acked
        if upto <= 0 or upto <= end.ordered:
            return
        if not (upto <= 2 and self.partial):
            if end.followed:
                while end.ranges and min(end.ranges)[0] < upto:
                    start = min(end.ranges)[0]
                    self._gap(end, other, start - end.ordered)
                    end.ordered = start
                    end.absorb()
                if upto > end.ordered:
                    self._gap(end, other, upto - end.ordered)
            end.ordered = max(end.ordered, upto)
            end.absorb()
        self._check_end(end, other)

    def _pending(self, end: End, other: End) -> bool:
        rest = end.last - (end.start + end.ordered)
        if not end.followed or rest < 0:
            return False
        return rest > 1 or (end.state != "reset" and bool(other.ranges))

    def _check_end(self, end: End, other: End) -> None:
        over = end.fin is not None or end.state in ("closed", "reset")
        if not end.ended and over and not self._pending(end, other):
            end.ended = True
            if self.deferred:
                self._close(end, other)
                self.deferred = False

    def _close(self, end: End, other: End) -> None:
        self.deferred = self._pending(end, other)
        if self.deferred or end.closed:
            return
        end.closed = True
        if end.state == "reset" or other.closed or other.state == "inactive":
            self.ends = self.last + LINGER
        elif end.before == "inactive":
            self.half = self.last + HALF_CLOSE


def _flips(p: Packet) -> bool:
    if p.target == "255.255.255.255" or p.protocol not in (6, 17):
        return False
    if p.protocol == 17:
        return p.sport in UDP_SERVERS and p.dport not in UDP_SERVERS
    if p.headless:
        return p.sport in TCP_SERVERS and p.dport not in TCP_SERVERS
    if p.flags & SYN:
        return bool(p.flags & ACK)
    return p.sport in TCP_SERVERS and (p.dport not in TCP_SERVERS or p.sport < p.dport)
