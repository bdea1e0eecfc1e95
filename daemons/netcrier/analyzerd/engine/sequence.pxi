# Sequence space: up to where each end's data is in order, what lies above holes, and which holes never fill.
#
# Only ranges are kept, no data. `bytes` of an end is the relative number up to which nothing is missing.
# Acknowledged data that was never seen is a gap: counted in missed_bytes where both ends are established.

cdef int sent(
    Kernel self, Conversation* c, Endpoint* e, Endpoint* o, int64_t start, int64_t size, bint late
) noexcept nogil:
    """Payload came; `late` where higher numbers came before it: new to us, it was out of order."""
    cdef uint64_t acked = whole_seq(e.ack_seq, e.ack_wraps) - e.start_seq, first, end
    if e.flags & SKIPS or start < 0:
        return 0
    first = start
    end = first + size
    if first < acked:
        if end <= acked:
            return 0
        first = acked
    if end <= e.bytes:
        return 0
    if late and not held(self, e, first, end):
        e.out_of_order += e.out_of_order < 0xFFFFFFFFU
    if first <= e.bytes:
        e.bytes = end
        absorb(self, e)
    else:
        keep_piece(self, e, first, end)
    if e.ack_seq == e.start_seq or e.ack_seq == e.start_seq + 1:
        if e.pieces != NOWHERE and top_piece(self, e) - e.bytes > BEFORE_ACKS:
            odd(self, ABOVE_HOLE, c)
            stop_following(self, e)
    elif e.bytes > acked and e.bytes - acked > UNACKED:
        odd(self, EXCESSIVE_DATA, c)
        stop_following(self, e)
    return 0

cdef bint held(Kernel self, const Endpoint* e, uint64_t start, uint64_t end) noexcept nogil:
    """Whether all of this range stands among those above a hole."""
    cdef uint32_t piece = e.pieces
    while piece != NOWHERE and self.pieces[piece].end < end:
        piece = self.pieces[piece].next
    return piece != NOWHERE and self.pieces[piece].start <= start

cdef int stop_following(Kernel self, Endpoint* e) noexcept nogil:
    drop_pieces(self, e)
    e.flags |= SKIPS
    return 0

cdef int absorb(Kernel self, Endpoint* e) noexcept nogil:
    """Take in the ranges that have become in order."""
    cdef uint32_t piece
    while e.pieces != NOWHERE and self.pieces[e.pieces].start <= e.bytes:
        piece = e.pieces
        if self.pieces[piece].end > e.bytes:
            e.bytes = self.pieces[piece].end
        e.pieces = self.pieces[piece].next
        free_piece(self, e, piece)
    return 0

cdef inline int free_piece(Kernel self, Endpoint* e, uint32_t piece) noexcept nogil:
    self.pieces[piece].next = self.free_pieces
    self.free_pieces = piece
    return 0

cdef int drop_pieces(Kernel self, Endpoint* e) noexcept nogil:
    cdef uint32_t piece
    while e.pieces != NOWHERE:
        piece = e.pieces
        e.pieces = self.pieces[piece].next
        free_piece(self, e, piece)
    return 0

cdef uint64_t top_piece(Kernel self, Endpoint* e) noexcept nogil:
    cdef uint32_t piece = e.pieces
    while self.pieces[piece].next != NOWHERE:
        piece = self.pieces[piece].next
    return self.pieces[piece].end

cdef int keep_piece(Kernel self, Endpoint* e, uint64_t start, uint64_t end) noexcept nogil:
    """Add a range above a hole, in order, joined with what it touches."""
    cdef uint32_t* link = &e.pieces
    cdef uint32_t piece
    cdef int count = 0
    while link[0] != NOWHERE and self.pieces[link[0]].end < start:
        link = &self.pieces[link[0]].next
        count += 1
    piece = link[0]
    if piece == NOWHERE or self.pieces[piece].start > end:
        while piece != NOWHERE and count < PIECES_OF_END:
            piece = self.pieces[piece].next
            count += 1
        if self.free_pieces == NOWHERE or count >= PIECES_OF_END:
            self.pieces_lost += 1
            return stop_following(self, e)
        piece = self.free_pieces
        self.free_pieces = self.pieces[piece].next
        self.pieces[piece].start = start
        self.pieces[piece].end = end
        self.pieces[piece].next = link[0]
        link[0] = piece
        return 0
    if start < self.pieces[piece].start:
        self.pieces[piece].start = start
    if end > self.pieces[piece].end:
        self.pieces[piece].end = end
    while True:
        link = &self.pieces[piece].next
        if link[0] == NOWHERE or self.pieces[link[0]].start > self.pieces[piece].end:
            return 0
        if self.pieces[link[0]].end > self.pieces[piece].end:
            self.pieces[piece].end = self.pieces[link[0]].end
        end = link[0]
        link[0] = self.pieces[<uint32_t>end].next
        free_piece(self, e, <uint32_t>end)

cdef int gap(Kernel self, Conversation* c, Endpoint* e, Endpoint* o, uint64_t size) noexcept nogil:
    if clean(e) and clean(o):
        e.gaps = scaled(self, c, e, e.gaps, c"G")
        e.lost += size
    return 0

cdef int acknowledged(Kernel self, Conversation* c, Endpoint* e, Endpoint* o, int64_t acked) noexcept nogil:
    """The peer `o` acknowledged what `e` sent up to `acked`: holes below are gaps from now on."""
    cdef uint64_t upto
    cdef int64_t fin
    if acked <= 0:
        return 0
    upto = acked
    if e.flags & SENT_FIN:
        fin = acked + <int32_t>(e.fin_seq - <uint32_t>acked)
        if acked >= fin:
            upto = fin - 1 if fin > 0 else 0
    if upto <= e.bytes:
        return 0
    if upto <= 2 and c.flags & PARTIAL_START:
        return check_end(self, c, e, o)
    if not e.flags & SKIPS:
        while e.pieces != NOWHERE and self.pieces[e.pieces].start < upto:
            gap(self, c, e, o, self.pieces[e.pieces].start - e.bytes)
            e.bytes = self.pieces[e.pieces].start
            absorb(self, e)
        if upto > e.bytes:
            gap(self, c, e, o, upto - e.bytes)
    if upto > e.bytes:
        e.bytes = upto
    absorb(self, e)
    return check_end(self, c, e, o)

cdef bint pending(Kernel self, Endpoint* e, Endpoint* o) noexcept nogil:
    """Whether data of this end, or of its peer, is still missing."""
    cdef uint64_t seen, last
    if e.flags & SKIPS:
        return False
    seen = e.start_seq + e.bytes
    last = whole_seq(e.last_seq, e.seq_wraps)
    if last < seen:
        return False
    if seen != last - 1 and seen != last:
        return True
    return e.state != RESET and o.pieces != NOWHERE

cdef int check_end(Kernel self, Conversation* c, Endpoint* e, Endpoint* o) noexcept nogil:
    """A deferred close happens once nothing is missing."""
    if e.flags & DID_EOF or not (e.flags & SENT_FIN or e.state == CLOSED or e.state == RESET) or pending(self, e, o):
        return 0
    e.flags |= DID_EOF
    if c.flags & CLOSE_DEFERRED:
        close(self, c, e, o)
        c.flags &= ~CLOSE_DEFERRED
    return 0
