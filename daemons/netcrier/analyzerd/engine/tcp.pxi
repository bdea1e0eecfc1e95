# TCP: the state of both ends, as Zeek's conn_state and history need it, from RFC 9293 and PEERS of this design.
#
# Sequence numbers are kept as 32 bits and a count of wraps; "relative" ones count from the SYN as 0.
# A conversation whose beginning was not seen is numbered as though a SYN had come just before.

cdef int follow_tcp(Kernel self, uint32_t slot, Conversation* c, bint from_orig, Packet* p) noexcept nogil:
    cdef Endpoint* e = &c.orig if from_orig else &c.resp
    cdef Endpoint* o = &c.resp if from_orig else &c.orig
    cdef uint32_t size, past
    cdef int64_t relative, acked = 0
    cdef int32_t advance
    cdef bint underflow = False, before_underflow = False, closes = False
    cdef uint8_t orig_state = c.orig.state, resp_state = c.resp.state
    cdef uint16_t flags = c.flags
    if p.headless:
        return odd(self, BAD_TCP_LENGTH if p.mss else TRIM_TCP, c)
    if p.bad:
        odd(self, BAD_TCP, c)
        e.bad_checksums = scaled(self, c, e, e.bad_checksums, c"C")
        if self.checksums == DROP_BAD:
            return 0
    if not e.flags & FIRST_SEEN:
        if from_orig:
            set_flag(&c.flags, PARTIAL_START, not p.flags & SYN or p.flags & ACK)
        elif not c.flags & PARTIAL_START:
            set_flag(&c.flags, PARTIAL_START, not p.flags & SYN)
    size = ((p.flags & SYN) >> 1) + (p.flags & FIN)
    if not p.flags & RST:
        size += <uint32_t>p.payload
    past = p.seq + size
    number(self, c, e, o, p, past)
    relative = from_start(e, p.seq, e.last_seq, e.seq_wraps, &underflow)
    if underflow and not p.flags & RST:
        odd(self, SEQ_UNDERFLOW, c)
    if p.flags & (FIN | RST):
        count_ends(self, c, e, p)
    tell(self, c, e, p, relative)
    follow_window(self, c, e, o, p, past)
    if not (c.orig.flags & c.resp.flags & DID_CLOSE):
        c.last = p.time
    if p.flags & SYN:
        syn_oddities(self, c, p)
        e.mss = p.mss if p.mss else e.mss
    e.tcp_flags |= p.flags
    time_handshake(c, from_orig, p)
    if p.flags & FIN:
        e.flags |= SENT_FIN
        e.fin_seq = <uint32_t>max(relative + <int64_t>size, 0)  # a FIN from before the start closes at 0
    if p.flags & ACK:
        if o.state == INACTIVE:
            if (
                not p.flags & (SYN | FIN | RST) and not c.flags & ODD
                and (e.state == SYN_SENT or e.state == SYN_ACK_SENT or e.state == ESTABLISHED)
            ):
                odd(self, SPLIT_ROUTING, c)
            acked = 1
            o.start_seq = o.last_seq = o.ack_seq = p.ack - 1
            o.seq_wraps = o.ack_wraps = 0
        else:
            acked = from_start(o, p.ack, o.ack_seq, o.ack_wraps, &before_underflow)
            if before_underflow:
                acked = 0
                odd(self, ACK_UNDERFLOW, c)
            elif not p.flags & RST:
                if p.payload == 0 and p.ack == o.ack_seq and p.ack != o.last_seq and not p.flags & (SYN | FIN):
                    e.dup_acks += e.dup_acks < 0xFFFFFFFFU
                note_ack(o, p.ack)
    advance = note_last(self, c, e, p, past)
    closes = move(self, c, from_orig, p, advance)
    # The roles may have been swapped by the move.
    from_orig = p.src_lo == c.orig_lo and p.src_hi == c.orig_hi and p.src_port == c.orig_port
    e = &c.orig if from_orig else &c.resp
    o = &c.resp if from_orig else &c.orig
    if p.flags & ACK:
        acknowledged(self, c, o, e, acked)
    e.flags |= FIRST_SEEN
    if p.payload > 0 and p.whole and not p.flags & RST and not underflow:
        sent(self, c, e, o, relative + (1 if p.flags & SYN else 0), p.payload, advance <= 0)
    if p.payload > 0:
        note_payload(c, p.time)
    check_end(self, c, e, o)
    if self.streaming:
        stream_segment(self, c, from_orig, p, 0 if underflow else relative + (1 if p.flags & SYN else 0))
    if closes:
        close(self, c, e, o)
    count_in(self, c, e, p)
    if c.orig.state != orig_state or c.resp.state != resp_state or c.flags != flags:
        changed(self, slot)
    return 0

