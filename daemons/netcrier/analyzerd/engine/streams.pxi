# Streams: what each end of a conversation said, in order, for the parsers; gaps are marked, nothing is said twice.
#
# Deliveries stand in a buffer of fixed size until Python takes them; a walk through a file stops when it is half full.
# TCP data that came too early is held in blocks, within a budget for each conversation and one in total; what finds no
# room is a gap later, and counted. An end that a parser is done with, or skips, costs nothing more than its numbers.

cdef uint32_t stream_of(Kernel self, Conversation* c) noexcept nogil:
    """The side with the stream of this conversation, made at its first payload; NOWHERE where there is no room."""
    cdef uint32_t side = find_side(self, c, STREAM)
    cdef Flow* flow
    if side != NOWHERE or c.flags & NO_STREAM:
        return side
    side = take_side(self, c, STREAM)
    if side == NOWHERE or not post(self, c, 0, OPENED, self.now, 0, 40):
        c.flags |= NO_STREAM
        self.streams_lost += 1
        return NOWHERE
    flow = <Flow*>self.sides[side].text
    memset(flow, 0, sizeof(Flow))
    flow.end[0].edge = flow.end[1].edge = 1 if c.protocol == TCP else 0
    flow.end[0].held = flow.end[1].held = NOWHERE
    put_bytes(self, &self.posted[self.post_at - 40], c)
    return side

cdef int put_bytes(Kernel self, uint8_t* into, const Conversation* c) noexcept nogil:
    """The ends of a conversation, big endian: addresses of 16 bytes, ports, protocol, IP version."""
    put_address(into, c.orig_hi, c.orig_lo, True)
    put_address(into + 16, c.resp_hi, c.resp_lo, True)
    into[32], into[33] = c.orig_port >> 8, c.orig_port & 0xFF
    into[34], into[35] = c.resp_port >> 8, c.resp_port & 0xFF
    into[36], into[37] = c.protocol, 6 if c.flags & IS_V6 else 4
    into[38] = into[39] = 0
    return 0

cdef bint post(
    Kernel self, const Conversation* c, int end, uint32_t kind, int64_t time, uint64_t number, Py_ssize_t size
) noexcept nogil:
    """Room for a delivery with `size` bytes, which are to be filled in; False where there is none."""
    cdef Py_ssize_t whole = sizeof(Post) + ((size + 7) & ~7)
    cdef Post* head
    if self.post_at + whole > POST_SIZE:
        return False
    head = <Post*>&self.posted[self.post_at]
    head.size = <uint32_t>size
    head.kind = kind
    head.end = end
    head.slot = <uint32_t>(c - self.slab)
    head.serial = c.serial
    head.time = time
    head.number = number
    self.post_at += sizeof(Post) + size
    return True

cdef inline int posted_whole(Kernel self) noexcept nogil:
    self.post_at = (self.post_at + 7) & ~7
    return 0

cdef int stream_datagram(Kernel self, Conversation* c, int end, Packet* p) noexcept nogil:
    """A datagram's payload, as far as it was captured."""
    cdef uint32_t side = stream_of(self, c)
    cdef Py_ssize_t size = min(p.captured, p.payload), i
    if side == NOWHERE or (<Flow*>self.sides[side].text).end[end].over or size <= 0:
        return 0
    if not post(self, c, end, DATAGRAM, p.time, 0, size):
        self.stream_bytes_lost += size
        return 0
    return copy_octets(self, self.post_at - size, p.body, size)

cdef int copy_octets(Kernel self, Py_ssize_t into, Py_ssize_t at, Py_ssize_t size) noexcept nogil:
    """From the packet to the deliveries; both ranges are theirs."""
    self.post_view[into : into + size] = self.octets[at : at + size]
    return posted_whole(self)

cdef int stream_segment(Kernel self, Conversation* c, bint from_orig, Packet* p, int64_t start) noexcept nogil:
    """After a segment was followed: deliver what is in order now, of both ends, and hold what came too early.

    `start` is the relative number of its first byte; below 1 where it has none of use.
    """
    cdef uint32_t side
    cdef Py_ssize_t size = p.payload if start > 0 and p.whole and not p.flags & RST else 0
    cdef int end = 0 if from_orig else 1
    cdef Flow* flow
    if size == 0 and find_side(self, c, STREAM) == NOWHERE:
        return 0
    side = stream_of(self, c)
    if side == NOWHERE:
        return 0
    flow = <Flow*>self.sides[side].text
    stream_end(self, c, flow, end, &c.orig if end == 0 else &c.resp, p, start, size)
    return stream_end(self, c, flow, 1 - end, &c.resp if end == 0 else &c.orig, p, 0, 0)

