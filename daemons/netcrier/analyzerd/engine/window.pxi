# The window: up to where an end lets the other send (RFC 9293, 7323). It may close; that its edge goes back is odd.

cdef int follow_window(
    Kernel self, Conversation* c, Endpoint* e, Endpoint* o, const Packet* p, uint32_t past
) noexcept nogil:
    """What a segment says of its sender's window; before its numbers are noted. `past` is one past its last one."""
    cdef uint32_t edge
    cdef int32_t advance
    if p.window == 0 and not p.flags & RST and o.state != CLOSED and e.state != RESET:
        e.zero_windows = scaled(self, c, e, e.zero_windows, c"W")
    if p.flags & SYN:
        e.window = min(p.scale - 1, 14) if p.scale else 0  # RFC 7323: at most 14
        if p.flags & ACK and not p.scale:
            o.window &= ~SCALE  # both ends, or none
        return 0
    if p.flags & (FIN | RST) or not p.flags & ACK or e.state == CLOSED or e.state == RESET:
        return 0  # an end that goes gives its buffers back
    edge = p.ack + (<uint32_t>p.window << (e.window & SCALE))
    if e.window & EDGE_KNOWN:
        if <int32_t>(p.ack - o.ack_seq) < 0 or (<int32_t>(p.seq - e.last_seq) < 0 and past != e.last_seq):
            return 0  # older than what is known
        advance = <int32_t>(edge - e.edge)
        if advance < 0 and -<int64_t>advance >= 1 << (e.window & SCALE):  # less is only the scale's rounding
            odd(self, WINDOW_RECISION, c)
    e.edge = edge
    e.window |= EDGE_KNOWN
    return 0