cdef int syn_oddities(Kernel self, Conversation* c, const Packet* p) noexcept nogil:
    if p.flags & RST:
        odd(self, CHRISTMAS, c)
    if p.flags & URG:
        odd(self, BAROQUE_SYN, c)
    if p.payload > 0:
        odd(self, SYN_DATA, c)
    if p.scale > 15 and not c.flags & ODD:
        odd_with(self, SCALE_RANGE, c, b"", p.scale - 1, NULL, 0)
    return 0

cdef int time_handshake(Conversation* c, bint from_orig, const Packet* p) noexcept nogil:
    """Round trips on both sides of where we listen: SYN to SYN-ACK on the responder's, SYN-ACK to ACK on the other.

    Not told where a SYN or SYN-ACK was repeated, as then nobody knows which was answered (Karn).
    """
    cdef uint8_t kind = p.flags & (SYN | FIN | RST)
    if c.orig.rtt or c.flags & SYN_AGAIN:
        return 0
    if kind == SYN:
        if from_orig != (not p.flags & ACK) or p.time < c.start:
            c.flags |= SYN_AGAIN
        elif from_orig:
            if c.orig.packets or c.resp.packets:
                c.flags |= SYN_AGAIN
        elif c.resp.rtt or c.orig.state != SYN_SENT:
            c.flags |= SYN_AGAIN
        else:
            c.resp.rtt = as_offset(p.time - c.start)
    elif c.resp.rtt and from_orig and p.flags & ACK and kind == 0 and p.ack == c.resp.start_seq + 1:
        c.orig.rtt = as_offset(p.time - c.start - from_offset(c.resp.rtt))
    return 0

cdef int number(Kernel self, Conversation* c, Endpoint* e, const Endpoint* o, Packet* p, uint32_t past) noexcept nogil:
    """Where this end's sequence numbers start: at its SYN, or just before the first packet seen."""
    cdef bint fresh = e.state == INACTIVE
    if not fresh and p.flags & SYN:
        if e.state == SYN_SENT or e.state == SYN_ACK_SENT:
            fresh = p.seq != e.start_seq
            if fresh:
                odd(self, SYN_JUMP, c)
        elif e.state == ESTABLISHED or e.state == PARTIAL:
            fresh = True
            if end_bytes(c, e, o):
                odd(self, SYN_INSIDE, c)
            if p.seq != e.start_seq:
                odd(self, SYN_JUMP, c)
        else:
            fresh = e.state == RESET and before(e) == INACTIVE
    if not fresh:
        return 0
    e.start_seq = p.seq if p.flags & SYN else p.seq - 1
    e.last_seq = past if p.flags & SYN else p.seq
    e.ack_seq = e.start_seq
    e.seq_wraps = e.last_seq < e.start_seq
    e.ack_wraps = 0
    return 0

