# The flow table: a slab of conversations, an open-addressed index of 32-bit slots, and a timer wheel.
#
# The index hashes with a seed drawn at start, so a crafted set of addresses does not make long runs.
# The wheel has one ring of buckets for each worth; a conversation that was active meanwhile is moved
# when its old bucket comes up, so a packet costs no timer work. At the limit the first of the lowest
# worth goes: attempts, ended, one-sided, then the others; of one worth what would be over first, by the tick.

cdef inline uint32_t hash_of(Decoder self, const Packet* p) noexcept nogil:
    """Equal for both directions, except of one-way kinds."""
    cdef uint64_t a = mix(p.src_lo ^ self.seed_a, (p.src_hi ^ self.seed_b) + p.src_port * 0x9E3779B97F4A7C15ULL)
    cdef uint64_t b = mix(p.dst_lo ^ self.seed_a, (p.dst_hi ^ self.seed_b) + p.dst_port * 0x9E3779B97F4A7C15ULL)
    if p.one_way:
        b = ~b
    return <uint32_t>(mix((a + b) ^ self.seed_c, self.seed_a + p.protocol) >> 16)

cdef inline uint32_t hash_again(Kernel self, const Conversation* c) noexcept nogil:
    cdef Packet p
    p.src_hi, p.src_lo, p.src_port = c.orig_hi, c.orig_lo, c.orig_port
    p.dst_hi, p.dst_lo, p.dst_port = c.resp_hi, c.resp_lo, c.resp_port
    p.protocol = c.protocol
    p.one_way = c.flags & ONE_WAY != 0
    return hash_of(self, &p)

cdef inline bint same(Kernel self, const Conversation* c, const Packet* p) noexcept nogil:
    if c.protocol != p.protocol or (c.flags & ONE_WAY != 0) != p.one_way:
        return False
    if (
        c.orig_lo == p.src_lo and c.resp_lo == p.dst_lo and c.orig_port == p.src_port
        and c.resp_port == p.dst_port and c.orig_hi == p.src_hi and c.resp_hi == p.dst_hi
    ):
        return True
    return (
        not p.one_way and c.orig_lo == p.dst_lo and c.resp_lo == p.src_lo and c.orig_port == p.dst_port
        and c.resp_port == p.src_port and c.orig_hi == p.dst_hi and c.resp_hi == p.src_hi
    )

cdef inline int fetch(const Conversation* c) noexcept nogil:
    """Ask for all of its cache lines at once: one wait instead of five."""
    cdef int i
    for i in range(5):
        fetch_ahead(<const char*>c + 64 * i)
    return 0

cdef inline int expect(Kernel self, uint32_t tag) noexcept nogil:
    """Ask for the conversation of a tag whose place in the index has come meanwhile."""
    cdef const Cell* cell = &self.cells[tag & self.mask]
    if cell.tag == tag and cell.slot != NOWHERE:
        fetch(&self.slab[cell.slot])
    return 0

cdef inline uint32_t find(Kernel self, Packet* p, uint32_t tag) noexcept nogil:
    cdef uint32_t at = tag & self.mask
    while self.cells[at].slot != NOWHERE:
        if self.cells[at].tag == tag:
            fetch(&self.slab[self.cells[at].slot])
            if same(self, &self.slab[self.cells[at].slot], p):
                return self.cells[at].slot
        at = (at + 1) & self.mask
    return NOWHERE

