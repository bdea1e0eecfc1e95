# Follow: which conversation a packet belongs to, and what it changes there. TCP's own part is in tcp.pxi.

cdef int take_in(Kernel self, Packet* p, uint32_t tag) except -1 nogil:
    """A packet that was decoded: into its conversation, and what it carries if that is a tunnel."""
    cdef uint32_t slot = follow(self, p, tag)
    if p.protocol != UDP or (p.bad and self.checksums == DROP_BAD):
        return FOLLOWED
    return udp_tunnel(self, slot, p)

cdef uint32_t follow(Kernel self, Packet* p, uint32_t tag) noexcept nogil:
    cdef uint32_t slot
    cdef Conversation* c
    cdef bint from_orig
    slot = find(self, p, tag)
    if slot != NOWHERE:
        c = &self.slab[slot]
        if due(self, c) <= p.time or (p.protocol == TCP and not p.headless and reused(self, c, p)):
            finish(self, slot)
            slot = NOWHERE
    if slot == NOWHERE:
        slot = begin(self, p, tag)
    elif self.depth and self.slab[slot].parent != self.levels[self.depth - 1].serial:
        find_tunnels(self)
    c = &self.slab[slot]
    from_orig = p.src_lo == c.orig_lo and p.src_hi == c.orig_hi and p.src_port == c.orig_port
    if p.protocol == TCP:
        follow_tcp(self, slot, c, from_orig, p)
    elif p.protocol == UDP:
        follow_udp(self, slot, c, from_orig, p)
    else:
        follow_other(self, slot, c, from_orig, p)
    return slot

cdef inline uint32_t next_serial(Kernel self) noexcept nogil:
    """The low half of a number that no other conversation or tunnel of this engine has."""
    self.serial += 1
    self.serial += <uint32_t>self.serial == 0
    return <uint32_t>self.serial

cdef uint32_t begin(Kernel self, Packet* p, uint32_t tag) noexcept nogil:
    cdef uint32_t slot = take_slot(self)
    cdef Conversation* c = &self.slab[slot]
    memset(c, 0, sizeof(Conversation))
    c.start = c.last = p.time
    c.protocol = p.protocol
    c.orig_hi, c.orig_lo, c.orig_port = p.src_hi, p.src_lo, p.src_port
    c.resp_hi, c.resp_lo, c.resp_port = p.dst_hi, p.dst_lo, p.dst_port
    c.vlan, c.inner_vlan = p.vlan, p.inner_vlan
    c.sides = c.orig.pieces = c.resp.pieces = NOWHERE
    c.orig.ttl_min = c.resp.ttl_min = 255
    c.orig.bytes = c.resp.bytes = 1 if p.protocol == TCP else 0
    if p.version == 6:
        c.flags |= IS_V6
    if p.one_way:
        c.flags |= ONE_WAY
    if p.has_macs:
        memcpy(c.orig.mac, p.src_mac, 6)
        memcpy(c.resp.mac, p.dst_mac, 6)
    c.serial = next_serial(self)
    self.begun += 1
    if flips(self, p):
        flip(self, c)
    if self.depth:
        c.parent = self.levels[self.depth - 1].serial
        find_tunnels(self)
    index(self, tag, slot)
    hang(self, slot)
    return slot

cdef bint flips(Kernel self, Packet* p) noexcept nogil:
    """Whether the first packet seen came from the responder."""
    if p.version == 4 and p.dst_lo & 0xFFFFFFFFU == 0xFFFFFFFFU:
        return False
    if p.protocol == UDP:
        return self.server_udp[p.src_port] and not self.server_udp[p.dst_port]
    if p.protocol == TCP and not p.headless:
        if p.flags & SYN:
            return p.flags & ACK != 0
        if self.server_tcp[p.src_port]:
            return not self.server_tcp[p.dst_port] or p.src_port < p.dst_port
    elif p.protocol == TCP and self.server_tcp[p.src_port]:
        return not self.server_tcp[p.dst_port]
    return False