cdef int tell(Kernel self, Conversation* c, Endpoint* e, Packet* p, int64_t relative) noexcept nogil:
    """The history letters of this packet."""
    cdef int kinds = ((p.flags & SYN) >> 1) + (p.flags & FIN) + ((p.flags & RST) >> 2)
    cdef char code
    cdef uint16_t place = folded(<uint32_t>relative)
    if kinds > 1:
        if p.flags & FIN and p.flags & RST:
            mark(self, c, e, SEEN_FIN_RST, c"I")
        else:
            mark(self, c, e, SEEN_MULTI, c"Q")
    elif p.flags & SYN:
        code = c"H" if p.flags & ACK else c"S"
        if mark(self, c, e, SEEN_SYN, code) and place != e.last_syn:
            letter(self, c, code if e == &c.orig else code + 32)
        e.last_syn = place
    elif p.flags & FIN:
        place = folded(<uint32_t>relative + <uint32_t>p.payload)
        if mark(self, c, e, SEEN_FIN, c"F") and place != e.last_fin:
            letter(self, c, c"F" if e == &c.orig else c"f")
        e.last_fin = place
    elif p.flags & RST:
        if mark(self, c, e, SEEN_RST, c"R") and place != e.last_rst:
            letter(self, c, c"R" if e == &c.orig else c"r")
        e.last_rst = place
    elif p.payload > 0:
        mark(self, c, e, SEEN_DATA, c"D")
    elif p.flags & ACK:
        mark(self, c, e, SEEN_ACK, c"A")
    return 0

cdef int32_t note_last(Kernel self, Conversation* c, Endpoint* e, Packet* p, uint32_t past) noexcept nogil:
    """The highest sequence number sent; what does not raise it and has payload is a retransmission."""
    cdef int32_t advance = <int32_t>(past - e.last_seq)
    if p.flags & (SYN | RST) and (advance > OVERLAP or advance < -OVERLAP):
        return advance
    if p.flags & FIN and e.last_seq == e.start_seq + 1:
        raise_last(e, past)
    elif e.state == RESET:
        return advance
    elif advance > 0:
        raise_last(e, past)
    elif p.payload > 0:
        if e.retransmitted < 0xFFFFFFFFU:
            e.retransmitted += 1
        if power_of_ten(e.retransmitted):
            letter(self, c, c"T" if e == &c.orig else c"t")
    return advance

cdef bint move(Kernel self, Conversation* c, bint from_orig, Packet* p, int32_t advance) noexcept nogil:
    """The next state of the end that sent this; whether its part of the conversation closes with it."""
    cdef Endpoint* e = &c.orig if from_orig else &c.resp
    cdef Endpoint* o = &c.resp if from_orig else &c.orig
    cdef uint8_t flags = p.flags
    cdef bint closes = False
    if e.state == INACTIVE:
        return wake(self, c, from_orig, p)
    if e.state == SYN_SENT or e.state == SYN_ACK_SENT:
        if flags & SYN:
            if not from_orig:
                if not flags & ACK and e.state != SYN_SENT:
                    odd(self, REPEATED_REPLY, c)
            elif flags & ACK and not flags & (FIN | RST) and e.state != SYN_ACK_SENT:
                odd(self, REPEATED_SYN_ACK, c)
        if flags & FIN:
            if o.state == INACTIVE or o.state == SYN_SENT:
                odd(self, IN_FIN, c)
            enter(e, CLOSED)
            closes = True
        if flags & RST:
            enter(e, RESET)
            closes = True
        elif p.payload > 0:
            odd(self, DATA_BEFORE, c)
    elif e.state == ESTABLISHED or e.state == PARTIAL:
        if flags & SYN and e.state == PARTIAL and o.state == INACTIVE and not flags & ACK:
            odd(self, SYN_AFTER_PARTIAL, c)
            enter(e, SYN_SENT)
        if flags & FIN and not flags & RST:
            enter(e, CLOSED)
            if o.state == RESET and before(o) == CLOSED:
                enter(o, CLOSED)  # a FIN, then a RST, was its normal end
            closes = True
        if flags & RST:
            enter(e, RESET)
            closes = True
    elif e.state == CLOSED:
        if flags & SYN:
            odd(self, SYN_AFTER_CLOSE, c)
        if flags & FIN and advance > 0:
            odd(self, FIN_ADVANCED, c)
        if flags & RST and o.state != CLOSED:
            enter(e, RESET)
            closes = not e.flags & DID_CLOSE
    else:
        if flags & SYN:
            odd(self, SYN_AFTER_RESET, c)
        if p.payload > 0 and not flags & RST:
            odd(self, DATA_AFTER_RESET, c)
    return closes

