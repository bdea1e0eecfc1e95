# weird.log: what a packet or a conversation did that it should not have, said once and then not again for a while.
#
# What was said is remembered by a keyed hash, in a table of fixed size: where all places of a key are taken, the one
# that would be forgotten first gives way, so a flood of oddities costs lines at most, never memory.

cdef bint said_before(Kernel self, uint64_t key, int64_t for_how_long) noexcept nogil:
    """Whether this was said within its time; if not, it is now."""
    cdef uint64_t at = key & (SAID - 1), i, place, first = at
    for i in range(SAID_RUN):
        place = (at + i) & (SAID - 1)
        if self.said[place].key == key and self.said[place].until > self.now:
            return True
        if self.said[place].until < self.said[first].until:
            first = place
    self.said[first].key = key
    self.said[first].until = self.now + for_how_long
    return False

cdef bint unsaid(
    Kernel self, int which, uint64_t src_hi, uint64_t src_lo, uint64_t dst_hi, uint64_t dst_lo, uint64_t ports
) noexcept nogil:
    """Whether the oddity is to be written. Ends of all zeros mean: of no packet that could be read."""
    cdef int scope
    cdef bint by_host
    cdef uint64_t key
    if not self.wants[WEIRD_LOG]:
        return False
    scope = self.oddities[which].scope
    by_host = (scope == HOST or scope == NOTED) and (src_hi | src_lo) != 0
    key = mix(src_lo ^ self.seed_b, (src_hi ^ self.seed_c) + self.oddities[which].same * 0x9E3779B97F4A7C15ULL)
    if not by_host:
        key = mix(key ^ dst_lo, (dst_hi ^ self.seed_a) + ports)
    return not said_before(self, key | 1, 600 * SECOND if scope == EVERY else 86400 * SECOND)

cdef int odd_line(
    Kernel self, int which, uint32_t serial, const Packet* p, const Conversation* c, bint inside,
    const char* before_number, int64_t number, const char* between, int64_t second,
) noexcept nogil:
    cdef Lines* o = &self.logs[WEIRD_LOG]
    if not self.wants[WEIRD_LOG] or not room_for_line(o):
        return 0
    o.count += 1
    text(o, b'{"ts":')
    stamp_text(self, o, self.now)
    if serial:
        text(o, b',"uid":"')
        uid_text(self, o, serial)
        text(o, b'"')
    if c != NULL:
        text(o, b',')
        ends_text(o, c.orig_hi, c.orig_lo, c.orig_port, c.resp_hi, c.resp_lo, c.resp_port, c.flags & IS_V6 != 0)
    elif p != NULL:
        text(o, b',')
        ends_text(o, p.src_hi, p.src_lo, 0, p.dst_hi, p.dst_lo, 0, p.version == 6)
    text(o, b',"name":"')
    text(o, self.oddities[which].name)
    if inside:
        text(o, b'_in_tunnel')
    text(o, b'"')
    if before_number != NULL:
        text(o, b',"addl":"')
        text(o, before_number)
        number_text(o, <uint64_t>number)
        if between != NULL:
            text(o, between)
            number_text(o, <uint64_t>second)
        text(o, b'"')
    text(o, b',"notice":true' if self.oddities[which].scope == NOTED else b',"notice":false')
    if self.oddities[which].source[0]:
        text(o, b',"source":"')
        text(o, self.oddities[which].source)
        text(o, b'"')
    return text(o, b"}\n")

cdef int odd_frame(Decoder self, int which) noexcept nogil:
    """Of a frame whose addresses could not be read."""
    return leave(self) if self.scouting else odd_frame_said(<Kernel>self, which)

cdef int odd_frame_said(Kernel self, int which) noexcept nogil:
    if unsaid(self, which, 0, 0, 0, 0, self.depth != 0):
        odd_line(self, which, 0, NULL, NULL, self.depth != 0, NULL, 0, NULL, 0)
    return BROKEN

cdef int odd_packet_with(
    Kernel self, int which, const Packet* p, const char* before_number, int64_t number
) noexcept nogil:
    """Of a packet between two addresses, with a detail."""
    if unsaid(self, which, p.src_hi, p.src_lo, p.dst_hi, p.dst_lo, self.depth != 0):
        odd_line(self, which, 0, p, NULL, self.depth != 0, before_number, number, NULL, 0)
    return BROKEN

cdef inline int odd_packet(Decoder self, int which, const Packet* p) noexcept nogil:
    return leave(self) if self.scouting else odd_packet_with(<Kernel>self, which, p, NULL, 0)

cdef int odd_apart_with(
    Kernel self, int which, const Packet* p, const char* before_number, int64_t number
) noexcept nogil:
    """As `odd_packet_with`, of fragments and routes: Zeek does not say of them that they are in a tunnel."""
    if unsaid(self, which, p.src_hi, p.src_lo, p.dst_hi, p.dst_lo, 0):
        odd_line(self, which, 0, p, NULL, False, before_number, number, NULL, 0)
    return BROKEN

cdef inline int odd_apart(Kernel self, int which, const Packet* p) noexcept nogil:
    return odd_apart_with(self, which, p, NULL, 0)

cdef int odd_with(
    Kernel self, int which, Conversation* c, const char* before_number, int64_t number, const char* between, int64_t second
) noexcept nogil:
    """Of a conversation, with a detail."""
    c.flags |= ODD
    if unsaid(self, which, c.orig_hi, c.orig_lo, c.resp_hi, c.resp_lo, (<uint64_t>c.orig_port << 16) + c.resp_port + 2):
        odd_line(self, which, c.serial, NULL, c, False, before_number, number, between, second)
    return 0

cdef inline int odd(Kernel self, int which, Conversation* c) noexcept nogil:
    return odd_with(self, which, c, NULL, 0, NULL, 0)