cdef int flip(Kernel self, Conversation* c) noexcept nogil:
    cdef Endpoint end = c.orig
    c.orig, c.resp = c.resp, end
    c.orig_hi, c.resp_hi = c.resp_hi, c.orig_hi
    c.orig_lo, c.resp_lo = c.resp_lo, c.orig_lo
    c.orig_port, c.resp_port = c.resp_port, c.orig_port
    c.flags &= ~PARTIAL_START
    return letter(self, c, c"^")

cdef inline int mark(Kernel self, Conversation* c, Endpoint* e, uint8_t bit, char code) noexcept nogil:
    """A letter that is written once for each end; 1 where it was there already."""
    if e.marks & bit:
        return 1
    e.marks |= bit
    letter(self, c, code if e == &c.orig else code + 32)
    return 0

cdef inline uint16_t scaled(Kernel self, Conversation* c, Endpoint* e, uint16_t count, char code) noexcept nogil:
    """A letter at the 1st, 10th, 100th … time; the new count."""
    if count == 0xFFFF:
        return count
    count += 1
    if power_of_ten(count):
        letter(self, c, code if e == &c.orig else code + 32)
    return count

cdef inline int count_in(Kernel self, Conversation* c, Endpoint* e, Packet* p) noexcept nogil:
    """Packet, bytes and time to live of a packet that belongs to `e`."""
    e.packets += 1
    e.ip_bytes += p.ip_bytes
    if p.ttl < e.ttl_min:
        e.ttl_min = p.ttl
    if p.ttl > e.ttl_max:
        e.ttl_max = p.ttl
    return 0

cdef inline int note_payload(Conversation* c, int64_t time) noexcept nogil:
    c.last_payload = as_offset(time - c.start)
    if c.first_payload == 0:
        c.first_payload = c.last_payload
    return 0

cdef int follow_udp(Kernel self, uint32_t slot, Conversation* c, bint from_orig, Packet* p) noexcept nogil:
    cdef Endpoint* e = &c.orig if from_orig else &c.resp
    cdef bint first = e.packets == 0
    if p.bad:
        odd(self, BAD_UDP, c)
        e.bad_checksums = scaled(self, c, e, e.bad_checksums, c"C")
        if self.checksums == DROP_BAD:
            return 0
    if p.payload != p.stop - p.body:
        odd_with(self, UDP_LENGTH, c, b"", p.payload + 8, b" != ", p.stop - p.body + 8)
    c.last = p.time
    mark(self, c, e, SEEN_DATA, c"D")
    e.flags |= FIRST_SEEN
    if p.payload > 0:
        e.bytes += p.payload
        note_payload(c, p.time)
        if self.streaming:
            stream_datagram(self, c, 0 if from_orig else 1, p)
    if p.looks & LIKE_OURS:
        c.service = NETCRIER
    count_in(self, c, e, p)
    if first and c.orig.packets and c.resp.packets:
        changed(self, slot)
    return 0

cdef int follow_other(Kernel self, uint32_t slot, Conversation* c, bint from_orig, Packet* p) noexcept nogil:
    cdef Endpoint* e = &c.orig if from_orig else &c.resp
    cdef bint first = e.packets == 0
    if p.bad:
        if p.protocol == ICMP or p.protocol == ICMP6:
            odd(self, BAD_ICMP, c)
        e.bad_checksums += e.bad_checksums < 0xFFFF
        if self.checksums == DROP_BAD:
            return 0
    c.last = p.time
    if p.protocol == ICMP or p.protocol == ICMP6:
        e.bytes += p.payload
        if p.payload > 0:
            note_payload(c, p.time)
        if not p.whole:
            return 0
    count_in(self, c, e, p)
    if first and c.orig.packets and c.resp.packets:
        changed(self, slot)
    return 0