cdef int index(Kernel self, uint32_t tag, uint32_t slot) noexcept nogil:
    cdef uint32_t at
    cdef Cell* wider
    cdef uint32_t i, mask
    if self.used * 8 >= (self.mask + 1) * 5 and self.mask < 0x7FFFFFFF:
        mask = self.mask * 2 + 1
        wider = <Cell*>wide_pages(<size_t>(mask + 1) * sizeof(Cell))
        if wider != NULL:
            memset(wider, 0xFF, <size_t>(mask + 1) * sizeof(Cell))
            for i in range(self.mask + 1):
                if self.cells[i].slot != NOWHERE:
                    at = self.cells[i].tag & mask
                    while wider[at].slot != NOWHERE:
                        at = (at + 1) & mask
                    wider[at] = self.cells[i]
            free(self.cells)
            self.cells = wider
            self.mask = mask
    at = tag & self.mask
    while self.cells[at].slot != NOWHERE:
        at = (at + 1) & self.mask
    self.cells[at].tag = tag
    self.cells[at].slot = slot
    return 0

cdef int unindex(Kernel self, uint32_t tag, uint32_t slot) noexcept nogil:
    """Take a slot out and close the gap, so that no run is broken."""
    cdef uint32_t at = tag & self.mask, after, home
    while self.cells[at].slot != slot:
        at = (at + 1) & self.mask
    after = at
    while True:
        after = (after + 1) & self.mask
        if self.cells[after].slot == NOWHERE:
            break
        home = self.cells[after].tag & self.mask
        if ((after - home) & self.mask) >= ((after - at) & self.mask):
            self.cells[at] = self.cells[after]
            at = after
    self.cells[at].slot = NOWHERE
    return 0

# --- the wheel

cdef inline int64_t due(Kernel self, const Conversation* c) noexcept nogil:
    """When the record is written if nothing more comes."""
    cdef int64_t at
    if c.protocol == TCP:
        if c.flags & CLOSING:
            return c.ends
        if c.orig.state == INACTIVE and c.resp.state == INACTIVE:
            return c.last + self.short_idle
        at = c.last + (self.tcp_idle if established(c) else self.short_idle)
        if (c.orig.state == SYN_SENT or c.orig.state == SYN_ACK_SENT) and c.resp.state == INACTIVE:
            return min(at, c.start + self.attempt)
        if c.flags & HALF_CLOSING:
            return min(at, c.ends)
        if (c.orig.flags | c.resp.flags) & DID_CLOSE and (c.orig.state == RESET or c.resp.state == RESET):
            return min(at, c.last + self.linger)
        return at
    if c.protocol == ICMP or c.protocol == ICMP6:
        return c.last + self.icmp_idle
    return c.last + self.short_idle

cdef inline int worth_of(Kernel self, const Conversation* c) noexcept nogil:
    if c.protocol == TCP:
        if c.flags & CLOSING:
            return ENDED
        if c.orig.state == INACTIVE or c.resp.state == INACTIVE:
            return ATTEMPT
        return KEPT
    return KEPT if c.resp.packets and c.orig.packets else ONE_SIDED

cdef int hang(Kernel self, uint32_t slot) noexcept nogil:
    """Into the bucket of its due time and worth."""
    cdef Conversation* c = &self.slab[slot]
    cdef int64_t tick = min(due(self, c), partial_due(self, c)) // self.tick
    cdef int worth = worth_of(self, c)
    cdef uint32_t bucket
    if tick <= self.turned:
        tick = self.turned + 1
    if tick >= self.turned + BUCKETS:
        tick = self.turned + BUCKETS - 1
    if tick < self.earliest[worth]:
        self.earliest[worth] = tick
    bucket = worth * BUCKETS + <uint32_t>(tick % BUCKETS)
    c.bucket = bucket
    c.back = NOWHERE
    c.next = self.buckets[bucket]
    if c.next != NOWHERE:
        self.slab[c.next].back = slot
    self.buckets[bucket] = slot
    return 0

cdef int unhang(Kernel self, uint32_t slot) noexcept nogil:
    cdef Conversation* c = &self.slab[slot]
    if c.back == NOWHERE:
        self.buckets[c.bucket] = c.next
    else:
        self.slab[c.back].next = c.next
    if c.next != NOWHERE:
        self.slab[c.next].back = c.back
    return 0

cdef int rehang(Kernel self, uint32_t slot) noexcept nogil:
    unhang(self, slot)
    return hang(self, slot)