cdef int stream_end(
    Kernel self, Conversation* c, Flow* flow, int end, const Endpoint* e, Packet* p, uint64_t start, Py_ssize_t size
) noexcept nogil:
    cdef FlowEnd* f = &flow.end[end]
    cdef uint64_t stop = start + size, upto, first
    cdef uint32_t block
    if f.over:
        return 0
    if e.flags & SKIPS:
        say(self, c, f, end, GAP, p.time, 0)
        return stream_over(self, flow, end)
    while f.edge < e.bytes:
        block = f.held
        while block != NOWHERE and self.blocks[block].start + self.blocks[block].size <= f.edge:
            f.held = self.blocks[block].next
            free_block(self, flow, block)
            block = f.held
        first = self.blocks[block].start if block != NOWHERE else e.bytes
        if block != NOWHERE and first <= f.edge:
            upto = min(first + self.blocks[block].size, e.bytes)
            deliver(self, c, f, end, p.time, upto - f.edge, <Py_ssize_t>(block * BLOCK + f.edge - first), True)
        elif size and start <= f.edge < stop:
            upto = min(stop, first, e.bytes)
            deliver(self, c, f, end, p.time, upto - f.edge, p.body + <Py_ssize_t>(f.edge - start), False)
        else:
            upto = start if size and f.edge < start < first else first
            say(self, c, f, end, GAP, p.time, min(upto, e.bytes) - f.edge)
            f.edge = min(upto, e.bytes)
    if size and stop > f.edge and e.pieces != NOWHERE:
        hold(self, flow, f, max(start, f.edge), stop, p.body - <Py_ssize_t>start)
    return 0

cdef int deliver(
    Kernel self, Conversation* c, FlowEnd* f, int end, int64_t time, uint64_t size, Py_ssize_t at, bint held
) noexcept nogil:
    """`size` bytes in order, from the packet or from the held ones; less what is to be skipped."""
    cdef Py_ssize_t count = <Py_ssize_t>size, skip = <Py_ssize_t>min(f.skip, size)
    f.edge += size
    f.skip -= skip
    count -= skip
    at += skip
    if count == 0:
        return 0
    if not post(self, c, end, DATA, time, f.edge - count - 1, count):
        self.stream_bytes_lost += count
        return say(self, c, f, end, GAP, time, count)
    if held:
        memcpy(&self.posted[self.post_at - count], &self.kept[at], count)
        return posted_whole(self)
    return copy_octets(self, self.post_at - count, at, count)

cdef int say(Kernel self, const Conversation* c, FlowEnd* f, int end, uint32_t kind, int64_t time, uint64_t size) noexcept nogil:
    """A gap of `size` bytes, less what is to be skipped; 0: nothing more is followed of this end."""
    cdef uint64_t skip = min(f.skip, size)
    f.skip -= skip
    if size and size == skip:
        return 0
    if not post(self, c, end, kind, time, size - skip, 0):
        f.over = True
    return 0

cdef int hold(Kernel self, Flow* flow, FlowEnd* f, uint64_t start, uint64_t stop, Py_ssize_t base) noexcept nogil:
    """Keep [start, stop) of the packet, but for what is kept already; byte n stands at `base` + n."""
    cdef uint32_t* link = &f.held
    cdef uint32_t block
    cdef uint64_t upto
    cdef Py_ssize_t i
    while start < stop:
        while link[0] != NOWHERE and self.blocks[link[0]].start + self.blocks[link[0]].size <= start:
            link = &self.blocks[link[0]].next
        if link[0] != NOWHERE and self.blocks[link[0]].start <= start:
            start = self.blocks[link[0]].start + self.blocks[link[0]].size
            continue
        upto = min(stop, start + BLOCK)
        if link[0] != NOWHERE:
            upto = min(upto, self.blocks[link[0]].start)
        block = self.free_blocks
        if block == NOWHERE or flow.blocks >= BLOCKS_OF_STREAM:
            self.stream_bytes_lost += stop - start
            return 0
        self.free_blocks = self.blocks[block].next
        flow.blocks += 1
        self.blocks[block].start = start
        self.blocks[block].size = <uint32_t>(upto - start)
        self.blocks[block].next = link[0]
        link[0] = block
        self.kept_view[block * BLOCK : block * BLOCK + <Py_ssize_t>(upto - start)] = self.octets[
            base + <Py_ssize_t>start : base + <Py_ssize_t>upto
        ]
        start = upto
    return 0

cdef inline int free_block(Kernel self, Flow* flow, uint32_t block) noexcept nogil:
    self.blocks[block].next = self.free_blocks
    self.free_blocks = block
    flow.blocks -= 1
    return 0

cdef int stream_over(Kernel self, Flow* flow, int end) noexcept nogil:
    """Nothing more is wanted of this end; what is held of it is let go."""
    cdef uint32_t block
    flow.end[end].over = True
    while flow.end[end].held != NOWHERE:
        block = flow.end[end].held
        flow.end[end].held = self.blocks[block].next
        free_block(self, flow, block)
    return 0

cdef int close_stream(Kernel self, Conversation* c) noexcept nogil:
    """The conversation ends: its parser is told, its blocks are given back."""
    cdef uint32_t side = find_side(self, c, STREAM)
    cdef Flow* flow
    if side == NOWHERE:
        return 0
    flow = <Flow*>self.sides[side].text
    stream_over(self, flow, 0)
    stream_over(self, flow, 1)
    if not post(self, c, 0, ENDED_STREAM, c.last, 0, 0):
        self.ends_lost += 1
    return 0
