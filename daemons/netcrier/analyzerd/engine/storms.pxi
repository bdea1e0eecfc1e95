# Storms: one end's FINs or RSTs that come a thousand times, with no second between the last two. Zeek's numbers.

cdef enum:
    STORM_COUNT = 1000

cdef int count_ends(Kernel self, Conversation* c, const Endpoint* e, const Packet* p) noexcept nogil:
    """A FIN or RST, before its letter: of most ends there is one, and nothing is kept."""
    cdef uint32_t side
    cdef Storm* storm
    cdef int who = 0 if e == &c.orig else 1
    if not e.marks & (SEEN_FIN | SEEN_RST):
        return 0
    side = find_side(self, c, STORM)
    if side == NOWHERE:
        side = take_side(self, c, STORM)
        if side == NOWHERE:
            return 0
        memset(self.sides[side].text, 0, sizeof(Storm))
        storm = <Storm*>self.sides[side].text
        storm.fins[0] = storm.fins[1] = storm.rsts[0] = storm.rsts[1] = 1
    storm = <Storm*>self.sides[side].text
    if p.flags & FIN and e.marks & SEEN_FIN:
        one_more(self, c, &storm.fins[who], &storm.fin[who], p.time, FIN_STORM)
    if p.flags & RST and e.marks & SEEN_RST:
        one_more(self, c, &storm.rsts[who], &storm.rst[who], p.time, RST_STORM)
    return 0

cdef inline int one_more(
    Kernel self, Conversation* c, uint32_t* count, int64_t* last, int64_t time, int which
) noexcept nogil:
    count[0] += count[0] < STORM_COUNT
    if count[0] == STORM_COUNT and time - last[0] < SECOND:
        odd(self, which, c)
    last[0] = time
    return 0