cdef inline int changed(Kernel self, uint32_t slot) noexcept nogil:
    """To another bucket where it must: it is worth something else now, or due before its bucket comes up."""
    cdef const Conversation* c = &self.slab[slot]
    cdef int64_t comes = self.turned + ((c.bucket - self.turned) & (BUCKETS - 1))
    if c.bucket // BUCKETS != worth_of(self, c) or due(self, c) // self.tick < comes:
        rehang(self, slot)
    return 0

cdef int turn_wheel(Kernel self) noexcept nogil:
    """Write what is due by self.now; move what lives on."""
    cdef int64_t target = self.now // self.tick, tick
    cdef int worth
    cdef uint32_t slot, bucket, following
    if target - self.turned > BUCKETS:
        self.turned = target - BUCKETS
    while self.turned < target:
        self.turned += 1
        tick = self.turned
        if tick & 255 == 0:
            expire_pairs(self)
        for worth in range(WORTHS):
            bucket = worth * BUCKETS + <uint32_t>(tick % BUCKETS)
            slot = self.buckets[bucket]
            while slot != NOWHERE:
                following = self.slab[slot].next
                if due(self, &self.slab[slot]) <= self.now:
                    fetch_after(self, slot)
                    finish(self, slot)
                else:
                    if self.slab[slot].flags & CARRIES:
                        close_tunnel(self, &self.slab[slot], True)
                    if partial_due(self, &self.slab[slot]) <= self.now:
                        write_partial(self, slot)
                    rehang(self, slot)
                slot = following
    return 0

cdef inline int fetch_after(Kernel self, uint32_t slot) noexcept nogil:
    """Before a conversation of a bucket is finished: ask for the memory that the two after it will need."""
    cdef uint32_t after = self.slab[slot].next
    if after != NOWHERE:
        fetch_ahead(&self.cells[hash_again(self, &self.slab[after]) & self.mask])
        if self.slab[after].next != NOWHERE:
            fetch(&self.slab[self.slab[after].next])
    return 0

cdef int make_room(Kernel self) noexcept nogil:
    """The limit is reached: the least worth is written and goes."""
    cdef int worth, tries
    cdef uint32_t slot
    for worth in range(WORTHS):
        tries = 64
        while self.earliest[worth] < self.turned + BUCKETS:
            slot = self.buckets[worth * BUCKETS + <uint32_t>(self.earliest[worth] % BUCKETS)]
            if slot == NOWHERE:
                self.earliest[worth] += 1
                continue
            if tries and due(self, &self.slab[slot]) // self.tick > self.earliest[worth] + 1:
                tries -= 1
                rehang(self, slot)
                continue
            self.evicted += 1
            finish(self, slot)
            return 0
    return 0

cdef uint32_t take_slot(Kernel self) noexcept nogil:
    cdef uint32_t slot
    if self.used >= self.most:
        make_room(self)
    slot = self.free_slots
    if slot != NOWHERE:
        self.free_slots = self.slab[slot].next
    else:
        slot = self.touched
        self.touched += 1
    self.used += 1
    return slot

cdef int finish(Kernel self, uint32_t slot) noexcept nogil:
    """Write the record and give the slot back."""
    if self.slab[slot].flags & CARRIES:
        close_tunnel(self, &self.slab[slot], False)
    if self.streaming:
        close_stream(self, &self.slab[slot])
    write_line(self, slot, False)
    return discard(self, slot)

cdef int discard(Kernel self, uint32_t slot) noexcept nogil:
    cdef Conversation* c = &self.slab[slot]
    unhang(self, slot)
    unindex(self, hash_again(self, c), slot)
    drop_pieces(self, &c.orig)
    drop_pieces(self, &c.resp)
    drop_sides(self, c)
    c.serial = 0
    c.next = self.free_slots
    self.free_slots = slot
    self.used -= 1
    self.ended += 1
    return 0