cdef bint wake(Kernel self, Conversation* c, bint from_orig, Packet* p) noexcept nogil:
    """The first packet of an end."""
    cdef Endpoint* e = &c.orig if from_orig else &c.resp
    cdef Endpoint* o = &c.resp if from_orig else &c.orig
    cdef uint8_t flags = p.flags
    cdef bint closes = False
    if flags & SYN:
        if from_orig:
            if flags & ACK:
                odd(self, ORIG_SYN_ACK, c)
            enter(e, SYN_ACK_SENT if flags & ACK else SYN_SENT)
        else:
            if flags & ACK:
                if o.state != INACTIVE and o.state != PARTIAL and not between(p.ack, o.start_seq, o.last_seq):
                    odd(self, BAD_SYN_ACK, c)
            elif o.state == SYN_ACK_SENT and p.seq == e.start_seq:
                # SYN and SYN-ACK arrived in the wrong order.
                flip(self, c)
                e, o = &c.orig, &c.resp
                enter(o, ESTABLISHED)
                e.flags |= FIRST_SEEN
            else:
                odd(self, SIMULTANEOUS, c)
            if o.state == SYN_SENT:
                enter(o, ESTABLISHED)
            enter(e, ESTABLISHED)
    if flags & FIN:
        enter(e, CLOSED)
        closes = True
    if flags & RST:
        enter(e, RESET)
        closes = True
    if e.state == INACTIVE:
        if not from_orig and p.payload == 0 and c.orig.state == SYN_SENT:
            return closes  # an acknowledgement ahead of the SYN-ACK
        if flags & ACK and o.state == ESTABLISHED:
            enter(e, ESTABLISHED)  # its SYN was missed
            c.flags &= ~PARTIAL_START
            e.flags |= FIRST_SEEN
        else:
            enter(e, PARTIAL)
    return closes

cdef int close(Kernel self, Conversation* c, Endpoint* e, Endpoint* o) noexcept nogil:
    """An end closed: at once, or when the data still missing has been accounted for."""
    if pending(self, e, o):
        c.flags |= CLOSE_DEFERRED
        return 0
    c.flags &= ~CLOSE_DEFERRED
    if e.flags & DID_CLOSE:
        return 0
    e.flags |= DID_CLOSE
    if e.state == RESET or o.flags & DID_CLOSE or o.state == INACTIVE:
        c.flags |= CLOSING
        c.ends = c.last + self.linger
    elif before(e) == INACTIVE:
        c.flags |= HALF_CLOSING
        c.ends = c.last + self.half_close
    return 0

cdef bint reused(Kernel self, Conversation* c, Packet* p) noexcept nogil:
    """Whether this SYN begins another conversation on the same ports."""
    cdef Endpoint* e = &c.orig
    cdef bint reset = c.orig.state == RESET or c.resp.state == RESET
    if not p.flags & SYN:
        return False
    if p.flags & ACK:
        if c.orig.state != INACTIVE:
            return False
        e = &c.resp
    if not (c.orig.flags & c.resp.flags & DID_CLOSE) and not c.flags & CLOSING:
        if p.seq == e.start_seq:
            return False
        if (
            not p.flags & ACK and e.state == SYN_ACK_SENT and c.resp.state == INACTIVE
            and p.seq == c.resp.start_seq
        ):
            return False
        odd(self, SYN_JUMP_REUSE if e.state == SYN_SENT else ACTIVE_REUSE, c)
    elif not reset and (active(&c.orig) or active(&c.resp)):
        odd(self, ACTIVE_REUSE, c)
    elif not reset and p.time - c.last < self.linger:
        odd(self, PREMATURE_REUSE, c)
    return True
