# Sides: 64-byte pieces for what few conversations need, chained from the conversation, from one pool with a budget.

cdef uint32_t take_side(Kernel self, Conversation* c, uint16_t kind) noexcept nogil:
    """A fresh side at the end of the chain, or NOWHERE where the budget is used up."""
    cdef uint32_t side = self.free_sides, end
    if side != NOWHERE:
        self.free_sides = self.sides[side].next
    elif self.sides_touched < self.sides_most:
        side = self.sides_touched
        self.sides_touched += 1
    else:
        self.sides_lost += 1
        return NOWHERE
    self.sides[side].next = NOWHERE
    self.sides[side].kind = kind
    self.sides[side].length = 0
    end = c.sides
    if end == NOWHERE:
        c.sides = side
        return side
    while self.sides[end].next != NOWHERE:
        end = self.sides[end].next
    self.sides[end].next = side
    return side

cdef int drop_sides(Kernel self, Conversation* c) noexcept nogil:
    cdef uint32_t side = c.sides, following
    while side != NOWHERE:
        following = self.sides[side].next
        self.sides[side].next = self.free_sides
        self.free_sides = side
        side = following
    c.sides = NOWHERE
    return 0

cdef uint32_t find_side(Kernel self, const Conversation* c, uint16_t kind) noexcept nogil:
    """The last side of this kind, or NOWHERE."""
    cdef uint32_t side = c.sides, found = NOWHERE
    while side != NOWHERE:
        if self.sides[side].kind == kind:
            found = side
        side = self.sides[side].next
    return found

cdef Interim* interim_of(Kernel self, const Conversation* c) noexcept nogil:
    cdef uint32_t side = find_side(self, c, PARTIAL_RECORD)
    return NULL if side == NOWHERE else <Interim*>self.sides[side].text

cdef int letter(Kernel self, Conversation* c, char code) noexcept nogil:
    """One more letter of history; a long one goes on in sides, within their budget."""
    cdef uint32_t side
    if c.history_length < HISTORY_ROOM:
        c.history[c.history_length] = code
        c.history_length += 1
        return 0
    side = find_side(self, c, LETTERS)
    if side == NOWHERE or self.sides[side].length == SIDE_ROOM:
        side = take_side(self, c, LETTERS)
        if side == NOWHERE:
            self.letters_lost += 1
            return 0
    self.sides[side].text[self.sides[side].length] = code
    self.sides[side].length += 1
    return 0

# --- partial records, of conversations that go on for long

cdef inline int64_t partial_due(Kernel self, const Conversation* c) noexcept nogil:
    """When the next partial record is to be written, if anything came meanwhile."""
    cdef const Interim* was
    if self.interim == 0 or c.flags & NO_PARTIAL:
        return 0x7FFFFFFFFFFFFFFFLL
    if not c.flags & HAD_PARTIAL:
        return c.start + self.interim
    was = interim_of(self, c)
    return was.time + self.interim if was != NULL else 0x7FFFFFFFFFFFFFFFLL

cdef int write_partial(Kernel self, uint32_t slot) noexcept nogil:
    """The record as it stands, and what it said for the next one's differences."""
    cdef Conversation* c = &self.slab[slot]
    cdef Interim* was = interim_of(self, c)
    cdef uint32_t side
    if was == NULL:
        side = take_side(self, c, PARTIAL_RECORD)
        if side == NOWHERE:
            c.flags |= NO_PARTIAL
            return 0
        was = <Interim*>self.sides[side].text
        memset(was, 0, sizeof(Interim))
        was.time = c.start
        c.flags |= HAD_PARTIAL
    was.time += (self.now - was.time) // self.interim * self.interim
    if c.orig.packets == was.packets[0] and c.resp.packets == was.packets[1]:
        return 0
    write_line(self, slot, True)
    was.packets[0], was.packets[1] = c.orig.packets, c.resp.packets
    was.ip_bytes[0], was.ip_bytes[1] = c.orig.ip_bytes, c.resp.ip_bytes
    was.bytes[0] = end_bytes(c, &c.orig, &c.resp)
    was.bytes[1] = end_bytes(c, &c.resp, &c.orig)
    return 0
